"""`jaxzc export`: take one architecture away, as code, weights and programs that need no jaxzc."""

import argparse

from jaxzc.cli.arguments import Subcommands
from jaxzc.cli.arguments.architectures import one_of
from jaxzc.cli.arguments.numbers import positive, seed, sizes
from jaxzc.cli.arguments.requests import keep_compiled, options
from jaxzc.cli.terminal import note
from jaxzc.numerics.initialisers import INITIALISERS
from jaxzc.training.architecture import run_export

HELP = "write one architecture as code, weights and programs that need no jaxzc"
EPILOG = """DIR holds
  network.py          Flax code of this architecture, which imports JAX and Flax only
  weights.msgpack     parameters, just drawn (`jaxzc train` leaves trained ones), and running statistics
  network.stablehlo   the network for CPUs, GPUs and TPUs, weights inside, as jax.export writes it
  network.onnx        with --onnx N
  load.py             the lines that load each of them

examples:
  jaxzc export nasbench201 found/winner.txt --inputs 32x32x3 --classes 10 --out winner
  jaxzc export published mobilenetv2_w1 --out mobilenetv2
"""


def add(commands: Subcommands) -> None:
    formatter = argparse.RawDescriptionHelpFormatter
    command = commands.add_parser("export", help=HELP, description=HELP, epilog=EPILOG, formatter_class=formatter)
    command.add_argument("space", metavar="SPACE", help="search space (`jaxzc spaces` lists them)")
    command.add_argument("arch", metavar="ARCH", help="architecture string, or a file whose first architecture is meant")
    command.add_argument("--out", required=True, metavar="DIR", help="directory of the files")
    command.add_argument("--inputs", type=sizes, metavar="HxWxC", help="shape of one example (default: the space's benchmark's)")
    command.add_argument("--classes", type=positive, metavar="N", help="(default: the space's benchmark's)")
    command.add_argument("--init", choices=list(INITIALISERS), default="torch", metavar="NAME", help="%(choices)s (default: %(default)s)")
    command.add_argument("--seed", type=seed, default=0, metavar="S", help="of the weights (default: %(default)s)")
    command.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", help="option of the space (may be repeated)")
    command.add_argument("--onnx", type=positive, default=0, metavar="N", help="write DIR/network.onnx, too, of N images at a time")
    command.add_argument("--no-cache", action="store_true", help="compile anew instead of keeping compiled programs in ~/.cache/jaxzc")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    keep_compiled(arguments)
    typed = {name: getattr(arguments, name) for name in ("out", "inputs", "classes", "init", "seed", "onnx")}
    files = run_export(arguments.space, one_of(arguments.arch), options=options(arguments.set), note=note, **typed)
    print("\n".join(map(str, files)))
