"""`jaxzc evaluate`: rank correlations of a score table with trained accuracies."""

import argparse
from typing import Any

from jaxzc import catalogue
from jaxzc.evaluation import evaluate, format_rows
from jaxzc.tables import read_scores, read_truth

HELP = "correlate scores with the accuracies of trained networks"
EPILOG = """Spearman's rho and Kendall's tau-b of the scores as they are; NaN and infinite scores are left out and counted (coverage).
params and flops are always shown: a proxy that does not beat them measures size.

example:
  jaxzc evaluate scores.parquet --table accuracies.csv.gz --metric test_accuracy
"""


def add(commands: Any) -> None:
    command = commands.add_parser("evaluate", help=HELP, description=HELP, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("scores", metavar="SCORES", help="Parquet file of `jaxzc score`")
    command.add_argument("--table", required=True, metavar="FILE", help="CSV(.gz) or Parquet with a column 'arch' and the metric")
    command.add_argument("--metric", required=True, metavar="COLUMN", help="column of the table, higher is better")
    command.add_argument("--proxies", metavar="A,B,...", help="columns of SCORES (default: all)")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    scores = read_scores(arguments.scores)
    truth = read_truth(arguments.table, arguments.metric)
    from jaxzc.selection import split_names

    proxies = split_names(arguments.proxies) if arguments.proxies else None
    print(format_rows(evaluate(scores, truth, proxies, catalogue.directions())))
