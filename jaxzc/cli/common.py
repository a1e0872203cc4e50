"""Arguments and steps that several commands share."""

import argparse
import ast
import os
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxzc import data, embedded, tables
from jaxzc.catalogue import spaces
from jaxzc.facts import Proxy
from jaxzc.numerics.initialisers import INITIALISERS
from jaxzc.scoring.setting import Setting, too_few
from jaxzc.types import JaxzcError, Space

EMBEDDED = embedded.NAME


def digits(text: str) -> bool:
    """Whether the text is a whole number of ASCII digits; Python's own tests take those of every script."""
    return text.isascii() and text.isdecimal()


def positive(text: str) -> int:
    """An argparse type: a whole number of at least 1, below 2**31."""
    if not digits(text) or not 1 <= int(text) < 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1 (below {2**31})")
    return int(text)


def devices(text: str) -> int | None:
    """An argparse type: a whole number of at least 1, or `all`, which is None."""
    return None if text == "all" else positive(text)


def seed(text: str) -> int:
    """An argparse type: a whole number from 0 to 2**32 - 1."""
    # jax.random.key takes larger ones modulo 2**32: two seeds would name the same weights.
    if not digits(text) or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {2**32 - 1}")
    return int(text)


def seeds(text: str) -> tuple[int, ...]:
    """An argparse type: distinct seeds, separated by commas."""
    found = tuple(seed(part.strip()) for part in text.split(","))
    if len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"{text!r} names a seed twice")
    return found


def add_space_arguments(command: argparse.ArgumentParser) -> None:
    """Space and data: what every command that runs networks takes."""
    command.add_argument("space", metavar="SPACE", help="search space, for example nasbench201 (`jaxzc spaces` lists them)")
    command.add_argument(
        "--data",
        default="digits",
        metavar="SPEC",
        help="images: digits (8x8, bundled with scikit-learn), normal (noise, 32x32), npz:FILE (arrays 'images' [N, H, W, C] and "
        "'labels' [N]), or tfds:NAME (tensorflow-datasets, prepared on this machine, for example tfds:cifar10) (default: %(default)s)",
    )
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        help="option of the space, for example channels=8 or cells=1 (may be repeated)",
    )
    command.add_argument("--no-cache", action="store_true", help="compile anew instead of keeping compiled programs in ~/.cache/jaxzc")
    command.add_argument("--quiet", action="store_true", help="no progress bar")


def add_network_arguments(command: argparse.ArgumentParser, batches: int) -> None:
    """Space, data, batch, weights: what every command that scores untrained networks takes."""
    add_space_arguments(command)
    command.add_argument(
        "--batch-size", type=positive, default=Setting.batch_size, metavar="N", help="images per batch (default: %(default)s)"
    )
    command.add_argument("--batches", type=positive, default=batches, metavar="K", help="batches; zico needs 2 (default: %(default)s)")
    command.add_argument(
        "--weights",
        choices=("redrawn", "shared"),
        default=Setting.weights,
        help="drawn anew for each architecture, as in the papers, or one set for all (default: %(default)s)",
    )
    command.add_argument(
        "--init",
        choices=list(INITIALISERS),
        default=Setting.init,
        metavar="NAME",
        help="weight initialiser: %(choices)s (default: %(default)s)",
    )
    command.add_argument(
        "--norm",
        choices=("batch", "init", "none"),
        default=Setting.norm,
        help="normalise by the batch (train mode), by initial statistics (mean 0, variance 1), or not at all (default: %(default)s)",
    )


def add_arch_arguments(command: argparse.ArgumentParser, default: str) -> None:
    """Which architectures; `architectures` reads these."""
    command.add_argument(
        "--archs",
        metavar="FILE",
        help="architectures: text, one string a line (# begins a comment line), or CSV/Parquet with a column 'arch'; or strings, joined by "
        f"commas; '{EMBEDDED}' takes those of the embedded benchmark",
    )
    command.add_argument(
        "--sample", type=positive, metavar="N", help=f"N distinct random architectures, of FILE if there is one ({default})"
    )
    command.add_argument("--all", action="store_true", help="every architecture of the space")


