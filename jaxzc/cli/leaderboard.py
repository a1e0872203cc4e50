"""`jaxzc leaderboard`: proxies judged on several benchmarks, with mean ranks and a test of whether they differ."""

import argparse
from pathlib import Path

from jaxzc.cli.arguments import Subcommands
from jaxzc.cli.arguments.numbers import count, seed
from jaxzc.cli.arguments.requests import command_line, keep_compiled
from jaxzc.cli.terminal import compiling, note, progress
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

A benchmark may say what makes its scores; where the file is missing, its networks are scored first:

  [benchmark.scoring]
  space = "transnas101_micro"
  sample = 300
  proxies = "zico,naswot,layers"
  data = "npz:cifar10_sample.npz"
  batch_size = 16
  options = { channels = 8 }

Networks are those of the table of accuracies, or of archs = "FILE"; sample: so many random ones. Further entries, as the options of
`jaxzc score`: batches, seeds, init, norm, isomorphs; and xla_flags, which the environment's XLA_FLAGS must hold then. Scoring goes on
where it was interrupted; a score file that exists is used as it is.

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
    command.add_argument("--no-cache", action="store_true", help="compile anew instead of keeping compiled programs in ~/.cache/jaxzc")
    command.add_argument("--quiet", action="store_true", help="no progress bar")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from jaxzc.evaluation.across.description import read_description
    from jaxzc.evaluation.across.request import LeaderboardRequest, leaderboard
    from jaxzc.jobs.described import score_missing

    if arguments.out is not None:
        from jaxzc import report  # matplotlib: half a second that only a page needs

        report.check_leaderboard(arguments.out, overwrite=arguments.overwrite)
    if arguments.proxies is not None and not split_names(arguments.proxies):
        raise JaxzcError(f"--proxies {arguments.proxies!r} names none: name columns of the scores, or leave it out")
    description = read_description(arguments.benchmarks, arguments.tables)
    keep_compiled(arguments)
    score_missing(description, note=note, watched=lambda rows, total, proxies: progress(rows, total, arguments.quiet, compiling(proxies)))
    board = leaderboard(
        LeaderboardRequest(
            description,
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
