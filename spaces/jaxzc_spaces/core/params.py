"""Nested parameters: arrays by path, as in "stages/0/conv3x3", and the module that has them."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
from flax import nnx

from jaxzc.types import Array, Params


def leaf(params: Params, path: str) -> Any:
    """What lies at the path."""
    return at_path(params, list(map(_key, path.split("/"))) if path else ())


def at_path(params: Params, path: Sequence[Any]) -> Any:
    """What lies at these keys."""
    for key in path:
        params = params[key]
    return params


def with_leaves(params: Params, leaves: Mapping[str, Array]) -> Params:
    """A copy of nested `params` in which the arrays at these paths are replaced, reshaped to the shapes there."""
    params = jax.tree.map(lambda a: a, params)
    for path, array in leaves.items():
        above, _, last = path.rpartition("/")
        parent, key = leaf(params, above), _key(last)
        parent[key] = array.reshape(parent[key].shape)
    return params


def nested(leaves: Mapping[str, Array]) -> dict[Any, Any]:
    """Nested parameters that have these arrays at these paths."""
    params: dict[Any, Any] = {}
    for path, array in leaves.items():
        *above, last = map(_key, path.split("/"))
        parent = params
        for key in above:
            parent = parent.setdefault(key, {})
        parent[last] = array
    return params


def with_parameters(graph: Any, structure: Any, params: Params) -> Any:
    """The NNX module of this graph with these parameters (nested dict)."""
    state = jax.tree.map(lambda a: a, structure)  # replacing works in place
    nnx.replace_by_pure_dict(state, params)
    return nnx.merge(graph, state)


def _key(word: str) -> Any:
    return int(word) if word.isdigit() else word
