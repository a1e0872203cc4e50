"""NEAR's pass: how many directions the values before and after each activation function really have."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from jaxzc._compile.float64 import in_float64
from jaxzc.definitions.facts import Passes, ingredient
from jaxzc.ingredients.drawn import named
from jaxzc.numerics.linalg import singular_values
from jaxzc.numerics.trees import first
from jaxzc.types import Array, Batch, JaxzcError, Network, Norm, Params, Tap

FUNCTIONS: Mapping[str, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,
    "relu6": jax.nn.relu6,
    "elu": jax.nn.elu,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "softplus": jax.nn.softplus,
    "silu": jax.nn.silu,
    "gelu": jax.nn.gelu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
}
"""Activation functions without a parameter of their own, by kind (see `ActivationGroup`)."""


@ingredient()
def near_offset(key: Array) -> Array:
    """Where the rows of NEAR's square matrices begin, as a fraction of all rows, scalar in [0, 1)."""
    return jax.random.uniform(named(key, "near_offset"))


@ingredient(Passes(forward=1))
def effective_ranks(network: Network, params: Params, batches: tuple[Batch, ...], norm: Norm, near_offset: Array) -> list[Array]:
    """Effective rank of the values before and after every activation function, per activation group `[values, 2]`, times how many functions
    act on the value: of a matrix of as many consecutive rows (examples and positions) as there are channels, or of all rows where there are
    fewer. 0 where the values are 0 or not finite.

    Raises `JaxzcError` where the network has no activation function, or one with a parameter of its own.
    """
    functions = activation_functions(network)

    def block(z: Array) -> Array:
        rows = z.reshape(-1, z.shape[-1])
        size = min(rows.shape)
        start = (near_offset * (len(rows) - size + 1)).astype(jnp.int32)
        return jax.lax.dynamic_slice_in_dim(rows, start, size) if len(rows) > size else rows

    records = network.forward(params, first(batches[0].inputs, None), norm=norm, tap=Tap(activation=block)).activations or {}
    counts = network.activation_counts()
    ranks = []
    for group in network.activations:
        before = records[group.name]
        both = jnp.stack([before, functions[group.name](before)], axis=1)
        ranks.append(in_float64(effective_rank)(both) * counts[group.name].sum(1)[:, None])
    return ranks


def activation_functions(network: Network) -> dict[str, Callable[[Array], Array]]:
    """Activation group's name -> its function. Raises `JaxzcError` where the network has no activation function, or one with a parameter of
    its own."""
    for group in network.activations:
        if group.kind not in FUNCTIONS:
            raise JaxzcError(f"needs the values after each activation function, and {group.kind!r} has a parameter of its own")
    if not network.activations:
        raise JaxzcError("needs the inputs of activation functions, and this network has none")
    return {group.name: FUNCTIONS[group.kind] for group in network.activations}


def effective_rank(matrices: Array) -> Array:
    """exp of the entropy of the singular values, divided by their sum, of matrices `[..., n, m]`; 0 of one that is 0 or not finite."""
    finite = jnp.isfinite(matrices).all((-2, -1))
    values = singular_values(jnp.where(finite[..., None, None], matrices, 0))
    total = values.sum(-1, keepdims=True)
    shares = values / jnp.where(total > 0, total, 1)
    entropy = -jnp.where(shares > 0, shares * jnp.log(jnp.where(shares > 0, shares, 1)), 0).sum(-1)
    return jnp.where(total[..., 0] > 0, jnp.exp(entropy), 0)
