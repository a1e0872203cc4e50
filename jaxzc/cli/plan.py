"""`jaxzc plan`: what a scoring would need of a TPU or GPU, before there is one."""

import argparse

import jax

from jaxzc.cli.arguments import Subcommands
from jaxzc.cli.arguments.numbers import positive, sizes
from jaxzc.cli.arguments.requests import request_fields
from jaxzc.numerics.initialisers import INITIALISERS
from jaxzc.planning import PlanRequest, plan
from jaxzc.planning.targets import DEFAULT
from jaxzc.planning.text import text

HELP = "compile a scoring for a machine that is not there, and say what it would need"
EPILOG = """Nothing is run, and no images are read. For TPUs: pip install 'jaxzc[tpu-plan]', and JAX_PLATFORMS=cpu in the environment of a
machine without a TPU. Several --chunk give what one more architecture needs, and so the chunk that fits.

examples:
  jaxzc plan nasbench201 --proxies grad_norm,snip --topology v5e:2x2 --chunk 1 --chunk 16
  jaxzc plan nasbench201 --topology v5e:4x4 --chunk 4 --write programs
  jaxzc plan nasbench201 --platform cuda --topology h100
  jaxzc plan nasbench201 --platform cpu --set channels=4 --set cells=1 --inputs 8x8x1
"""


def add(commands: Subcommands) -> None:
    formatter = argparse.RawDescriptionHelpFormatter
    command = commands.add_parser("plan", help=HELP, description=HELP, epilog=EPILOG, formatter_class=formatter)
    command.add_argument("space", metavar="SPACE", help="search space, for example nasbench201 (`jaxzc spaces` lists them)")
    command.add_argument("--proxies", default="founding", metavar="A,B,...", help="as for jaxzc score (default: %(default)s)")
    command.add_argument("--platform", choices=list(DEFAULT), default=PlanRequest.platform, help="default: %(default)s")
    command.add_argument("--topology", metavar="NAME", help="TPUs, as v5e:2x2, or a GPU, as h100 (default: v5e:2x2, h100)")
    command.add_argument(
        "--chunk", dest="chunks", type=positive, action="append", metavar="N", help="architectures at a time on each device (repeat)"
    )
    command.add_argument("--batch-size", type=positive, default=PlanRequest.batch_size, metavar="N", help="default: %(default)s")
    command.add_argument("--batches", type=positive, default=PlanRequest.batches, metavar="K", help="default: %(default)s")
    command.add_argument("--inputs", type=sizes, default=PlanRequest.inputs, metavar="HxWxC", help="shape of one image (default: 32x32x3)")
    command.add_argument("--classes", type=positive, default=PlanRequest.classes, metavar="N", help="default: %(default)s")
    command.add_argument("--init", choices=list(INITIALISERS), default=PlanRequest.init, metavar="NAME", help="default: %(default)s")
    command.add_argument("--norm", choices=("batch", "init", "none"), default=PlanRequest.norm, help="default: %(default)s")
    command.add_argument("--write", metavar="DIR", help="write the compiled programs, a compilation cache of JAX, for the hosts to read")
    command.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", help="option of the space (may be repeated)")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    if arguments.platform != "cuda":  # nothing runs, so that no device needs to be looked for; where there is a GPU, its compiler is used
        jax.config.update("jax_platforms", "cpu")
    print(text(plan(PlanRequest(**request_fields(arguments, PlanRequest)))))
