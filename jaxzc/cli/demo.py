"""`jaxzc demo`: the whole way once, from untrained networks to a report, on what ships with the package."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from jaxzc import embedded
from jaxzc import embedded as benchmark
from jaxzc.cli.arguments import Subcommands
from jaxzc.cli.arguments.numbers import positive
from jaxzc.cli.arguments.outputs import check_file
from jaxzc.types import JaxzcError

HELP = "score a few hundred networks of the embedded benchmark with the founding proxies, and write the report"
EPILOG = f"""Runs two commands and shows them, so that you can go on from there: `jaxzc score` on {benchmark.SPACE} cells and scikit-learn's
digits, and `jaxzc evaluate --report` against the accuracies of the same networks, really trained, which ship with jaxzc.

examples:
  jaxzc demo
  jaxzc demo --architectures 100 --proxies sweet_ntk,zico,naswot --out first
"""


def add(commands: Subcommands) -> None:
    command = commands.add_parser("demo", help=HELP, description=HELP, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument(
        "--out", default="jaxzc-demo", metavar="DIR", help="directory for scores.parquet and the report (default: %(default)s)"
    )
    command.add_argument("--architectures", type=positive, default=300, metavar="N", help="how many to score (default: %(default)s)")
    command.add_argument(
        "--proxies",
        default="founding",
        metavar="A,B,...",
        help="names, with settings in brackets (founding: the default set; all)",
    )
    command.add_argument("--overwrite", action="store_true", help="replace what DIR holds from an earlier demo")
    command.add_argument("--quiet", action="store_true", help="no progress bar")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    out = Path(arguments.out)
    if not out.exists():
        check_file(out, False)  # its parent is there and may be written to
        out.mkdir()
    from jaxzc import report

    report.check(out, overwrite=arguments.overwrite)
    scores = out / "scores.parquet"
    again = ["--overwrite"] if arguments.overwrite else []
    size = [word for name, value in benchmark.SPACE_OPTIONS.items() for word in ("--set", f"{name}={value}")]
    which = ["--archs", embedded.NAME, "--sample", str(arguments.architectures), "--data", "digits", "--proxies", arguments.proxies]
    quiet = ["--quiet"] if arguments.quiet else []
    print("One program is compiled for the whole space, which takes most of the first minute; later runs find it in the cache.")
    _run(["score", benchmark.SPACE, *which, *size, "--out", str(scores), *again, *quiet])
    table = ["--table", embedded.NAME, "--metric", "test_accuracy"]
    _run(["evaluate", str(scores), *table, "--report", str(out), *again])


def _run(argv: Sequence[str]) -> None:
    from jaxzc.cli import parser

    print(f"\n$ {shlex.join(['jaxzc', *argv])}", flush=True)
    try:
        arguments = parser().parse_args(argv)
    except SystemExit as error:  # the parser has said why, of an option that was handed on
        raise JaxzcError(f"the demo's command was refused with exit code {error.code}: see above") from error
    arguments.argv = list(argv)
    arguments.run(arguments)
