"""A score and the truth, sorted once before the bootstrap: what every resample needs of the whole sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jaxzc.evaluation.statistics import CONTROLS
from jaxzc.evaluation.statistics.concordance import agreement, untied
from jaxzc.evaluation.statistics.sorting import Column


class Sample:
    """The networks on which some columns are finite, and the truth there."""

    def __init__(self, finite: np.ndarray, truth: np.ndarray):
        self.finite = finite
        self.truth = truth[finite]
        self.column = Column(self.truth)
        self._controls: dict[bytes, Column] = {}

    def control(self, values: np.ndarray) -> Column:
        """The sorted column of a control `[n]`, which is held fixed. Proxies with the same control share the column."""
        inside = values[self.finite]
        return self._controls.setdefault(inside.tobytes(), Column(inside))


@dataclass(frozen=True)
class Proxy:
    """One score, sorted, with what the statistics need of the whole sample. partials: statistic -> the sample where
    what is held fixed is known too, the score's column and the other's."""

    sample: Sample
    column: Column
    centred: np.ndarray
    pairs: np.ndarray
    weighted: Sequence[tuple[Column, np.ndarray, np.ndarray]]
    partials: Mapping[str, tuple[Sample, Column, Column]]


def prepared(
    score: np.ndarray, truth: np.ndarray, controls: Mapping[str, np.ndarray], names: Sequence[str], samples: dict[bytes, Sample]
) -> Proxy:
    def sample_of(finite: np.ndarray) -> Sample:
        key = finite.tobytes()
        if key not in samples:
            samples[key] = Sample(finite, truth)
        return samples[key]

    finite = np.isfinite(score)
    sample = sample_of(finite)
    x, y = score[finite], sample.truth
    column = Column(x, y)
    partials = {}
    for name, control in CONTROLS.items():
        control_values = controls[control]
        known = finite & np.isfinite(control_values)
        if name in names and known.any():
            common = sample_of(known)
            partials[name] = common, column if common is sample else Column(score[known]), common.control(control_values)
    # About the median and not the mean: resamples without an outlier keep their digits.
    centred = (x - np.median(x)) / np.abs(x).max()
    pairs = _linear(x, y, np.ones(len(x))) if {"kendall", "weighted_kendall"} & set(names) else np.empty((0, 3))
    rankings = (column, Column(y, x)) if "weighted_kendall" in names else ()
    weighted = [_weighted(x, y, ranking, pairs) for ranking in rankings]
    return Proxy(sample, column, centred, pairs, weighted, partials)


def _linear(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """For every network the sum over all others of weight times agreement, times [untied in x], times [untied in y]: `[n, 3]`."""
    return np.stack([agreement(x, y, weights), untied(x, weights), untied(y, weights)], axis=1)


def _weighted(x: np.ndarray, y: np.ndarray, ranking: Column, pairs: np.ndarray) -> tuple[Column, np.ndarray, np.ndarray]:
    """The ranking; the plain sums (of `pairs`) by its places, differences from each to the next, `[n, 3]`; the weighted ones, `[n, 3]`.

    Networks that tie on both sides share the weights of their places; as the sums are equal for them, any sharing does.
    """
    weights = np.empty(len(x))
    weights[ranking.order] = 1 / np.arange(1, len(x) + 1)
    return ranking, -np.diff(pairs[ranking.order], axis=0, append=0), _linear(x, y, weights)
