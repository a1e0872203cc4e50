"""Several scores combined into one by ranks within a population; all of them are functions of a table of scores, not of a network.

Every rule takes scores float `[n, proxies]`, higher is better, and returns float64 `[n]`, higher is better. The value depends on the
population: adding or removing networks changes it, so compare values within one table only. Infinities are numbers that rank at the
ends. NaN is what a proxy could not compute: with `missing="keep"` such a network is ranked by nobody and gets NaN; with
`missing="last"` it shares the last rank of that proxy (AZ-NAS's authors do so), and no network is left out.
"""

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np

from jaxzc.types import JaxzcError

Missing = Literal["keep", "last"]
Rule = Callable[..., np.ndarray]


def log_rank(scores: Any, missing: Missing = "keep") -> np.ndarray:
    """Sum over proxies of log(rank / n), rank 1 the lowest, equal scores sharing the mean of their ranks: a network that is poor by one
    proxy cannot make up for it by others. Source: AZ-NAS (Lee & Ham, CVPR 2024), equation 12."""
    return _by_rank(scores, missing, lambda ranks: np.log(ranks / len(ranks)).sum(1))


def rank_sum(scores: Any, missing: Missing = "keep") -> np.ndarray:
    """Mean over proxies of rank / n (Borda count): TE-NAS (Chen et al., ICLR 2021, section 3.3) sums two such ranks."""
    return _by_rank(scores, missing, lambda ranks: ranks.mean(1) / len(ranks))


def median_rank(scores: Any, missing: Missing = "keep") -> np.ndarray:
    """Median over proxies of rank / n: one proxy that goes astray does not count."""
    return _by_rank(scores, missing, lambda ranks: np.median(ranks, axis=1) / len(ranks))


def max_normalised_sum(scores: Any, missing: Missing = "keep") -> np.ndarray:
    """Sum over proxies of score / largest score in the population (FreeREA, Cavagnero et al., WACV 2023, section 3.3).

    Meant for scores above zero. A proxy whose largest finite score is not positive would be turned upside down: `JaxzcError`.
    Infinities cannot be normalised; they count as missing.
    """
    columns = _columns(scores)
    columns = np.where(np.isfinite(columns), columns, np.nan)
    known = _known(columns, missing)
    if not known.any():
        return np.full(len(columns), np.nan)
    largest = np.nanmax(columns[known], axis=0, initial=-np.inf)
    if (largest <= 0).any():
        raise JaxzcError(
            f"max_normalised_sum: proxy number {int(np.argmax(largest <= 0)) + 1} has no score above zero (largest {largest.min():.4g}), "
            "so dividing by the largest would turn it: combine by log_rank or rank_sum"
        )
    parts = columns / largest
    lowest = np.nanmin(parts[known], axis=0, initial=0)
    return np.where(known, np.where(np.isnan(parts), lowest, parts).sum(1), np.nan)


def relative_rank_sum(scores: Any, reference: Any, digits: int = 3) -> np.ndarray:
    """Sum over proxies of the rank of the relative change from a reference network, (score - reference) / |reference| rounded to `digits`
    decimals: TE-NAS's choice among the networks that one pruning step can lead to (Chen et al., ICLR 2021, algorithm 1).

    reference: scores `[proxies]` of the network before the step. NaN is kept. Raises `JaxzcError` where a reference is zero or no number.
    """
    columns, reference = _columns(scores), np.asarray(reference, np.float64)
    if reference.shape != columns.shape[1:] or not np.isfinite(reference).all() or (reference == 0).any():
        raise JaxzcError(f"reference {reference.tolist()}: expected {columns.shape[1]} finite scores other than zero, one per proxy")
    with np.errstate(invalid="ignore"):
        change = np.round((columns - reference) / np.abs(reference), digits)
    return _by_rank(change, "keep", lambda ranks: ranks.sum(1))


RULES: dict[str, Rule] = {
    "log_rank": log_rank,
    "rank_sum": rank_sum,
    "median_rank": median_rank,
    "max_normalised_sum": max_normalised_sum,
}
"""The rules that need nothing but the table, by name."""


def _by_rank(scores: Any, missing: Missing, combine: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """`combine(ranks [m, proxies])` of the networks that are ranked, NaN for the others."""
    from scipy import stats  # a second of import that only this needs

    columns = _columns(scores)
    known = _known(columns, missing)
    total = np.full(len(columns), np.nan)
    if known.any():
        total[known] = combine(stats.rankdata(np.where(np.isnan(columns), -np.inf, columns)[known], axis=0))
    return total


def _known(columns: np.ndarray, missing: Missing) -> np.ndarray:
    """Bool `[n]`: which networks take part. One that no proxy could score takes part in nothing."""
    if missing not in get_args(Missing):
        raise JaxzcError(f"missing={missing!r}: expected 'keep' (NaN stays NaN) or 'last' (NaN shares the last rank)")
    absent = np.isnan(columns)
    return np.asarray(~absent.any(1) if missing == "keep" else ~absent.all(1))


def _columns(scores: Any) -> np.ndarray:
    columns = np.asarray(scores, np.float64)
    if columns.ndim != 2 or columns.shape[1] < 1:
        raise JaxzcError(f"scores of shape {list(columns.shape)}: expected [networks, proxies] with at least one proxy")
    return columns
