"""Batch normalisation with running averages for the networks of spaces, which keep none themselves.

The network of a space takes, instead of the name of a norm mode, a function `(x, scale, bias) -> y` that it calls for each of its batch
normalisations in order (`jaxzc.types.Normalise`). These are the two that training and testing need.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import lax

from jaxzc.types import Array

EPS = 1e-5
Statistics = list[tuple[Array, Array]]
"""Mean and variance `[channels]` of every normalisation, in the order in which the network runs them."""


class ByBatch:
    """Normalises by the statistics of the batch, and keeps them in `seen`."""

    def __init__(self) -> None:
        self.seen: Statistics = []

    def __call__(self, x: Array, scale: Array, bias: Array) -> Array:
        axes = tuple(range(x.ndim - 1))
        mean, variance = x.mean(axes), x.var(axes)
        self.seen.append((mean, variance))
        return _normalised(x, mean, variance, scale, bias)


class ByRunning:
    """Normalises by the statistics given; `calls` counts how many were used."""

    def __init__(self, statistics: Sequence[tuple[Array, Array]]):
        self.statistics, self.calls = statistics, 0

    def __call__(self, x: Array, scale: Array, bias: Array) -> Array:
        mean, variance = self.statistics[self.calls]
        self.calls += 1
        return _normalised(x, mean, variance, scale, bias)


def averaged(running: Statistics, seen: Statistics, decay: float) -> Statistics:
    """`running` moved towards what a batch has shown."""
    return [(decay * m + (1 - decay) * a, decay * v + (1 - decay) * b) for (m, v), (a, b) in zip(running, seen, strict=True)]


def initial(shapes: Sequence[tuple[Array, Array]]) -> Statistics:
    """Mean 0 and variance 1 for statistics of these shapes."""
    return [(jnp.zeros(m.shape, m.dtype), jnp.ones(v.shape, v.dtype)) for m, v in shapes]


def _normalised(x: Array, mean: Array, variance: Array, scale: Array, bias: Array) -> Array:
    return (x - mean) * (scale * lax.rsqrt(variance + EPS)) + bias
