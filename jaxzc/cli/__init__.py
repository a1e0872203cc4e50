"""The command line: `jaxzc score`, `evaluate`, `sweet-interval`, `proxies`, `spaces`."""

import argparse
import sys
from collections.abc import Sequence

from jaxzc.cli import evaluate, listing, score, sweet
from jaxzc.types import JaxzcError

DESCRIPTION = """Zero-cost (training-free) proxies for neural architecture search.

A first run, on images that are bundled with scikit-learn:
  jaxzc score nasbench201 --sample 20 --data digits --proxies snip,naswot --out scores.parquet
  jaxzc evaluate scores.parquet --table accuracies.csv --metric test_accuracy
"""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="jaxzc", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (score, evaluate, sweet, listing):
        module.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; 0 on success, 2 with one sentence on standard error where the input cannot be used, 130 when interrupted."""
    arguments = parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except JaxzcError as error:
        print(f"jaxzc: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("jaxzc: interrupted; nothing was written", file=sys.stderr)
        return 130
    return 0
