"""`jaxzc evaluate`: rank correlations of a score table with trained accuracies."""

import argparse
from pathlib import Path

from jaxzc import embedded
from jaxzc.aggregates import AGGREGATES, RULES
from jaxzc.cli.arguments import Subcommands
from jaxzc.cli.arguments.numbers import count, seed
from jaxzc.cli.arguments.outputs import check_file
from jaxzc.cli.arguments.requests import command_line
from jaxzc.cli.terminal import note
from jaxzc.types import JaxzcError
from jaxzc.types.names import split_names

HELP = "judge scores by the accuracies of trained networks"
EPILOG = """Spearman's rho with its 95 % bootstrap interval over architectures (nan below 10 of them), Kendall's tau-b, Spearman with
params or flops held fixed
(|params, |flops: what is left of it beyond size), the share of the truly best tenth in the proxy's best tenth. NaN and infinite scores are
left out and counted (coverage). With several seeds, means over the seeds. A score of which lower is better (by its card) is turned first.
params and flops are always shown: a proxy that does not beat them measures size. Several score files are judged on the networks that
all of them have; zico of a.parquet is then called zico(a).

examples:
  jaxzc evaluate scores.parquet --table accuracies.csv.gz --metric test_accuracy
  jaxzc evaluate scores.parquet --table embedded --metric test_accuracy --proxies zico,naswot --compare zico,naswot
  jaxzc evaluate scores.parquet --table embedded --metric test_accuracy --statistics all --csv leaderboard.csv
  jaxzc evaluate scores.parquet --table embedded --metric test_accuracy --report report
  jaxzc evaluate torch.parquet zero_mean.parquet --table embedded --metric test_accuracy --report report
  jaxzc evaluate scores.parquet --table embedded --metric test_accuracy --aggregate "trio,vote,log_rank(zico,naswot)"
"""


def add(commands: Subcommands) -> None:
    command = commands.add_parser(
        "evaluate", help=HELP, description=HELP, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument(
        "scores",
        nargs="+",
        metavar="SCORES",
        help="table that `jaxzc score` wrote (Parquet or CSV); of several, each proxy is compared with itself",
    )
    command.add_argument(
        "--table",
        required=True,
        metavar="FILE",
        help=f"CSV(.gz) or Parquet with a column 'arch' and the metric, or '{embedded.NAME}', the benchmark that ships with jaxzc",
    )
    command.add_argument(
        "--metric", required=True, metavar="COLUMN", help="column of the table, higher is better; a wrong name lists the columns"
    )
    command.add_argument(
        "--proxies", metavar="A,B,...", help="columns of SCORES (default: all that were scored); aggregates that are asked for come on top"
    )
    command.add_argument(
        "--aggregate",
        metavar="A,B,...",
        help=f"add these combinations of scores within SCORES: {', '.join(AGGREGATES)}, or RULE(X,Y,...) with one of {', '.join(RULES)}",
    )
    command.add_argument("--vote", action="store_true", help=f"the same as --aggregate vote: of {', '.join(AGGREGATES['vote'].proxies)}")
    command.add_argument(
        "--statistics", metavar="all|A,B,...", help="after the leaderboard, these statistics of every proxy; a wrong name lists them"
    )
    command.add_argument(
        "--resamples",
        type=count,
        default=2000,
        metavar="N",
        help="of the bootstrap; 0: no intervals (default: %(default)s)",
    )
    command.add_argument("--seed", type=seed, default=0, metavar="K", help="of the bootstrap (default: %(default)s)")
    command.add_argument(
        "--compare", metavar="A,B", help="is proxy A better than B? Both on the same resamples of the networks where both are finite"
    )
    command.add_argument("--csv", metavar="FILE", help="write every statistic of every proxy, with intervals, to this file")
    command.add_argument(
        "--report", metavar="DIR", help="write the whole evaluation as a web page that opens from disk, DIR/index.html, and its figures"
    )
    command.add_argument("--overwrite", action="store_true", help="replace the report that DIR holds, and FILE")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from jaxzc.evaluation import text
    from jaxzc.evaluation.request import EvaluateRequest, evaluate

    if arguments.csv is not None:
        check_file(Path(arguments.csv), arguments.overwrite)
    if arguments.report is not None:
        from jaxzc import report  # matplotlib: half a second that only a report needs

        report.check(arguments.report, overwrite=arguments.overwrite)
    if arguments.proxies is not None and not split_names(arguments.proxies):
        raise JaxzcError(
            f"--proxies {arguments.proxies!r} names none: name columns of {' '.join(arguments.scores)}, or leave it out for all of them"
        )
    pair, long = _pair(arguments.compare), _names(arguments.statistics)
    judged = evaluate(
        EvaluateRequest(
            arguments.scores,
            arguments.table,
            arguments.metric,
            proxies=None if arguments.proxies is None else split_names(arguments.proxies),
            aggregates=[*(["vote"] if arguments.vote else []), *split_names(arguments.aggregate or "")],
            compare=[(pair[0], pair[1])] if pair else [],
            statistics=None if arguments.csv or arguments.report else [*text.COLUMNS, *long],
            resamples=arguments.resamples,
            seed=arguments.seed,
        )
    )
    evaluation, compared = judged.evaluation, judged.comparisons
    count = len(next(iter(judged.scores.columns.values())))
    named = " and ".join(arguments.scores)
    print(f"{count:,} rows of {named} against {arguments.metric} of {arguments.table} ({judged.networks:,} architectures)\n")
    print(judged)
    if long:
        print("\n" + text.format_statistics(evaluation, long))
    if compared:
        print("\n" + "\n".join(text.format_comparison(one, evaluation.settings["level"]) for one in compared))
    if arguments.csv is not None:
        text.write_csv(evaluation, arguments.csv)
        print(f"\n{arguments.csv}: every statistic of {text.counted(evaluation.rows)}")
    if arguments.report is not None:
        from jaxzc import report

        page = report.write_report(judged, arguments.report, command=command_line(arguments), overwrite=arguments.overwrite)
        print(f"\n{page}: the report; open it in a browser")
    if judged.ignored and arguments.proxies is None:
        note(f"left out, because the file does not list them as proxies or they hold no numbers: {', '.join(judged.ignored)}")


def _pair(text: str | None) -> list[str]:
    if text is None:
        return []
    names = split_names(text)
    if len(names) != 2:
        raise JaxzcError(f"--compare {text}: expected two proxies, for example --compare zico,naswot")
    return names


def _names(text: str | None) -> list[str]:
    from jaxzc.evaluation.statistics import STATISTICS, check_statistics

    if text is None:
        return []
    return check_statistics(STATISTICS if text == "all" else [name.strip() for name in text.split(",")])
