"""`jaxzc experiment`: published experiments, repeated with tables."""

import argparse
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from jaxzc import embedded, tables
from jaxzc.catalogue import spaces
from jaxzc.cli.arguments import Subcommands
from jaxzc.cli.arguments.numbers import positive
from jaxzc.cli.terminal import note
from jaxzc.types import JaxzcError
from jaxzc.types.names import some_of, split_names

HELP = "repeat a published experiment: sample-efficiency"
WHAT = "how many networks a search must train, with and without a zero-cost proxy"
EPILOG = """Random search, REINFORCE, aging evolution and a binary graph predictor look the accuracies up in --table, each without a proxy,
with warm-up (score 3,000, begin with the best 64) and with moves (the neighbour that the proxy likes best; with probability 0.25 any).
The proxy may be a column of --scores or of --table itself: for example accuracies after reduced training, as in EcoNAS. Several
proxies, separated by commas, are combined by the sum of the logarithms of their ranks. The predictor takes most of the time.

examples:
  jaxzc experiment sample-efficiency --table embedded --metric test_accuracy --proxy params --models 100 --methods random,evolution --out e
  jaxzc experiment sample-efficiency --table nasbench201.csv --metric c10_test --target 94 --scores scores.parquet --proxy synflow --out e
"""


def add(commands: Subcommands) -> None:
    experiments = commands.add_parser("experiment", help=HELP, description=HELP).add_subparsers(metavar="EXPERIMENT", required=True)
    formatter = argparse.RawDescriptionHelpFormatter
    command = experiments.add_parser("sample-efficiency", help=WHAT, description=WHAT, epilog=EPILOG, formatter_class=formatter)
    command.add_argument("--table", required=True, metavar="FILE", help=f"accuracies by 'arch': CSV(.gz), Parquet or '{embedded.NAME}'")
    command.add_argument("--metric", required=True, metavar="COLUMN", help="accuracy to search for, higher is better")
    command.add_argument("--scores", metavar="FILE", help="CSV(.gz) or Parquet with the proxy by 'arch' (default: the table itself)")
    command.add_argument("--proxy", required=True, metavar="A,B,...", help="column of the scores, higher is better")
    command.add_argument("--space", default="nasbench201", metavar="SPACE", help="search space of the table (default: %(default)s)")
    command.add_argument("--methods", default="random,reinforce,evolution,predictor", metavar="A,B,...", help="(default: %(default)s)")
    command.add_argument("--seeds", type=positive, default=20, metavar="N", help="runs of each method (default: %(default)s)")
    command.add_argument("--models", type=positive, default=300, metavar="N", help="networks to train (default: %(default)s)")
    command.add_argument(
        "--target",
        type=_numbers,
        metavar="X,...",
        help="accuracies to be reached (default: what a random search of N models reaches in 19 runs of 20)",
    )
    command.add_argument("--out", required=True, metavar="DIR", help="new directory for trained.parquet and the plots")
    command.set_defaults(run=run)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, or numbers separated by commas") from None


def run(arguments: argparse.Namespace) -> None:
    from jaxzc.experiments import sample_efficiency as experiment
    from jaxzc.experiments.landscape import landscape

    out = Path(arguments.out)
    if out.exists():
        raise JaxzcError(f"{out} exists: name a new directory for the results")
    if not out.absolute().parent.is_dir():
        raise JaxzcError(f"there is no directory {out.absolute().parent} for {out.name}: create it first")
    names = split_names(arguments.proxy)
    if not names:
        raise JaxzcError("--proxy is empty: name a column of the scores")
    # Only genes matter here: any size of network does.
    space = spaces.space(arguments.space)
    truth = tables.read_truth(embedded.table_named(arguments.table), arguments.metric)
    scores = embedded.table_named(arguments.scores or arguments.table)
    land = landscape(space, truth, {name: tables.read_truth(scores, name) for name in names})
    targets = arguments.target or (experiment.default_target(land, arguments.models),)
    lacking = [space.to_string(arch) for arch in land.archs[np.asarray(land.proxy) == 0]]
    if lacking:
        note(f"{len(lacking)} of {land.size} networks have no finite {arguments.proxy} and rank last: {some_of(lacking)}")
    curves = []
    for curve in experiment.curves(space, land, split_names(arguments.methods), arguments.seeds, arguments.models):
        note(f"{curve.method}, proxy: {curve.help}: done")
        curves.append(curve)
    settings = {name: getattr(arguments, name) for name in ("table", "metric", "scores", "proxy", "space", "seeds", "models")}
    metadata = {**settings, "targets": list(targets), "versions": {name: version(name) for name in ("jaxzc", "jax", "flax")}}
    out.mkdir()
    tables.write_scores(out / "trained.parquet", experiment.columns(land, space, curves), metadata)
    _draw(out, curves, targets)
    share = ", ".join(f"{int((land.accuracy >= target).sum())} networks of {land.size} reach {target:g}" for target in targets)
    print(f"{arguments.metric}, proxy {arguments.proxy}, {arguments.seeds} seeds; {share}\n")
    print(experiment.format_table(curves, targets))


def _draw(out: Path, curves: Any, targets: Any) -> None:
    from matplotlib.figure import Figure

    from jaxzc import report
    from jaxzc.experiments.sample_efficiency import plot

    methods = list(dict.fromkeys(curve.method for curve in curves))
    with report.style():
        figure = Figure(figsize=(2.6 * len(methods), 2.6), layout="constrained")
        for axes, method in zip(np.atleast_1d(figure.subplots(1, len(methods), sharey=True)), methods, strict=True):
            plot(axes, curves, method, targets)
    for kind in ("png", "pdf"):
        report.save(figure, out / f"sample_efficiency.{kind}")
