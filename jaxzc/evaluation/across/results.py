"""What a leaderboard over several benchmarks is computed from and says, as plain data: judgements, standings, and the test."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from jaxzc.evaluation.across.description import Benchmark
from jaxzc.evaluation.results import Estimate, Evaluation, Row


@dataclass(frozen=True)
class Judgement:
    """One benchmark, judged. block: its block's name (see `jaxzc.evaluation.across`). draws: Spearman's rho in every resample of the
    networks, float64 `[rows, resamples]`, in the order of `evaluation.rows`. absent: aggregates that are not defined here -> the proxies
    that were not scored."""

    benchmark: Benchmark
    block: str
    evaluation: Evaluation
    draws: np.ndarray
    absent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The benchmark's name."""
        return self.benchmark.name

    def row(self, proxy: str) -> Row | None:
        """What is known of a proxy here; None where it was not scored, or is undefined."""
        return next((row for row in self.ranked if row.proxy == proxy), None)

    @property
    def ranked(self) -> list[Row]:
        """The rows that have a rank correlation, the best first."""
        return [row for row in self.evaluation.rows if np.isfinite(row.statistics["spearman"].value)]

    def place(self, proxy: str) -> int | None:
        """Which place a proxy has by Spearman's rho, 1 the best, equal ones sharing the better place."""
        row = self.row(proxy)
        if row is None:
            return None
        rho = row.statistics["spearman"].value
        return 1 + sum(other.statistics["spearman"].value > rho for other in self.ranked)


@dataclass(frozen=True)
class Standing:
    """One proxy on all benchmarks.

    rank: mean over blocks of its rank among the proxies that every benchmark has, with the interval over resamples of the networks; NaN
        where a benchmark lacks it.
    spearman: mean over the blocks that have it of Spearman's rho (mean within a block).
    over_params: the same of the difference from the number of parameters.
    first: share of the resamples in which its mean rank is the best, equal ones sharing; NaN without resamples.
    benchmarks: how many have it. coverage: the smallest share of finite scores on any of these.
    """

    proxy: str
    rank: Estimate
    spearman: Estimate
    over_params: Estimate
    first: float
    benchmarks: int
    coverage: float


class Friedman(NamedTuple):
    """Friedman's test of the hypothesis that all proxies have one mean rank, and Nemenyi's critical difference.

    proxies, blocks: how many. chi2, p: the statistic (corrected for ties) and its asymptotic p-value. f, p_f: Iman and Davenport's less
    conservative form. critical_difference: mean ranks that differ by more differ at `alpha`. All are NaN below 2 blocks or 3 proxies.
    """

    proxies: int
    blocks: int
    chi2: float
    p: float
    f: float
    p_f: float
    critical_difference: float
    alpha: float
