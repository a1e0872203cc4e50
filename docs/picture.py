"""Draws the picture of the README: `python docs/picture.py` (a few seconds; nothing is scored and nothing is downloaded).

Scores: `benchmarks/nasbench201_founding.parquet`, of the untrained full-size networks. Accuracies: the embedded benchmark, 500 of the same
cells, really trained, at a small size on scikit-learn's digits.
"""

import sys
from pathlib import Path

from matplotlib.figure import Figure

from jaxzc import report
from jaxzc.embedded import table_path
from jaxzc.evaluation import evaluate, read_ceiling
from jaxzc.evaluation.results import Evaluation
from jaxzc.tables import read_scores, read_truth

DOCS = Path(__file__).parent
SCORES = DOCS.parent / "benchmarks" / "nasbench201_founding.parquet"
PICTURE = DOCS / "_static" / "leaderboard.svg"
METRIC = "test_accuracy"
SHOWN = ("sweet_ntk", "snr_snip", "zico", "naswot", "synflow", "jacob_cov", "snip", "grad_norm", "fisher", "params", "flops")


def evaluation() -> Evaluation:
    """The proxies that are shown, on the 500 cells that the embedded benchmark trained."""
    scores, truth = read_scores(SCORES), read_truth(table_path(), METRIC)
    return evaluate(scores, truth, metric=METRIC, proxies=list(SHOWN), ceiling=read_ceiling(table_path(), METRIC, list(truth)))


def draw(judged: Evaluation) -> Figure:
    """The leaderboard on the left, its best proxy against the accuracies on the right."""
    with report.style():
        figure = Figure(figsize=(report.TWO_COLUMNS, 2.9), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1, 1.05])
        report.plot_intervals(judged, left)
        report.plot_network_places(judged, "sweet_ntk", right)
        left.set_xlabel("Spearman's ρ with the test accuracy")
        right.set_ylabel("test accuracy in %")
    return figure


if __name__ == "__main__":
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
    report.save(draw(evaluation()), out)
    print(out)
