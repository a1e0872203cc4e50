"""`jaxzc evaluate`: rank correlations of a score table with trained accuracies."""

import argparse
from dataclasses import replace
from typing import Any

import numpy as np

from jaxzc import catalogue
from jaxzc.aggregates import PROXIES as VOTERS
from jaxzc.aggregates import vote_ranking
from jaxzc.cli import common
from jaxzc.selection import split_names
from jaxzc.tables import ScoreTable, read_scores, read_truth

HELP = "correlate scores with the accuracies of trained networks"
EPILOG = """Spearman's rho and Kendall's tau-b of the scores as they are; NaN and infinite scores are left out and counted (coverage).
With several seeds the correlations are means over the seeds. params and flops are always shown: a proxy that does not beat
them measures size.

examples:
  jaxzc evaluate scores.parquet --table accuracies.csv.gz --metric test_accuracy
  jaxzc evaluate scores.parquet --table embedded --metric test_accuracy --proxies zico,naswot
"""


def add(commands: Any) -> None:
    command = commands.add_parser(
        "evaluate", help=HELP, description=HELP, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("scores", metavar="SCORES", help="Parquet file that `jaxzc score` wrote")
    command.add_argument(
        "--table",
        required=True,
        metavar="FILE",
        help=f"CSV(.gz) or Parquet with a column 'arch' and the metric, or '{common.EMBEDDED}', the benchmark that ships with jaxzc",
    )
    command.add_argument(
        "--metric", required=True, metavar="COLUMN", help="column of the table, higher is better; a wrong name lists the columns"
    )
    command.add_argument("--proxies", metavar="A,B,...", help="columns of SCORES (default: all that were scored)")
    command.add_argument("--vote", action="store_true", help=f"add the majority vote of {', '.join(VOTERS)} within SCORES as a proxy")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    scores = read_scores(arguments.scores)
    if arguments.vote:
        scores = _with_vote(scores)
    truth = read_truth(common.table(arguments.table), arguments.metric)
    from jaxzc.evaluation import KEYS, evaluate, format_rows  # scipy.stats takes a second to import

    proxies = None if arguments.proxies is None else split_names(arguments.proxies)
    directions = {label: higher for label in scores.columns if (higher := catalogue.directions().get(label.partition("(")[0])) is not None}
    rows = evaluate(scores, truth, proxies, directions)
    count = len(next(iter(scores.columns.values())))
    print(f"{count:,} rows of {arguments.scores} against {arguments.metric} of {arguments.table} ({len(truth):,} architectures)\n")
    print(format_rows(rows))
    left = [name for name in scores.columns if name not in (*KEYS, *(row.proxy for row in rows))]
    if left and proxies is None:
        common.note(f"left out, because the file does not list them as proxies or they hold no numbers: {', '.join(left)}")


def _with_vote(scores: ScoreTable) -> ScoreTable:
    """The table with a column `vote`: within each seed, how many of the others an architecture wins against."""
    columns = scores.columns
    seeds = columns.get("seed", np.zeros(len(next(iter(columns.values())))))
    votes = np.full(len(seeds), np.nan)
    for seed in np.unique(seeds):
        rows = seeds == seed
        votes[rows] = vote_ranking({name: columns[name][rows] for name in VOTERS if name in columns})
    metadata = {**scores.metadata, "proxies": [*scores.metadata.get("proxies", [c for c in columns if c not in ("arch", "seed")]), "vote"]}
    return replace(scores, columns={**columns, "vote": votes}, metadata=metadata)