def add_device_arguments(command: argparse.ArgumentParser) -> None:
    """How many architectures are scored at a time; changes no score on a CPU."""
    command.add_argument(
        "--devices",
        type=devices,
        default=1,
        metavar="N",
        help="devices of this machine that share the architectures, or 'all' (default: %(default)s)",
    )
    command.add_argument(
        "--chunk", type=positive, metavar="N", help="architectures that each device takes at a time (default: 1 on a CPU, 16 elsewhere)"
    )


def command_line(arguments: argparse.Namespace) -> str:
    """What was typed, so that tables and reports can say how they were made."""
    return shlex.join(["jaxzc", *arguments.argv])


def check_out(out: Path, overwrite: bool) -> None:
    """The same refusals as when writing, before an hour of work rather than after."""
    if os.path.isdir(out):
        raise JaxzcError(f"{out} is a directory: name a file, for example {out / 'scores.parquet'}")
    if os.path.exists(out) and not overwrite:
        raise JaxzcError(f"{out} exists: choose another name, or add --overwrite")
    check_parent(out)


def check_table(out: Path, overwrite: bool) -> None:
    """`check_out`, of a table: its name says which kind."""
    tables.check_name(out)
    check_out(out, overwrite)


def check_parent(out: Path) -> None:
    """Raises `JaxzcError` where there is no directory for `out`, or it may not be written to."""
    parent = out.absolute().parent
    if not os.path.isdir(parent):
        raise JaxzcError(f"there is no directory {parent} for {out.name}: create it first")
    if not os.access(parent, os.W_OK):
        raise JaxzcError(f"the directory {parent} is not writable: choose one you may write to")


def check_sizes(chosen: Mapping[str, Proxy], arguments: argparse.Namespace) -> None:
    """Raises `JaxzcError` where a proxy compares batches or images and there is one only; at once, not after compiling."""
    if lack := too_few(chosen, batches=arguments.batches, batch_size=arguments.batch_size):
        option = f"--{lack.field.replace('_', '-')}"
        raise JaxzcError(f"{option} {lack.number} is too few for {lack}: give {option} 2, or choose other --proxies")


def prepare(arguments: argparse.Namespace, seeds: Sequence[int]) -> tuple[Space, list[data.Data]]:
    """Loads the images of every seed and makes the space fit them; turns the compilation cache on."""
    chosen = space_options(arguments)
    keep_compiled(arguments)
    draws = [data.load(arguments.data, batch_size=arguments.batch_size, batches=arguments.batches, seed=seed) for seed in seeds]
    inputs = draws[0].batches[0].inputs.shape[1:]
    return spaces.space(arguments.space, classes=draws[0].classes, inputs=inputs, **chosen), draws


def space_options(arguments: argparse.Namespace, **given: Any) -> dict[str, Any]:
    """The options of the space: those of `--set`, and those given, which have an argument of their own. Raises `JaxzcError` where the space
    has no such option."""
    chosen = options(arguments.set)
    for name in given:
        if name in chosen:
            raise JaxzcError(f"--set {name} is given beside --{name}: keep --{name}")
    chosen |= given
    spaces.check_options(arguments.space, chosen)
    return chosen


def keep_compiled(arguments: argparse.Namespace) -> None:
    """Turns the compilation cache on, unless --no-cache was given or the user has one of his own."""
    if not arguments.no_cache and not jax.config.jax_compilation_cache_dir:  # pyright: ignore[reportAttributeAccessIssue]
        jax.config.update("jax_compilation_cache_dir", str(Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "jaxzc"))


