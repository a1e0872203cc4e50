"""Orders and selections that the report draws: similar proxies side by side, the Pareto front, places by score."""

import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

DRAWN = 2000
"""Networks drawn at most, besides a proxy's own marked ones: two thousand dots fill a plot, and twenty proxies of them half a megabyte."""


def sample(n: int) -> np.ndarray:
    """Which of `n` networks are drawn, int `[min(n, DRAWN)]`, growing: all, or a random sample that is always the same."""
    return np.arange(n) if n <= DRAWN else np.sort(np.random.default_rng(0).choice(n, DRAWN, replace=False))


def clustered(correlation: np.ndarray) -> list[int]:
    """An order of the rows of a correlation matrix `[p, p]` that puts similar ones side by side: average linkage on 1 - |r| with the
    optimal order of leaves (Bar-Joseph et al. 2001). Undefined correlations count as 0."""
    p = len(correlation)
    if p < 3:
        return list(range(p))
    distance = 1 - np.abs(np.nan_to_num(correlation))
    distance = (distance + distance.T) / 2
    np.fill_diagonal(distance, 0)
    condensed = squareform(np.clip(distance, 0, 1), checks=False)
    return hierarchy.leaves_list(hierarchy.linkage(condensed, "average", optimal_ordering=True)).tolist()


def pareto(score: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Indices, by growing size, of the networks that no other beats: none is as small and higher, or smaller and as high. `score` and
    `size` float `[n]`; a network with an undefined one is left out; of equal ones the first stands for all."""
    usable = np.flatnonzero(np.isfinite(score) & np.isfinite(size))
    by_size = usable[np.lexsort((usable, -score[usable], size[usable]))]
    if not len(by_size):
        return by_size
    best = np.maximum.accumulate(score[by_size])
    return by_size[np.concatenate([[True], best[1:] > best[:-1]])]


def places(values: np.ndarray) -> np.ndarray:
    """Place of each of `values` `[n]` from the top, float `[n]`: 1 is the highest, ties share the mean of their places, NaN has none."""
    ranks = np.full(len(values), np.nan)
    finite = np.isfinite(values)
    ranks[finite] = rankdata(-values[finite])
    return ranks


def first(values: np.ndarray, k: int) -> np.ndarray:
    """Indices of the `k` highest finite `values` `[n]`, the highest first; ties in the order of the table."""
    order = np.argsort(-np.where(np.isfinite(values), values, -np.inf), kind="stable")
    return order[: min(k, int(np.count_nonzero(np.isfinite(values))))]
