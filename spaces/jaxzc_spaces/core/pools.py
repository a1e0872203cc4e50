"""Pools of `[B, H, W, C]` as PyTorch pads them, of any derivative wherever they are compiled."""

from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.types import Array


@jax.custom_jvp
def larger(x: Array, y: Array) -> Array:
    """The larger of two, elementwise, of any derivative; ties share it.

    JAX's own derivatives of maxima ask which operand equals the maximum. Where a compiler computes an operand twice and rounds it otherwise
    the second time, none does, and the derivative is 0 (`maximum`) or not finite (`reduce_max`). Which one is larger always has an answer.
    """
    return jnp.maximum(x, y)


@larger.defjvp
def _(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    x, y = primals
    share = jnp.where(x == y, 0.5, (x > y).astype(x.dtype))
    return larger(x, y), share * tangents[0] + (1 - share) * tangents[1]


def max_pool(x: Array, size: int, stride: int = 1) -> Array:
    """Maximum over windows of `size` x `size` pixels (odd), padded with -infinity."""
    # Shifted maxima, rows and then columns: reduce_window has no fast second derivative on a CPU.
    for axis in (1, 2):
        x = _windows(x, size, stride, axis, -np.inf, larger)
    return x


def avg_pool(x: Array, size: int, stride: int = 1) -> Array:
    """Mean over those pixels of windows of `size` x `size` (odd) that lie inside the image: padding is never counted."""
    inside = np.ones((1, *x.shape[1:3], 1), np.float32)
    for axis in (1, 2):
        x, inside = (_windows(a, size, stride, axis, 0, add) for a, add in ((x, jnp.add), (inside, np.add)))
    return x / jnp.asarray(inside, x.dtype)


def _windows(x: Any, size: int, stride: int, axis: int, fill: float, combine: Any) -> Any:
    """Windows along one axis, of a jax or numpy array."""
    numpy = np if isinstance(x, np.ndarray) else jnp
    out = (x.shape[axis] - 1) // stride + 1
    padded = numpy.pad(x, [(0, 0) if a != axis else (size // 2,) * 2 for a in range(4)], constant_values=fill)
    before = (slice(None),) * axis
    return reduce(combine, [padded[(*before, slice(i, i + stride * (out - 1) + 1, stride))] for i in range(size)])


def shifted(x: Array) -> Array:
    """`x` moved by one pixel up and to the left; a row and a column of zeros come in at the bottom and at the right."""
    return jnp.pad(x[:, 1:, 1:], ((0, 0), (0, 1), (0, 1), (0, 0)))
