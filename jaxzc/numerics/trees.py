"""Pytrees: parameters by name (every leaf has a path such as `stages/0/bn/scale`), and batches, whose leaves have a leading axis N."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxzc.types import Array, JaxzcError, Params, PyTree


def name_of(path: Any) -> str:
    """A leaf's path as `a/0/b`, lower case."""
    return "/".join(str(getattr(k, "key", getattr(k, "idx", getattr(k, "name", k)))) for k in path).lower()


def leaf_name(path: Any) -> str:
    """A leaf's path as "Conv_0/kernel"; the `value` inside an NNX variable is not named."""
    words = [str(getattr(key, "key", getattr(key, "idx", getattr(key, "name", key)))) for key in path]
    if words and isinstance(path[-1], jax.tree_util.GetAttrKey) and words[-1] == "value":
        words.pop()
    return "/".join(words) or "params"


def abstract(leaf: Any) -> jax.ShapeDtypeStruct:
    """Shape and dtype of an array, or of what stands for one."""
    return jax.ShapeDtypeStruct(jnp.shape(leaf), jnp.result_type(leaf))


def is_float(leaf: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(leaf), jnp.floating)


def is_real(leaf: Any) -> bool:
    """Whether a leaf holds floats, integers or truth values."""
    try:
        dtype = jnp.result_type(leaf)
    except (TypeError, ValueError):  # text, objects
        return False
    return any(jnp.issubdtype(dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_))


def map_named(function: Callable[[str, Array], Array], params: Params) -> Any:
    """`function(name, leaf)` in place of every floating-point leaf."""
    return jax.tree_util.tree_map_with_path(lambda path, leaf: function(name_of(path), leaf) if is_float(leaf) else leaf, params)


def without_biases(params: Params) -> tuple[list[Array], Callable[[list[Array]], Any]]:
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


def batch_size(tree: PyTree) -> int:
    """N, the leading axis that every leaf has; `JaxzcError` where leaves disagree, where one is a scalar and where there are none."""
    shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(tree)]
    if not shapes or any(not shape for shape in shapes) or len({shape[0] for shape in shapes}) > 1:
        raise JaxzcError(
            f"the inputs have shapes {', '.join(map(str, map(list, shapes))) or 'nothing'}, expected arrays that share a leading axis N"
        )
    return shapes[0][0]


def first(tree: PyTree, count: int | None) -> Any:
    """The first `count` examples of every leaf (None: all), as JAX arrays."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[:count], tree)


def wide_dtype(dtype: Any) -> Any:
    """The dtype of sums of what has `dtype`: itself where it is at least as wide as float32; float32 for half precision, in which a sum of
    65,505 ones may be infinite, and for integers."""
    return jnp.dtype(dtype if jnp.issubdtype(dtype, jnp.inexact) and jnp.finfo(dtype).bits >= 32 else jnp.float32)


def at_least_float32(x: Array) -> Array:
    """Floats in their `wide_dtype`, everything else as it is."""
    return x.astype(wide_dtype(x.dtype)) if is_float(x) else x
