"""The training-free finder of the sweet gradient interval (Yang et al., Sweet Gradient Matters, 2023; official code).

For each untrained network and each candidate interval, the share of a cell's weights whose |gradient| lies in the interval is followed over
the cells in depth order; the trend is the mean sign of successive differences. The interval with the steepest ascent, averaged over
networks, wins.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxzc.scoring.batches import Batches
from jaxzc.scoring.space import SpaceScorer
from jaxzc.types import Array, JaxzcError, Space

EDGES = (0, 5e-10, 1e-9, 5e-9, 1e-8, 5e-8, 1e-7, 5e-7, 1e-6, 5e-6, 1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1, 5e-1, 1, 5)
"""The authors' thresholds; the 21 pairs of neighbours [t1, t2) are the candidates."""


def cell_ratios(loss_grads: Sequence[Array], active: Sequence[Array], cells: Sequence[np.ndarray]) -> Array:
    """Share of each cell's weights with |g| in each candidate interval, `[21, cells]`; cells in depth order, layers outside cells (stem,
    head) left out; a cell without weights gives 0. Exact zeros of dead weights count in the first interval."""
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
        inside = inside + (per_interval * on) @ member
        total = total + (on * grads.shape[1]) @ member
    return inside / jnp.maximum(total, 1)


def trends(ratios: np.ndarray) -> np.ndarray:
    """Mean sign of successive differences over depth, `[..., 21, cells]` -> `[..., 21]`."""
    return np.sign(np.diff(ratios, axis=-1)).mean(-1)


class Interval(NamedTuple):
    """The interval found, and the trend of every candidate: `trend[k]` belongs to `[EDGES[k], EDGES[k + 1])`."""

    interval: tuple[float, float]
    trend: np.ndarray


def best_interval(trend: np.ndarray) -> Interval:
    """The first interval with the largest positive trend; the first of all if none is positive, as in the authors' code."""
    best = int(np.argmax(trend)) if trend.max() > 0 else 0
    return Interval((EDGES[best], EDGES[best + 1]), trend)


def sweet_interval(
    space: Space,
    archs: np.ndarray,
    batch: Batches,
    *,
    seed: int = 0,
    progress: Callable[[Sequence[np.ndarray]], Iterable[np.ndarray]] = lambda archs: archs,
    **options: str,
) -> Interval:
    """The sweet interval of a space from untrained networks `archs [n, genes]` (the authors take 100) and one batch (64 images).

    options: weights, init, norm as for `SpaceScorer`. Each network's weights are redrawn.
    """
    scorer = SpaceScorer(space, batch, {"ratios": cell_ratios}, **options)  # type: ignore[arg-type]
    each = [trends(np.asarray(scorer.arrays(arch, seed)["ratios"])) for arch in progress(list(np.atleast_2d(archs)))]
    return best_interval(np.mean(each, axis=0))
