"""What the charts show, for the page and for the figures alike: rows and their order, reference lines, axes, series side by side."""

import math
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import NamedTuple

import numpy as np

from jaxzc.evaluation import BASELINES
from jaxzc.evaluation.results import Estimate, Evaluation, Row
from jaxzc.report.columns import COSTS, number, spearman

UNDEFINED = Estimate(math.nan)

SIZE_SERIES = {"spearman": "ρ as it is", "spearman_given_params": "given params", "spearman_given_flops": "given FLOPs"}
"""Statistic -> its name in the chart that asks whether a proxy measures size only."""

CEILINGS = {"seed_to_seed": "noise ceiling, one seed to another", "mean_of_seeds": "noise ceiling, means over seeds"}


class Line(NamedTuple):
    """A vertical line of a chart of Spearman's rho. kind: `params`, `flops`, `ceiling0`, `ceiling1`: what sets its dashes and colour."""

    kind: str
    value: float
    label: str


class Cost(NamedTuple):
    """A mark of the cost chart: the rows that coincide there, what one score costs, Spearman's rho."""

    rows: tuple[Row, ...]
    cost: float
    rho: float

    @property
    def label(self) -> str:
        return ", ".join(row.proxy for row in self.rows)


def ranked(evaluation: Evaluation) -> list[Row]:
    """The rows that have a rank correlation, the best first."""
    return [row for row in evaluation.rows if math.isfinite(spearman(row).value)]


def size_rows(evaluation: Evaluation) -> list[tuple[Row, Mapping[str, Estimate]]]:
    """The rows that have a correlation with size held fixed, each with its `SIZE_SERIES`."""
    rows = [(row, {kind: row.statistics.get(kind, UNDEFINED) for kind in SIZE_SERIES}) for row in evaluation.rows]
    return [(row, marks) for row, marks in rows if sum(math.isfinite(estimate.value) for estimate in marks.values()) > 1]


def reference_lines(evaluation: Evaluation) -> list[Line]:
    """The vertical lines of params, FLOPs and the noise ceilings, as far as they are known. Where two print the same value, one line has
    both names, since one would hide the other."""
    names = dict(zip(BASELINES, ("params", "FLOPs"), strict=True))
    lines = [Line(row.proxy, spearman(row).value, names[row.proxy]) for row in ranked(evaluation) if row.proxy in BASELINES]
    ceilings = [(CEILINGS.get(name, f"noise ceiling, {name.replace('_', ' ')}"), value) for name, value in evaluation.ceiling.items()]
    known = sorted((line for line in lines if math.isfinite(line.value)), key=lambda line: BASELINES.index(line.kind))
    known += [Line(f"ceiling{place % 2}", value, label) for place, (label, value) in enumerate(ceilings) if math.isfinite(value)]
    groups = [list(group) for _, group in groupby(known, key=lambda line: (line.kind[:7] == "ceiling", number(line.value)))]
    return [Line(group[0].kind, group[0].value, " and ".join(line.label for line in group)) for group in groups]


def limits(values: Iterable[float]) -> tuple[float, float]:
    """An axis in steps of 0.2 that holds 0, 1 and all finite values."""
    finite = [value for value in values if math.isfinite(value)]
    return min(0.0, math.floor(round(5 * min(finite, default=0), 9)) / 5), max(1.0, math.ceil(round(5 * max(finite, default=1), 9)) / 5)


def lanes(count: int) -> list[float]:
    """Where in a row of height 1 each of `count` series stands, so that none hides another: around 0, at most 0.25 apart."""
    step = min(0.25, 0.75 / max(count, 1))
    return [step * (place - (count - 1) / 2) for place in range(count)]


def costs(evaluation: Evaluation) -> dict[str, list[Cost]]:
    """Kind of cost -> the marks of its chart; kinds of which nothing is known are left out. Rows with one cost and one rho share a mark."""
    by_kind = {}
    for kind in COSTS:
        marks: dict[tuple[str, str], list[Row]] = {}
        for row in ranked(evaluation):
            if row.cost.get(kind, -1) >= 0:
                marks.setdefault((f"{row.cost[kind]:.3g}", number(spearman(row).value)), []).append(row)
        if marks:
            by_kind[kind] = [Cost(tuple(rows), rows[0].cost[kind], spearman(rows[0]).value) for rows in marks.values()]
    return by_kind


def first_seed(evaluation: Evaluation, row: Row | None, *, turned: bool = False) -> np.ndarray:
    """The scores of a row's first seed, float64 `[n]`, NaN where there are none; turned: so that higher is better."""
    values = evaluation.scores.get(row.proxy) if row is not None else None
    if row is None or values is None or not len(values):
        return np.full(len(evaluation.archs), np.nan)
    score = np.asarray(values[0], np.float64)
    return -score if turned and row.higher_is_better is False else score