def typed(arguments: argparse.Namespace, request: type[Any], **parsed: Any) -> dict[str, Any]:
    """What was typed, for the fields of a request that have an option of the same name; the space's options; and what was parsed."""
    named = {each.name: getattr(arguments, each.name) for each in fields(request) if hasattr(arguments, each.name)}
    return named | {"options": options(arguments.set)} | parsed


def options(pairs: Sequence[str]) -> dict[str, Any]:
    """Option -> value of `--set OPTION=VALUE` pairs, VALUE as Python writes it, or true, or false.

    Raises `JaxzcError` for what is no pair, and for an option given twice.
    """
    chosen: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not name:
            raise JaxzcError(f"--set {pair}: expected OPTION=VALUE, for example channels=8")
        if name in chosen:
            raise JaxzcError(f"--set {name} is given twice: keep one of them")
        try:
            chosen[name] = ast.literal_eval({"true": "True", "false": "False"}.get(value, value))
        except (ValueError, SyntaxError):
            chosen[name] = value
    return chosen


def architectures(arguments: argparse.Namespace, space: Space, sample: int, seed: int) -> np.ndarray:
    """The architectures asked for, int [n, genes], each once; `sample` random ones where nothing was asked for."""
    if arguments.all and (arguments.archs is not None or arguments.sample):
        raise JaxzcError("--all means every architecture of the space: leave out --archs and --sample, or leave out --all")
    if arguments.all:
        return space.enumerate()
    rng = np.random.default_rng(seed)
    if arguments.archs is None:
        return space.sample(rng, arguments.sample or sample)
    read = _written(arguments.archs, space) or tables.read_archs(embedded.table_named(arguments.archs), space)
    if read.duplicates:
        note(
            f"{arguments.archs}: {read.duplicates} of {len(read.archs) + read.duplicates} lines repeat an architecture, which is taken once"
        )
    if arguments.archs == EMBEDDED:
        _note_size(space)
    if not arguments.sample:
        return read.archs
    if arguments.sample > len(read.archs):
        raise JaxzcError(
            f"--sample {arguments.sample}: {arguments.archs} has only {len(read.archs)} different architectures: "
            "ask for fewer, or leave out --sample to take them all"
        )
    return read.archs[np.sort(rng.choice(len(read.archs), arguments.sample, replace=False))]


def _written(text: str, space: Space) -> tables.Archs | None:
    """The architectures that the text itself is, one or several joined by commas; None where it is none, or names a file."""
    if Path(text).exists():
        return None
    for words in ([text], text.split(",")):
        try:
            archs = np.stack([np.asarray(space.parse(word), np.int32) for word in words])
        except JaxzcError:
            continue
        _, first = np.unique(archs, axis=0, return_index=True)
        archs = archs[np.sort(first)]
        return tables.Archs(archs, [space.to_string(arch) for arch in archs], len(words) - len(archs))
    return None


def _note_size(space: Space) -> None:
    if any(getattr(space, name, value) != value for name, value in embedded.SPACE_OPTIONS.items()):
        wanted = " ".join(f"--set {name}={value}" for name, value in embedded.SPACE_OPTIONS.items())
        note(f"the embedded benchmark's networks were trained with {wanted}; these are others")


def progress(items: Iterable[Any], total: int, quiet: bool) -> Iterator[Any]:
    """The items, with a progress bar on standard error: architectures per second and time left. The first one, which compiles, is left out
    of the speed."""
    from tqdm.auto import tqdm

    # Into a file, a bar that is rewritten ten times a second is thousands of lines.
    interval = 0.1 if sys.stderr.isatty() else 30
    with tqdm(total=total, unit="arch", desc="compiling", smoothing=0, mininterval=interval, disable=quiet) as bar:
        for number, item in enumerate(items):
            yield item
            bar.update()
            if number == 0 and not quiet:
                bar.initial, bar.start_t, bar.last_print_t = 1, (now := time.time()), now
                bar.set_description("running")


def note(text: str) -> None:
    """A remark to the user, on standard error: standard output holds results only."""
    print(f"jaxzc: {text}", file=sys.stderr)
