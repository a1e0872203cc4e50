"""A space whose every network's accuracy is known, as arrays that a compiled search looks up instead of training."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from jaxzc.aggregates.ranks import log_rank
from jaxzc.types import JaxzcError, Space

LISTED = 2**22
"""The largest space (product of the choices) whose lookup tables are made."""


class Landscape(NamedTuple):
    """Rows are the architectures that have an accuracy.

    choices: of the space. archs: int32 `[n, genes]`. accuracy: float32 `[n]`.
    proxy: float32 `[n]`, rank of the proxy in (0, 1], equal ones sharing the mean; 0 where the proxy is not finite.
    neighbours: int32 `[n, k]`, rows that differ in one gene; -1 fills up.
    rows: int32 `[prod(choices)]`, the row of the architecture with this number in lexicographic order, -1 for none.
    """

    choices: tuple[int, ...]
    archs: Any
    accuracy: Any
    proxy: Any
    neighbours: Any
    rows: Any

    @property
    def size(self) -> int:
        """How many architectures there are."""
        return len(self.archs)


def landscape(space: Space, truth: Mapping[str, float], proxies: Mapping[str, Mapping[str, float]]) -> Landscape:
    """The landscape of a table.

    truth: architecture string -> accuracy. proxies: name -> (architecture string -> score, higher is better); several are combined by
    `log_rank`; an architecture without a finite score ranks last.
    Raises `JaxzcError`: the space is too large to list, a string is none of the space, or nothing has an accuracy or a score.
    """
    if math.prod(space.choices) > LISTED:
        raise JaxzcError(f"{space.name} has {math.prod(space.choices):,} architectures: expected a space of at most {LISTED:,}")
    finite = {text: value for text, value in truth.items() if math.isfinite(value)}
    if not finite:
        raise JaxzcError("no architecture of the table has an accuracy: choose another metric")
    archs = np.stack([np.asarray(space.parse(text)) for text in finite]).astype(np.int32)
    scores = np.array([[column.get(text, np.nan) for column in proxies.values()] for text in finite], np.float64)
    scores = np.where(np.isfinite(scores), scores, np.nan)
    valid = ~np.isnan(scores).any(axis=1)
    if not valid.any():
        raise JaxzcError(f"no architecture with an accuracy has a finite {' and '.join(proxies)}: give scores of the same space")
    ranks = np.zeros(len(archs))
    ranks[valid] = stats.rankdata(log_rank(scores)[valid]) / np.count_nonzero(valid)
    numbers = np.ravel_multi_index(tuple(archs.T), space.choices)
    if np.unique(numbers).size < len(archs):
        raise JaxzcError("the table names an architecture twice, written in two ways: keep one of them")
    rows = np.full(math.prod(space.choices), -1, np.int32)
    rows[numbers] = np.arange(len(archs))
    around = [rows[np.ravel_multi_index(tuple(np.asarray(space.neighbours(arch), np.int64).T), space.choices)] for arch in archs]
    width = max(map(len, around))
    neighbours = np.stack([np.pad(row, (0, width - len(row)), constant_values=-1) for row in around])
    return Landscape(
        tuple(space.choices), archs, np.array([*finite.values()], np.float32), ranks.astype(np.float32), neighbours.astype(np.int32), rows
    )
