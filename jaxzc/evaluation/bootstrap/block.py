"""A block of bootstrap resamples, and every statistic of a prepared proxy in them."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from jaxzc.evaluation.bootstrap.prepared import Proxy, Sample
from jaxzc.evaluation.statistics import REGRETS
from jaxzc.evaluation.statistics.correlations import partial
from jaxzc.evaluation.statistics.retrieval import best_of_top, discounts, gain, gain_ratio, overlap, share, top, worst_gain
from jaxzc.evaluation.statistics.sorting import Column


class Scratch:
    """A few large arrays of one worker, used by one proxy after the other."""

    def __init__(self):
        self._arrays: dict[str, np.ndarray] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: type = np.float64) -> np.ndarray:
        size = int(np.prod(shape))
        if name not in self._arrays or self._arrays[name].size < size:
            self._arrays[name] = np.empty(size, dtype)
        return self._arrays[name][:size].reshape(shape)


def _harmonic(total: int) -> np.ndarray:
    """Sum of 1/(rank from 1) over the first 0 .. `total` ranks, `[total + 1]`."""
    return np.concatenate([[0.0], np.cumsum(1 / np.arange(1, total + 1))])


def _ratio(sums: np.ndarray) -> np.ndarray:
    """Kendall's tau from agreeing and untied pairs `[b, 3]`; the linear terms may overshoot by rounding or in tiny samples."""
    with np.errstate(invalid="ignore", divide="ignore"):
        tau = sums[:, 0] / np.sqrt(sums[:, 1] * sums[:, 2])
    return np.clip(np.where((sums[:, 1] > 0) & (sums[:, 2] > 0), tau, np.nan), -1, 1)


class _Ranks:
    """Ranks of a column in the resamples of a block, `[b, n]`, times counts, and the root of their sum of squares `[b]`."""

    def __init__(self, column: Column, places: np.ndarray, weights: np.ndarray, scratch: Scratch | None = None):
        reached = column.reached(places)
        if scratch is None:
            self.ranks = column.ranks(reached)
            self.weighted = self.ranks * weights
        else:
            out = scratch.array("weighted", reached.shape), scratch.array("ranks", weights.shape)
            self.ranks = column.ranks(reached, out)
            self.weighted = np.multiply(self.ranks, weights, out=scratch.array("weighted", weights.shape))
        self.norm = np.sqrt(np.vecdot(self.ranks, self.weighted))

    def rho(self, other: "_Ranks") -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.vecdot(self.ranks, other.weighted) / (self.norm * other.norm)  # 0/0 is NaN: constant


class _Masked:
    """A block's counts of the networks of a sample, and what all proxies on them share."""

    def __init__(self, sample: Sample, counts: np.ndarray):
        self.sample = sample
        self.counts = counts if sample.finite.all() else counts[:, sample.finite]
        self.total = self.counts.sum(1)
        self.enough = np.where(self.total >= 3, 1.0, np.nan)
        self._ranks: dict[int, _Ranks] = {}

    def ranks(self, column: Column) -> _Ranks:
        """Kept, because many proxies need it."""
        if id(column) not in self._ranks:
            self._ranks[id(column)] = _Ranks(column, column.places(self.counts), self.weights)
        return self._ranks[id(column)]

    @cached_property
    def weights(self) -> np.ndarray:
        return self.counts.astype(np.float64)

    @cached_property
    def truth(self) -> _Ranks:
        return self.ranks(self.sample.column)

    @cached_property
    def truth_places(self) -> np.ndarray:
        return self.sample.column.places(self.counts)

    def in_top(self, percent: int) -> np.ndarray:
        """Expected copies of each network in the true top, `[b, n]`."""
        column = self.sample.column
        return top(column, column.reached(self.truth_places), share(self.total, percent)) * self.counts

    @cached_property
    def in_top_10(self) -> np.ndarray:
        return self.in_top(10)

    @cached_property
    def in_top_5(self) -> np.ndarray:
        return self.in_top(5)

    @cached_property
    def gain_table(self) -> np.ndarray:
        return discounts(int(self.total.max()))

    @cached_property
    def gains(self) -> tuple[np.ndarray, np.ndarray]:
        y, table = self.sample.truth, self.gain_table
        return gain(self.sample.column, self.truth_places, y, self.counts, table), worst_gain(y, self.counts, table)

    @cached_property
    def harmonic(self) -> np.ndarray:
        return _harmonic(int(self.total.max()))


