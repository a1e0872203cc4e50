"""How well the top of a score finds the top of a truth: precision, retrieval, regret, nDCG.

The public functions take `score` and `truth`, numbers `[n]`, larger is better, and leave out pairs that are not finite on both sides; NaN
for fewer than 3 pairs or where a side is constant. Ties count as in expectation over a random order of the tied: where ties cross the
border of a top k, each is inside with the fraction that fits. So nothing depends on the order of the rows.

The functions on `counts` do the same for resamples that hold pair i `counts[b, i]` times: int64 `[b, n]` -> float64 `[b]`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from jaxzc.evaluation.statistics.correlations import defined, finite_pairs
from jaxzc.evaluation.statistics.sorting import Column, masses


def precision(score: ArrayLike, truth: ArrayLike, percent: int = 10) -> float:
    """Share of the true top `percent` % that is in the score's top `percent` % (Abdelfattah et al., ICLR 2021, table 2: "Top-10%/top-10%").

    `percent` % of n networks are the next whole number up.
    """
    return _overlap(score, truth, lambda n: (share(n, percent), share(n, percent)))


def top_retrieval(score: ArrayLike, truth: ArrayLike, k: int = 64, percent: int = 5) -> float:
    """Networks of the true top `percent` % among the score's top `k`, over the most that could be there (Abdelfattah et al., ICLR 2021,
    table 2: "Top-64/top-5%", which gives the count, 64 times this in a table of at least 1,280 networks)."""
    return _overlap(score, truth, lambda n: (min(n, k), share(n, percent)))


def regret(score: ArrayLike, truth: ArrayLike, k: int = 1) -> float:
    """The best truth of all less the best among the score's top `k`, in the truth's unit; 0 is perfect, lower is better.

    The best of all includes networks whose score is not finite: a score that misses them has to pay.
    """
    best = np.asarray(truth, np.float64)
    score, truth = finite_pairs(score, truth)
    if not defined(score, truth):
        return float("nan")
    column, counts = Column(score, truth), _ones(score)
    reached = best_of_top(column, column.places(counts), truth, counts, [k])[0, 0]
    return float(best[np.isfinite(best)].max() - reached)


def ndcg(score: ArrayLike, truth: ArrayLike) -> float:
    """Normalised discounted cumulative gain over the whole list; the gain is the truth less the smallest truth (so that the worst network
    is worth nothing), the discount 1/log2(1 + rank); tied scores share their discounts (`sklearn.metrics.ndcg_score` of that gain).

    Accuracies crowd near their maximum, so that even a random order comes near 1: compare it with other rows, not with 0.
    """
    score, truth = finite_pairs(score, truth)
    if not defined(score, truth):
        return float("nan")
    counts, table = _ones(score), discounts(len(truth))
    gained, best = (gain(column, column.places(counts), truth, counts, table) for column in (Column(score), Column(truth)))
    return float(gain_ratio(gained, best, worst_gain(truth, counts, table))[0])


def share(total: Any, percent: int) -> Any:
    """`percent` % of so many networks (a whole number, or an array of them), the next whole number up."""
    return -(-total * percent // 100)


def top(column: Column, reached: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Fraction of each value's copies in the top k `[b]` of each resample: float64 `[b, n]`. reached: of the column."""
    inside = masses(np.minimum(reached, k[:, None]))
    return (inside / np.maximum(masses(reached), 1)).take(column.group, axis=1)


