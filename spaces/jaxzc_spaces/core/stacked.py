"""Entries of pytrees whose arrays are stacked along a leading axis, by an index that is traced.

Indices are never negative and always inside: saying so saves half of a program's lines, most of them from `array[index]`.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxzc.types import Array, JaxzcError, PyTree


def at(tree: PyTree, index: Any) -> Any:
    return jax.tree.map(lambda a: lax.dynamic_index_in_dim(a, index, keepdims=False, allow_negative_indices=False), tree)


def put(tree: PyTree, index: Any, values: Any) -> Any:
    """`tree` with `values` as its entry."""
    return jax.tree.map(lambda a, b: lax.dynamic_update_index_in_dim(a, b, index, 0, allow_negative_indices=False), tree, values)


def zeros(shapes: Any, count: int | None = None) -> Any:
    """Of these shapes and dtypes, or `count` of them."""
    return jax.tree.map(lambda a: jnp.zeros(a.shape if count is None else (count, *a.shape), a.dtype), shapes)


def stack(entries: Sequence[Any]) -> Any:
    """The entries along a leading axis."""
    return jax.tree.map(lambda *a: jnp.stack(a), *entries)


def read_where(condition: Array, read: Callable[[Array], PyTree], y: Array) -> Any:
    """`read(y)` where the condition holds, zeros elsewhere: reading costs a matrix product, so it is not done in vain."""
    nothing = zeros(jax.eval_shape(read, y))
    return lax.cond(condition, read, lambda _: nothing, y)


def spread(what: str, of: str, stacked: Mapping[str, Any] | None, groups: Sequence[Sequence[str]]) -> dict[str, Any] | None:
    """What a tap gives for each group, as one pytree for each member."""
    if stacked is None or not groups:
        return None
    missing = [names[0] for names in groups if names[0] not in stacked]
    if missing:
        raise JaxzcError(f"tap.{what} has no entry {missing[0]!r}: give one pytree for each {of} group, by its name")
    return {name: jax.tree.map(lambda a, k=k: a[k], stacked[names[0]]) for names in groups for k, name in enumerate(names)}


def gathered(records: Mapping[str, Any] | None, groups: Sequence[Sequence[str]]) -> Any:
    """What members recorded, stacked for each group."""
    if records is None:
        return None
    return OrderedDict((names[0], jax.tree.map(lambda *a: jnp.stack(a), *(records[name] for name in names))) for names in groups)
