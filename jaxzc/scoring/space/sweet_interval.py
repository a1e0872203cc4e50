"""Finds the sweet gradient interval without training (Yang et al., Sweet Gradient Matters, 2023; official code).

For an untrained network and a candidate interval, take in each cell the share of weights whose |gradient| lies in the interval. The trend
is the mean sign of the differences between successive cells, in depth order. The sweet interval is the candidate with the largest trend,
averaged over networks.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxzc.scoring.batches import Batches
from jaxzc.scoring.options import options_of
from jaxzc.scoring.space import SpaceScorer
from jaxzc.types import Array, JaxzcError, Space

EDGES = (0, 5e-10, 1e-9, 5e-9, 1e-8, 5e-8, 1e-7, 5e-7, 1e-6, 5e-6, 1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1, 5e-1, 1, 5)
"""The authors' thresholds; the 21 pairs of neighbours [t1, t2) are the candidates."""


def cell_ratios(loss_grads: Sequence[Array], active: Sequence[Array], cells: Sequence[np.ndarray]) -> Array:
    """Share of each cell's weights whose |gradient| lies in each candidate interval, float `[21, cells]`.

    loss_grads, active, cells: one array `[layers, n]`, bool `[layers]` and int `[layers]` for each layer group (-1: outside all cells; such
    layers are left out). A cell without weights gives 0. Weights whose gradient is exactly zero count in the first interval.
    Raises `JaxzcError` for a network with fewer than two cells.
    """
    count = 1 + max(int(c.max()) for c in cells)
    if count < 2:
        raise JaxzcError(
            "the interval finder follows gradients over cells in depth order and this network has fewer than 2 cells: "
            "give jaxzc.score(..., cells=function from layer name to cell number)"
        )
    inside, total = jnp.zeros((len(EDGES) - 1, count)), jnp.zeros(count)
    for grads, on, cell in zip(loss_grads, active, cells, strict=True):
        member = np.asarray(cell)[:, None] == np.arange(count)  # [layers, cells]; no cell for -1
        size = jnp.abs(grads)
        below = jnp.stack([(size < t).sum(1) for t in EDGES[1:]])  # counts are cumulative over the thresholds
        per_interval = jnp.diff(below, axis=0, prepend=jnp.zeros_like(below[:1]))
        of_cells = jnp.asarray(member, per_interval.dtype)
        inside = inside + (jnp.where(on[None], per_interval, 0) @ of_cells).astype(inside.dtype)
        total = total + (jnp.where(on, grads.shape[1], 0).astype(of_cells.dtype) @ of_cells).astype(total.dtype)
    return inside / jnp.maximum(total, 1)[None]


def trends(ratios: np.ndarray) -> np.ndarray:
    """Mean sign of the differences between successive cells: `[..., 21, cells]` -> `[..., 21]`."""
    return np.sign(np.diff(ratios, axis=-1)).mean(-1)


class Interval(NamedTuple):
    """The sweet interval, and the trend of every candidate: `trend[k]` is that of `[EDGES[k], EDGES[k + 1])`."""

    interval: tuple[float, float]
    trend: np.ndarray


def best_interval(trend: np.ndarray) -> Interval:
    """The interval with the largest trend (the first of several). If no trend is positive: the first of all, as in the authors' code."""
    best = int(np.argmax(trend)) if trend.max() > 0 else 0
    return Interval((EDGES[best], EDGES[best + 1]), trend)


@options_of(SpaceScorer)
def sweet_interval(
    space: Space,
    archs: np.ndarray,
    batches: Batches,
    *,
    seed: int = 0,
    progress: Callable[[Sequence[np.ndarray]], Iterable[np.ndarray]] = lambda archs: archs,
    **options: Any,
) -> Interval:
    """The sweet interval of a space from untrained networks `archs [n, genes]` (the authors take 100) and one batch (64 images).

    seed: of the weights. progress: hands the architectures on, and shows how far it is. The other arguments are those of
    `jaxzc.SpaceScorer`, by whose default each network has weights of its own.
    """
    scorer = SpaceScorer(space, batches, {"ratios": cell_ratios}, **options)
    each = [trends(np.asarray(scorer.arrays(arch, seed)["ratios"])) for arch in progress(list(np.atleast_2d(archs)))]
    return best_interval(np.mean(each, axis=0))
