"""Correlations of a score with a truth, by scipy; a pair that is not finite on both sides is left out.

Every function takes `score` and `truth`, numbers `[n]`, and returns a float: NaN for fewer than 3 finite pairs, or a constant side.
None depends on the order of the pairs.
"""

import warnings

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

UNDEFINED = 1e-12
"""A partial correlation is undefined where 1 - rho**2 with the controlled variable is below this: nothing but rounding is left."""


def finite_pairs(score: ArrayLike, truth: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both sides, float64, where both are finite."""
    score, truth = np.asarray(score, np.float64), np.asarray(truth, np.float64)
    finite = np.isfinite(score) & np.isfinite(truth)
    return score[finite], truth[finite]


def defined(score: np.ndarray, truth: np.ndarray) -> bool:
    """Whether finite sides have a correlation: 3 pairs at least, and neither is constant."""
    return len(score) >= 3 and bool(np.any(score != score[0]) and np.any(truth != truth[0]))


def spearman(score: ArrayLike, truth: ArrayLike) -> float:
    """Spearman's rho: Pearson's correlation of the ranks, tied values sharing their mean rank (`scipy.stats.spearmanr`)."""
    score, truth = finite_pairs(score, truth)
    return _first(stats.spearmanr(score, truth)) if defined(score, truth) else float("nan")


def kendall(score: ArrayLike, truth: ArrayLike) -> float:
    """Kendall's tau-b: concordant less discordant pairs over the geometric mean of the pairs untied on either side
    (`scipy.stats.kendalltau`)."""
    score, truth = finite_pairs(score, truth)
    return _first(stats.kendalltau(score, truth)) if defined(score, truth) else float("nan")


def weighted_kendall(score: ArrayLike, truth: ArrayLike) -> float:
    """Kendall's tau with additive hyperbolic weights (Vigna, WWW 2015), `scipy.stats.weightedtau` with its default `rank=True`.

    A pair weighs 1/(r+1) + 1/(s+1), where r and s count from 0 at the top: mean of the tau with ranks by (score, truth) and that with ranks
    by (truth, score), both descending, the second deciding the ties of the first.
    """
    score, truth = finite_pairs(score, truth)
    return _first(stats.weightedtau(score, truth)) if defined(score, truth) else float("nan")


def pearson(score: ArrayLike, truth: ArrayLike) -> float:
    """Pearson's r of the values themselves (`scipy.stats.pearsonr`); one outlier of a score that spans decades decides it."""
    score, truth = finite_pairs(score, truth)
    if not defined(score, truth):
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.NearConstantInputWarning)  # outliers make the rest look constant; the value is scipy's still
        return _first(stats.pearsonr(score / np.abs(score).max(), truth))


def partial_spearman(score: ArrayLike, truth: ArrayLike, control: ArrayLike) -> float:
    """Partial correlation of the ranks: what of Spearman's rho is left once `given` `[n]` (params, FLOPs) is held fixed.

    (r_st - r_sg r_tg) / sqrt((1 - r_sg^2) (1 - r_tg^2)) with Spearman's rhos over the networks where all three are finite: Pearson's
    correlation of the residuals after regressing the ranks of score and of truth on the ranks of `given` (Kendall, Rank Correlation
    Methods, chapter 8). NaN where score or truth has the order of `given` (or its reverse): nothing is left to correlate.
    """
    score, truth, control = (np.asarray(values, np.float64) for values in (score, truth, control))
    finite = np.isfinite(score) & np.isfinite(truth) & np.isfinite(control)
    score, truth, control = score[finite], truth[finite], control[finite]
    return float(partial(np.array(spearman(score, truth)), np.array(spearman(score, control)), np.array(spearman(truth, control))))


def partial(direct: np.ndarray, score_control: np.ndarray, truth_control: np.ndarray) -> np.ndarray:
    """Partial correlation from the three correlations, elementwise; NaN where undefined."""
    left = 1 - score_control**2, 1 - truth_control**2
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (direct - score_control * truth_control) / np.sqrt(left[0] * left[1])
    return np.where(np.minimum(*left) > UNDEFINED, value, np.nan)


def _first(result: object) -> float:
    return float(np.asarray(result)[0])
