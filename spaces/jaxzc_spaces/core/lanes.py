"""Entries of stacked arrays, as `stacked.py` reads and writes them, for several architectures that `vmap` puts side by side.

Where the index is the same for all of them, JAX's own rule still makes a gather of a slice and a scatter of an update, and XLA then reads
the old entry beside the new one and writes an update of its own (two thirds more bytes for an edge of NAS-Bench-201's first stage). Here a
slice stays a slice, along the next axis. Nothing here can be differentiated backwards.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap

from jaxzc.types import Array, PyTree


def at(tree: PyTree, index: Any) -> Any:
    """The entry of every array."""
    return jax.tree.map(lambda a: _read(0)(a, index), tree)


def put(tree: PyTree, index: Any, values: Any) -> Any:
    """`tree` with `values` as its entry."""
    return jax.tree.map(lambda a, b: _written(0)(a, b, index), tree, values)


@lru_cache
def _read(axis: int) -> Callable[[Array, Array], Array]:
    def read(a: Array, index: Array) -> Array:
        return lax.dynamic_index_in_dim(a, index, axis, keepdims=False, allow_negative_indices=False)

    of_one = custom_vmap(read)

    @of_one.def_vmap
    def _(size: int, batched: tuple[bool, bool], a: Array, index: Array) -> tuple[Array, bool]:
        if batched[1]:
            return jax.vmap(read, [0 if of else None for of in batched])(a, index), True
        return _read(axis + 1)(a, index), True

    return of_one


@lru_cache
def _written(axis: int) -> Callable[[Array, Array, Array], Array]:
    def written(a: Array, b: Array, index: Array) -> Array:
        return lax.dynamic_update_index_in_dim(a, b, index, axis, allow_negative_indices=False)

    of_one = custom_vmap(written)

    @of_one.def_vmap
    def _(size: int, batched: tuple[bool, bool, bool], a: Array, b: Array, index: Array) -> tuple[Array, bool]:
        if batched[2]:
            return jax.vmap(written, [0 if of else None for of in batched])(a, b, index), True
        a, b = (one if of else jnp.broadcast_to(one, (size, *one.shape)) for one, of in zip((a, b), batched, strict=False))
        return _written(axis + 1)(a, b, index), True

    return of_one
