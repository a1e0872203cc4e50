"""`jaxzc leaderboard`: proxies judged on several benchmarks, with mean ranks and a test of whether they differ."""

import argparse
from pathlib import Path

from jaxzc.cli.arguments import Subcommands
from jaxzc.cli.arguments.numbers import count, seed
from jaxzc.cli.arguments.requests import command_line
from jaxzc.types import JaxzcError
from jaxzc.types.names import split_names

HELP = "judge proxies on several benchmarks: mean ranks, intervals, a critical-difference test"
EPILOG = """The description is a TOML file; scores lie beside it, accuracies beside it or in --tables:

  title = "Leaderboard"
  aggregates = ["trio", "vote"]
  [[benchmark]]
  name = "NAS-Bench-201, CIFAR-10"
  scores = "nasbench201.parquet"
  table = "nb201.csv.gz"
  metric = "c10_test"

Optional: introduction and notes (Markdown of the page), proxies; of a benchmark, command (what makes its scores), note, block,
and distinct (true: of architectures that are one network, only the one that was scored).
Benchmarks that share a score file are one block unless they say otherwise, and count once. Ranks are among the proxies that every
benchmark has. Friedman's test and Nemenyi's critical difference need at least 2 blocks. Intervals are a bootstrap of the networks.

With --out, each benchmark that was judged is kept in DIR/judged: a run that was interrupted goes on, and a further benchmark costs only its
own time.

examples:
  jaxzc leaderboard benchmarks/leaderboard.toml --tables data
  jaxzc leaderboard benchmarks/leaderboard.toml --tables data --out board --overwrite
"""


def add(commands: Subcommands) -> None:
    command = commands.add_parser(
        "leaderboard", help=HELP, description=HELP, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("benchmarks", metavar="DESCRIPTION", help="TOML file that names the benchmarks, their scores and accuracies")
    command.add_argument("--tables", metavar="DIR", help="directory of the tables of accuracies (default: that of DESCRIPTION)")
    command.add_argument("--proxies", metavar="A,B,...", help="columns of the scores (default: as DESCRIPTION says, or all)")
    command.add_argument("--aggregate", metavar="A,B,...", help="judge these too, as for `jaxzc evaluate`, where their proxies were scored")
    command.add_argument(
        "--resamples", type=count, default=2000, metavar="N", help="of the bootstrap; 0: no intervals (default: %(default)s)"
    )
    command.add_argument("--seed", type=seed, default=0, metavar="K", help="of the bootstrap (default: %(default)s)")
    command.add_argument(
        "--out",
        metavar="DIR",
        help="write a web page that opens from disk, DIR/index.html; leaderboard.csv, .md and .tex; the critical-difference figure",
    )
    command.add_argument("--overwrite", action="store_true", help="replace the leaderboard that DIR holds")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from jaxzc.evaluation.across.request import LeaderboardRequest, leaderboard

    if arguments.out is not None:
        from jaxzc import report  # matplotlib: half a second that only a page needs

        report.check_leaderboard(arguments.out, overwrite=arguments.overwrite)
    if arguments.proxies is not None and not split_names(arguments.proxies):
        raise JaxzcError(f"--proxies {arguments.proxies!r} names none: name columns of the scores, or leave it out")
    board = leaderboard(
        LeaderboardRequest(
            arguments.benchmarks,
            tables=arguments.tables,
            proxies=arguments.proxies,
            aggregates=arguments.aggregate or "",
            resamples=arguments.resamples,
            seed=arguments.seed,
            keep=None if arguments.out is None else Path(arguments.out) / "judged",
        )
    )
    print(board)
    if arguments.out is not None:
        from jaxzc import report

        page = report.write_leaderboard(board, arguments.out, command=command_line(arguments), overwrite=arguments.overwrite)
        print(f"\n{page}: the leaderboard; open it in a browser")
