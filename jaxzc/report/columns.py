"""What the report calls each statistic, how it explains it, and how it writes numbers."""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from jaxzc.catalogue.costs import PASSES
from jaxzc.evaluation.results import Estimate, Row

MINUS, DASH = "\u2212", "\u2013"


class Column(NamedTuple):
    """A statistic's heading; `essential` ones are shown at once, the others on demand; `digits` after the point; lower: is better."""

    name: str
    label: str
    meaning: str
    essential: bool = False
    digits: int = 3
    lower: bool = False


KNOWN = (
    Column("spearman", "Spearman ρ", "rank correlation of score and metric: 1 is the same order, 0 is none", True),
    Column("kendall", "Kendall τ-b", "share of pairs in the right order minus the share in the wrong one, corrected for ties", True),
    Column("weighted_kendall", "weighted τ", "Kendall's τ in which pairs near the top weigh more"),
    Column("pearson", "Pearson r", "linear correlation of score and metric"),
    Column("precision_10", "top 10 %", "share of the best 10 % of networks that stand in the proxy's top 10 %", True),
    Column("top64_in_top5", "first 64 in top 5 %", "share of the proxy's first 64 that are among the best 5 % (of the most that could be)"),
    Column("regret_1", "regret@1", "how much metric is lost by taking the proxy's first choice instead of the best network", lower=True),
    Column(
        "regret_10", "regret@10", "metric lost by taking the best of the proxy's first 10 choices, not the best network", True, lower=True
    ),
    Column("regret_64", "regret@64", "metric lost by taking the best of the proxy's first 64 choices, not the best network", lower=True),
    Column("ndcg", "nDCG", "normalised discounted cumulative gain: quality of the order, the top weighing most"),
    Column("spearman_given_params", "ρ given params", "rank correlation that is left between networks of one number of parameters", True),
    Column("spearman_given_flops", "ρ given FLOPs", "rank correlation that is left between networks of one number of FLOPs", True),
)

COSTS = {
    "passes": ("passes", PASSES),
    "seconds": ("seconds", "seconds per score"),
    "flops": ("FLOPs", "floating-point operations per score"),
}
"""Kind of cost -> how it is called, and what it is."""

COST_AXES = {"passes": "forward passes per score", "seconds": "seconds per score", "flops": "floating-point operations per score"}
"""Kind of cost -> the name of an axis of it."""


def columns_of(rows: Iterable[Row]) -> list[Column]:
    """The columns of all statistics that the rows have: the known ones in this order, then any others under their own names."""
    present = dict.fromkeys(name for row in rows for name in row.statistics)
    known = [column for column in KNOWN if column.name in present]
    names = {column.name for column in known}
    return known + [Column(name, name, "no description") for name in present if name not in names]


def label(name: str) -> str:
    """How the report calls a statistic."""
    return next((column.label for column in KNOWN if column.name == name), name)


def number(value: float, digits: int = 3) -> str:
    """`value` with that many digits after the point and a true minus sign; a dash where it is undefined."""
    if math.isnan(value):
        return DASH
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", MINUS)


def compact(value: float) -> str:
    """`value` with 3 significant digits and SI letters, for counts and costs: 73306 is `73.3k`, 0.05712 is `0.0571`."""
    if not math.isfinite(value):
        return number(value)
    for factor, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 0.9995 * factor:
            return f"{value / factor:.3g}{letter}"
    return f"{value:.3g}"


def interval(estimate: Estimate, digits: int = 3) -> str:
    """`0.701 to 0.781`, or nothing where there is no interval."""
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return ""
    return f"{number(estimate.low, digits)} to {number(estimate.high, digits)}"


def percent(part: int, whole: int) -> str:
    """A share in percent with one digit, rounded down, so that 100 % means all of them."""
    if not whole:
        return DASH
    tenths = 1000 * part // whole
    return f"{tenths // 10} %" if tenths % 10 == 0 else f"{tenths // 10}.{tenths % 10} %"


def direction(row: Row) -> str:
    """How the score was read."""
    return {True: "higher", False: "lower", None: "not stated"}[row.higher_is_better]


def spearman(row: Row) -> Estimate:
    return row.statistics.get("spearman", Estimate(math.nan))


def by_name(rows: Iterable[Row]) -> Callable[[str], Row | None]:
    """Looks a row up by its proxy."""
    return {row.proxy: row for row in rows}.get