def overlap(column: Column, places: np.ndarray, k: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Sum of `wanted` `[b, n]` over the top k `[b]` of each resample, `[b]`. places: of the column."""
    overlaps = np.full(len(places), np.nan)
    for b, (row, size) in enumerate(zip(places, k.tolist(), strict=True)):
        if row[-1]:
            start, end = column.border(row, size)
            above = int(row[start - 1]) if start else 0
            tied = (size - above) / (int(row[end - 1]) - above)
            values = wanted[b].take(column.order[:end])
            overlaps[b] = values[:start].sum() + tied * values[start:].sum()
    return overlaps


def best_of_top(column: Column, places: np.ndarray, truth: np.ndarray, counts: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Expected best truth among the top k of each resample, `[len(ks), b]`. column: the score's, ties by truth; places: its own."""
    expected = np.full((len(ks), len(counts)), np.nan)
    for b, row in enumerate(places):
        if not row[-1]:
            continue
        slots = [min(k, int(row[-1])) for k in ks]
        head = column.order[: column.border(row, max(slots))[1]]
        present, values = counts[b].take(head), truth.take(head)
        best = np.maximum.accumulate(np.where(present > 0, values, -np.inf))
        for number, size in enumerate(slots):
            start, end = column.border(row, size)
            above, floor = (int(row[start - 1]), best[start - 1]) if start else (0, -np.inf)
            # Only where several truths share the score at the border does chance decide.
            inside = start + np.flatnonzero(present[start:end]) if end - start > 1 else [start]
            expected[number, b] = _expected_best(values[inside], present[inside], size - above, floor)
    return expected


def worst_gain(truth: np.ndarray, counts: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Gain of each resample if every network were the worst in it, `[b]`: what nDCG counts from."""
    worst = np.where(counts > 0, truth, np.inf).min(1)
    return np.where(np.isfinite(worst), worst, 0) * table[counts.sum(1)]


def gain_ratio(gained: np.ndarray, best: np.ndarray, worst: np.ndarray) -> np.ndarray:
    """nDCG from the gain of the score's order, of the best order and of nothing but the worst, elementwise; NaN where undefined."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(best > worst, (gained - worst) / (best - worst), np.nan)


def gain(
    column: Column, places: np.ndarray, truth: np.ndarray, counts: np.ndarray, table: np.ndarray, out: np.ndarray | None = None
) -> np.ndarray:
    """Discounted cumulative gain of each resample in the column's order, `[b]`, the gain being the truth itself. table: `discounts(total)`
    of at least the largest resample. out: float64 `[b, groups]` to write into."""
    paid = table.take(column.reached(places), out=out, mode="clip")
    if not column.tied:
        # Summed by parts: sum_g truth_g (paid_g - paid_(g-1)) without the differences of every resample.
        return paid @ -np.diff(truth[column.order], append=0)
    sums = (counts * truth).take(column.order, axis=1).cumsum(1).take(column.ends, axis=1)
    return np.vecdot(masses(paid), masses(sums) / np.maximum(masses(column.reached(places)), 1))


def discounts(total: int) -> np.ndarray:
    """Sum of 1/log2(1 + rank) over the first 0 .. `total` ranks, `[total + 1]`."""
    return np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(total) + 2))])


def _expected_best(truth: np.ndarray, counts: np.ndarray, slots: int, floor: float) -> float:
    """Expected maximum of `floor` and `slots` of the copies, drawn at random; truth descends."""
    if truth[0] == truth[-1]:
        return float(max(floor, truth[0]))
    copies = int(counts.sum())
    left = copies - np.cumsum(counts)
    # none[t]: probability that none of the first t + 1 values is drawn (hypergeometric).
    drawn = np.arange(slots)
    none = np.prod(np.maximum(left[:, None] - drawn, 0) / (copies - drawn), axis=1)
    return float(np.maximum(floor, truth) @ -np.diff(none, prepend=1.0))


def _overlap(score: ArrayLike, truth: ArrayLike, sizes: Callable[[int], tuple[int, int]]) -> float:
    """Networks in the top of both, over the smaller of the two tops, whose sizes follow from the number of pairs."""
    score, truth = finite_pairs(score, truth)
    if not defined(score, truth):
        return float("nan")
    counts, (k, best) = _ones(score), sizes(len(score))
    column, ideal = Column(score), Column(truth)
    wanted = top(ideal, ideal.reached(ideal.places(counts)), np.array([best]))
    return float(overlap(column, column.places(counts), np.array([k]), wanted)[0] / min(k, best))


def _ones(score: np.ndarray) -> np.ndarray:
    return np.ones((1, len(score)), np.int64)
