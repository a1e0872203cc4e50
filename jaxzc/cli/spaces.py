"""`jaxzc spaces`: the search spaces and their options; `jaxzc spaces warm`: compile ahead what a search in one of them needs."""

import argparse
import os
from itertools import islice
from typing import Any

import numpy as np

from jaxzc.catalogue import spaces
from jaxzc.cli.arguments import Subcommands
from jaxzc.definitions.docstrings import docstring

HELP = "list the search spaces and their options, or show one (`jaxzc spaces NAME`), or compile ahead (`warm`)"
WARM = "compile ahead what a search in a space of free widths needs"
EPILOG = """The architectures are those of a random walk by the space's own mutation. Their pieces are stored where all compiled programs
are, for these proxies, sizes of images and batches, so that `jaxzc search` and `jaxzc score` with the same ones read them. Several
processes may do this at once.

example:
  jaxzc spaces warm mobilenetv2_zen --proxies zico --data tfds:cifar10 --batch-size 32 --walk 200 --most-flops 9.2e6
"""


def add(commands: Subcommands) -> None:
    command = commands.add_parser("spaces", help=HELP, description=HELP)
    command.set_defaults(run=run)
    inner = command.add_subparsers(title="the name of a space, or a command", metavar="NAME")
    for name in sorted(spaces.spaces()):
        inner.add_parser(name).set_defaults(run=show, space=name)
    _add_warm(inner.add_parser("warm", help=WARM, description=WARM, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter))


def _add_warm(command: argparse.ArgumentParser) -> None:
    from jaxzc.cli.arguments.groups import add_network_arguments
    from jaxzc.cli.arguments.numbers import number_or_all, positive, seed

    add_network_arguments(command, batches=2)
    command.add_argument("--proxies", default="zico", metavar="NAMES", help="as for `jaxzc score` (default: %(default)s)")
    command.add_argument("--walk", type=positive, default=200, metavar="N", help="architectures (default: %(default)s)")
    command.add_argument("--most-flops", type=float, metavar="X", help="multiply-accumulates that none of them exceeds (default: no limit)")
    command.add_argument(
        "--processes",
        type=number_or_all,
        default=1,
        metavar="N",
        help="of the search or scoring to come: what is compiled is for the processors that each of them has (default: %(default)s)",
    )
    command.add_argument("--seed", type=seed, default=0, metavar="S", help="of the walk (default: %(default)s)")
    command.set_defaults(run=warm)


def run(arguments: argparse.Namespace) -> None:
    for name in sorted(spaces.spaces()):
        make = spaces.maker(name)
        summary = docstring(make).partition("\n")[0]
        options = ", ".join(f"{key}={value!r}" for key, value in spaces.options(make).items()) or "none"
        print(f"{name:15} {summary}")
        print(f"{'':15} options (--set): {options}; from {spaces.spaces()[name].value}")


def show(arguments: argparse.Namespace) -> None:
    """One space: what it is, its options, and how an architecture of it is written."""
    name, make = arguments.space, spaces.maker(arguments.space)
    print(f"{name}: {docstring(make)}\n")
    print("options (--set):")
    print("\n".join(f"  {key}={value!r}" for key, value in spaces.options(make).items()) or "  none")
    space = spaces.space(name)
    print(f"\nan architecture: {space.to_string(space.sample(np.random.default_rng(0), 1)[0])}")
    print(f"inputs: {'x'.join(map(str, space.inputs.shape))} unless the data say otherwise; from {spaces.spaces()[name].value}")


def warm(arguments: argparse.Namespace) -> None:
    from jaxzc._parallel.processors import shares
    from jaxzc.catalogue.selection import select
    from jaxzc.cli.arguments.requests import keep_compiled, request_fields
    from jaxzc.cli.terminal import note
    from jaxzc.scoring.space.setting import Setting
    from jaxzc.scoring.space.warm import walk
    from jaxzc.scoring.space.warm import warm as warmed

    own, *others = shares(arguments.processes)
    if others:
        os.environ["NPROC"] = str(len(own))  # which XLA reads when it starts
    setting = Setting(**request_fields(arguments, Setting))
    setting.check_sizes(select(arguments.proxies))
    keep_compiled(arguments)
    space, (drawn,) = setting.prepared(arguments.space, [arguments.seed])
    scorer = setting.scorer(space, drawn.batches, arguments.proxies)
    limit = arguments.most_flops
    feasible = None if limit is None else lambda archs: space.counts(archs).flops <= limit
    archs = np.stack(list(islice(walk(space, np.random.default_rng(arguments.seed), feasible), arguments.walk)))
    last: Any = None
    for last in warmed(scorer, archs):
        if not arguments.quiet:
            note(f"{last.architectures} architectures: {last.pieces} pieces, {last.seconds:.0f} s")
    print(
        f"{space.name}: {last.architectures} architectures need {last.pieces} pieces; {last.stored} of them are stored, "
        f"{last.bytes / 1e6:.1f} MB; {last.seconds:.1f} s"
    )
