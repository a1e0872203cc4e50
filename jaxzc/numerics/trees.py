"""Parameters by name: every leaf of a pytree has a path such as `stages/0/bn/scale`."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxzc.types import Array


def name_of(path: Any) -> str:
    """A leaf's path as `a/0/b`, lower case."""
    return "/".join(str(getattr(k, "key", getattr(k, "idx", getattr(k, "name", k)))) for k in path).lower()


def is_float(leaf: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(leaf), jnp.floating)


def map_named(function: Callable[[str, Array], Array], params: Any) -> Any:
    """`function(name, leaf)` in place of every floating-point leaf."""
    return jax.tree_util.tree_map_with_path(lambda path, leaf: function(name_of(path), leaf) if is_float(leaf) else leaf, params)


def without_biases(params: Any) -> tuple[list[Array], Callable[[list[Array]], Any]]:
    """The floating-point leaves whose name has no "bias" (kernels and scales of normalisation), and the function that puts others of the
    same shapes in their place."""
    paths, structure = jax.tree_util.tree_flatten_with_path(params)
    leaves = [leaf for _, leaf in paths]
    chosen = [i for i, (path, leaf) in enumerate(paths) if is_float(leaf) and "bias" not in name_of(path)]

    def put(values: list[Array]) -> Any:
        replaced = list(leaves)
        for i, value in zip(chosen, values, strict=True):
            replaced[i] = value
        return jax.tree_util.tree_unflatten(structure, replaced)

    return [leaves[i] for i in chosen], put