class Block:
    """Some resamples, `counts` int64 `[b, n]`, and the statistics of a proxy in them."""

    def __init__(self, counts: np.ndarray, truth: np.ndarray, scratch: Scratch):
        self.counts, self.scratch = counts, scratch
        self.best = np.where(counts > 0, truth, -np.inf).max(1)
        self._masked: dict[int, _Masked] = {}

    def masked(self, sample: Sample) -> _Masked:
        if id(sample) not in self._masked:
            self._masked[id(sample)] = _Masked(sample, self.counts)
        return self._masked[id(sample)]

    def statistics(self, proxy: Proxy, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Statistic -> `[b]`."""
        at = self.masked(proxy.sample)
        column, truth = proxy.column, proxy.sample.truth
        shape = at.counts.shape
        places = column.places(at.counts, self.scratch.array("places", shape, np.int64))
        ranks = _Ranks(column, places, at.weights, self.scratch)
        rho = ranks.rho(at.truth)
        results = {"spearman": rho}
        for name, (sample, other, control) in proxy.partials.items():
            common = self.masked(sample)
            of_score = ranks if sample is proxy.sample else _Ranks(other, other.places(common.counts), common.weights)
            of_control = common.ranks(control)
            results[name] = partial(of_score.rho(common.truth), of_score.rho(of_control), common.truth.rho(of_control)) * common.enough
        if "kendall" in names:
            results["kendall"] = _ratio(2 * at.weights @ proxy.pairs - proxy.pairs.sum(0))
        if proxy.weighted:
            results["weighted_kendall"] = np.mean([self._weighted_tau(at, *ranking) for ranking in proxy.weighted], axis=0)
        if "pearson" in names:
            results["pearson"] = _pearson(at, proxy.centred)
        if "precision_10" in names:
            tenth = share(at.total, 10)
            results["precision_10"] = overlap(column, places, tenth, at.in_top_10) / tenth
        if "top64_in_top5" in names:
            top64 = np.minimum(at.total, 64)
            results["top64_in_top5"] = overlap(column, places, top64, at.in_top_5) / np.minimum(top64, share(at.total, 5))
        if wanted := {name: k for name, k in REGRETS.items() if name in names}:
            reached = best_of_top(column, places, truth, at.counts, list(wanted.values()))
            results |= dict(zip(wanted, self.best - reached, strict=True))
        if "ndcg" in names:
            out = self.scratch.array("taken", (shape[0], len(column.ends)))
            results["ndcg"] = gain_ratio(gain(column, places, truth, at.counts, at.gain_table, out), *at.gains)
        # One rule for all: where rho is undefined (constant, fewer than 3) so is the rest.
        known = np.where(np.isfinite(rho), at.enough, np.nan)
        return {name: values * known for name, values in results.items() if name in names}

    def _weighted_tau(self, at: _Masked, ranking: Column, plain: np.ndarray, weighted: np.ndarray) -> np.ndarray:
        places = ranking.places(at.counts, self.scratch.array("other places", at.counts.shape, np.int64))
        mass = at.harmonic.take(places, out=self.scratch.array("taken", places.shape), mode="clip")
        return _ratio(mass @ plain + at.weights @ weighted - weighted.sum(0))


def _pearson(at: _Masked, x: np.ndarray) -> np.ndarray:
    y = at.sample.truth - np.median(at.sample.truth)
    sums = at.weights @ np.stack([x, y, x * y, x * x, y * y], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_x, mean_y, xy, xx, yy = (sums / at.total[:, None]).T
        return (xy - mean_x * mean_y) / np.sqrt((xx - mean_x**2) * (yy - mean_y**2))
