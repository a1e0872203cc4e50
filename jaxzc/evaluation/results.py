"""What an evaluation finds, as plain data: the leaderboard, the terminal and the report all read this and compute nothing themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """A statistic and its bootstrap interval (95 % unless the evaluation's settings say otherwise); NaN where undefined."""

    value: float
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True)
class Row:
    """One proxy against the ground truth.

    statistics: name -> estimate, mean over seeds, of the score turned so that higher is better (see `higher_is_better`).
    over_seeds: name -> standard deviation of the statistic over seeds (NaN with one seed).
    higher_is_better: direction that the proxy states, or None where unknown (then taken as it is).
    finite, total: rows with a finite score, of the rows whose architecture has an accuracy.
    seeds: number of seeds whose statistics are defined, which are those averaged.
    unmatched: rows left out because the ground truth has no accuracy for their architecture.
    cost: what one score costs, where known: `passes` (see `jaxzc.catalogue.costs`), `seconds`, `flops`.
    """

    proxy: str
    statistics: Mapping[str, Estimate]
    over_seeds: Mapping[str, float]
    finite: int
    total: int
    seeds: int
    unmatched: int = 0
    higher_is_better: bool | None = None
    cost: Mapping[str, float] = field(default_factory=dict)

    @property
    def coverage(self) -> float:
        """Fraction of the rows that have a finite score (NaN without rows)."""
        return self.finite / self.total if self.total else float("nan")


@dataclass(frozen=True)
class Evaluation:
    """A whole evaluation.

    rows: by descending Spearman correlation, NaN last.
    metric: name of the ground truth's column, `truth` its values, float64 `[n]`, for `archs`, `n` strings.
    scores: proxy -> float64 `[seeds, n]` as scored (not turned); NaN where a seed has no row for an architecture.
    correlation: Spearman between proxies, float64 `[rows, rows]` in the order of `rows`, over the networks on which both are finite.
    ceiling: what a perfect proxy could reach because training itself is noisy: name -> value (empty where unknown).
    settings: all that is needed to repeat it (JSON): resamples, key, level, files and digests, the score table's own metadata.
    """

    rows: list[Row]
    metric: str
    archs: list[str]
    truth: np.ndarray
    scores: Mapping[str, np.ndarray]
    correlation: np.ndarray
    ceiling: Mapping[str, float]
    settings: Mapping[str, Any]
