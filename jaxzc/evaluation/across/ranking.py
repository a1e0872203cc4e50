"""Mean ranks over blocks of benchmarks, Friedman's test, Nemenyi's critical difference, and the bootstrap of the same."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from jaxzc.evaluation.across.results import Friedman, Judgement, Standing
from jaxzc.evaluation.bootstrap import interval
from jaxzc.evaluation.leaderboard import mean_over_seeds
from jaxzc.evaluation.results import Estimate

ALPHA = 0.05
"""Level of the tests."""


def standings(judgements: Sequence[Judgement], level: float) -> tuple[list[Standing], Friedman]:
    """Every proxy on all benchmarks, and the test of those that every benchmark has. level: of the intervals."""
    proxies = list(dict.fromkeys(row.proxy for judgement in judgements for row in judgement.ranked))
    resamples = judgements[0].draws.shape[1]
    values = np.full((len(judgements), len(proxies)), np.nan)
    draws = np.full((len(judgements), len(proxies), resamples), np.nan)
    coverage = np.full((len(judgements), len(proxies)), np.nan)
    for number, judgement in enumerate(judgements):
        place = {row.proxy: k for k, row in enumerate(judgement.evaluation.rows)}
        for column, proxy in enumerate(proxies):
            if (row := judgement.row(proxy)) is not None:
                values[number, column] = row.statistics["spearman"].value
                draws[number, column] = judgement.draws[place[proxy]]
                coverage[number, column] = row.coverage
    blocks = [judgement.block for judgement in judgements]
    rho, rho_draws = over_blocks(values, blocks), over_blocks(draws, blocks)
    everywhere = np.asarray(np.isfinite(values).all(axis=0))
    ranks = mean_ranks(rho[:, everywhere])
    rank_draws = mean_ranks(rho_draws[:, everywhere]) if resamples else np.full((len(ranks), 0), np.nan)
    first = shares_of_first(rank_draws)
    params = proxies.index("params") if "params" in proxies else None
    above = np.full_like(rho, np.nan) if params is None else rho - rho[:, [params]]
    above_draws = np.full_like(rho_draws, np.nan) if params is None else rho_draws - rho_draws[:, [params]]
    among = np.cumsum(everywhere) - 1
    rows = [
        Standing(
            proxy,
            rank=interval(float(ranks[among[k]]), rank_draws[among[k]], level) if everywhere[k] else Estimate(float("nan")),
            spearman=_mean(rho[:, k], rho_draws[:, k], level),
            over_params=_mean(above[:, k], above_draws[:, k], level),
            first=float(first[among[k]]) if everywhere[k] else float("nan"),
            benchmarks=int(np.isfinite(values[:, k]).sum()),
            coverage=float(np.nanmin(coverage[:, k])),
        )
        for k, proxy in enumerate(proxies)
    ]
    rows.sort(key=lambda row: (not np.isfinite(row.rank.value), np.nan_to_num(row.rank.value), -row.spearman.value, row.proxy))
    return rows, friedman(rho[:, everywhere])


def over_blocks(values: np.ndarray, blocks: Sequence[str]) -> np.ndarray:
    """`[blocks, proxies, ...]` from `[benchmarks, proxies, ...]`: mean over a block's benchmarks of what is finite; blocks in the order in
    which they first come."""
    numbers = {block: [k for k, other in enumerate(blocks) if other == block] for block in blocks}
    return np.stack([mean_over_seeds(np.moveaxis(values[members], 0, 1)) for members in numbers.values()])


def mean_ranks(values: np.ndarray) -> np.ndarray:
    """`[proxies, ...]` from `[blocks, proxies, ...]`: mean over blocks of the ranks of values of which higher is better; 1 is the best,
    equal ones share the mean of their ranks, NaN ranks last."""
    return stats.rankdata(-np.where(np.isfinite(values), values, -np.inf), axis=1).mean(0)


def shares_of_first(ranks: np.ndarray) -> np.ndarray:
    """`[proxies]` from mean ranks `[proxies, resamples]`: in which share of the resamples each is the best, equal ones sharing."""
    if not ranks.size:
        return np.full(len(ranks), np.nan)
    best = ranks == ranks.min(0)
    return (best / best.sum(0)).mean(1)


def friedman(values: np.ndarray, alpha: float = ALPHA) -> Friedman:
    """The test of values `[blocks, proxies]` of which higher is better. Friedman, JASA 1937; Iman and Davenport, Communications in
    Statistics 1980: F = (N - 1) chi2 / (N (k - 1) - chi2) with k - 1 and (k - 1)(N - 1) degrees of freedom; Nemenyi's critical difference
    q sqrt(k (k + 1) / (6 N)), q the studentised range over sqrt(2) (Demsar, JMLR 2006, section 3.2.2)."""
    blocks, proxies = values.shape
    nan = float("nan")
    if blocks < 2 or proxies < 3 or all(np.ptp(values, axis=1) == 0):
        return Friedman(proxies, blocks, nan, nan, nan, nan, nan, alpha)
    test = stats.friedmanchisquare(*values.T)
    chi2, left = float(test.statistic), blocks * (proxies - 1) - float(test.statistic)
    f = (blocks - 1) * chi2 / left if left > 1e-12 * chi2 else float("inf")  # all blocks in one order: nothing is left to compare with
    p_f = float(stats.f.sf(f, proxies - 1, (proxies - 1) * (blocks - 1)))
    q = float(stats.studentized_range.ppf(1 - alpha, proxies, np.inf)) / np.sqrt(2)
    difference = float(q * np.sqrt(proxies * (proxies + 1) / (6 * blocks)))
    return Friedman(proxies, blocks, chi2, float(test.pvalue), f, p_f, difference, alpha)


def cliques(ranks: Sequence[float], difference: float) -> list[tuple[int, int]]:
    """First and last place of every largest group of at least two mean ranks, ascending, that differ by no more than `difference`."""
    groups: list[tuple[int, int]] = []
    for first in range(len(ranks)):
        last = max(k for k in range(first, len(ranks)) if ranks[k] - ranks[first] <= difference)
        if last > first and (not groups or last > groups[-1][1]):
            groups.append((first, last))
    return groups


def _mean(values: np.ndarray, draws: np.ndarray, level: float) -> Estimate:
    """Mean over the blocks `[blocks]` that are known, and its interval from draws `[blocks, resamples]`."""
    known = np.isfinite(values)
    if not known.any():
        return Estimate(float("nan"))
    return interval(float(values[known].mean()), draws[known].mean(0), level)
