"""Passes that start from a network's first floating values: the inputs themselves, or what integer inputs are embedded as."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxzc.numerics.trees import first
from jaxzc.types import Array, EmbeddingNetwork, Forward, JaxzcError, Network, Norm, Params, PyTree, Tap


def values(network: Network, params: Params, inputs: PyTree) -> Any:
    """The first floats `[B, ...]` that the inputs become: an array or a tuple of arrays (see `EmbeddingNetwork.entry`)."""
    return network.entry(params, inputs) if isinstance(network, EmbeddingNetwork) else jnp.asarray(inputs)


def shapes(network: Network, params: Params, inputs: PyTree) -> Any:
    """Their shapes and dtypes."""
    return jax.eval_shape(lambda p, x: values(network, p, x), params, first(inputs, None))


def forward(network: Network, params: Params, inputs: PyTree, entry: PyTree, *, norm: Norm, tap: Tap | None = None) -> Forward:
    """A pass of `inputs` with `entry` in the place of the first floats; of a network whose inputs are floats, a pass of `entry`, which may
    then hold another number of examples than the inputs."""
    if not isinstance(network, EmbeddingNetwork):
        return network.forward(params, entry, norm=norm, tap=tap)
    examples = {len(leaf) for leaf in jax.tree.leaves(entry)}
    if len(examples) != 1:
        raise JaxzcError(f"the first floats hold {sorted(examples)} examples, expected one number of them")
    return network.forward(params, first(inputs, examples.pop()), norm=norm, tap=tap, entry=entry)


def flat(gradients: Any, examples: int) -> Array:
    """Gradients by the first floats as `[B, D]`."""
    return jnp.concatenate([leaf.reshape(examples, -1) for leaf in jax.tree.leaves(gradients)], axis=1)
