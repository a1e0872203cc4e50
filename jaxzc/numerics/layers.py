"""Sums over a network's layers, which come as one array for each group of layers whose kernels have one shape."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp

from jaxzc.numerics.trees import wide_dtype
from jaxzc.types import Array


def sum_over_layers(term: Callable[..., Array], *groups: Sequence[Any]) -> Array:
    """The sum of all elements of `term(*values)`, over the layer groups: `values` are those of one group, one of each of `groups`, and the
    term an array `[layers, ...]`. Scalar; 0 for a network without layers. Raises `ValueError` for sequences of different lengths.

    >>> sum_over_layers(lambda w, g: jnp.abs(w * g), weights, loss_grads)
    """
    sums = [jnp.sum(term(*values)) for values in zip(*groups, strict=True)]
    dtype = wide_dtype(sums[0].dtype) if sums else jnp.float32
    return sum((each.astype(dtype) for each in sums), jnp.zeros((), dtype))
