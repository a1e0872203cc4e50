"""W-PCA's pass: how many principal components the values before each activation function have."""

import jax
import jax.numpy as jnp

from jaxzc._compile.float64 import in_float64
from jaxzc.definitions.facts import Passes, ingredient
from jaxzc.numerics.linalg import eigenvalues
from jaxzc.numerics.trees import first
from jaxzc.types import Array, Batch, JaxzcError, Network, Norm, Params, Tap


@ingredient(Passes(forward=1))
def principal_components(network: Network, params: Params, batches: tuple[Batch, ...], norm: Norm, *, share: float = 0.99) -> list[Array]:
    """How many principal components of the inputs of every activation function (rows: examples and positions, padding included) it takes
    until their part of the variance exceeds `share`, times how many functions act on the value, per activation group `[values]`. 0 where
    the values do not vary or are not finite.

    Raises `JaxzcError` for a share outside 0..1, and where the network has no activation function.
    """
    if not 0 < share < 1:
        raise JaxzcError(f"share={share!r}: expected a part of the variance between 0 and 1, such as 0.99")
    if not network.activations:
        raise JaxzcError("needs the inputs of activation functions, and this network has none")
    tap = Tap(activation=lambda z: jax.lax.stop_gradient(products(z)))
    records = network.forward(params, first(batches[0].inputs, None), norm=norm, tap=tap).activations or {}
    counts = network.activation_counts()
    return [in_float64(lambda c: components(c, share))(records[g.name]) * counts[g.name].sum(1) for g in network.activations]


def products(values: Array) -> Array:
    """Covariance of the channels, `[C, C]`, of values `[B, ..., C]`; where there are fewer rows than channels, the products of the rows
    with each other, `[rows, rows]`, whose eigenvalues other than 0 are the same and cost less."""
    rows = values.reshape(-1, values.shape[-1])
    centred = rows - rows.mean(0, keepdims=True)
    few = len(rows) < rows.shape[1]
    return (centred @ centred.T if few else centred.T @ centred) / len(rows)


def components(covariances: Array, share: float) -> Array:
    """For covariances `[values, n, n]`, the number of leading eigenvalues that together exceed the part `share` of the sum of all; 0 for a
    matrix that is 0 or not finite."""
    finite = jnp.isfinite(covariances).all((1, 2))
    values = jnp.maximum(eigenvalues(jnp.where(finite[:, None, None], covariances, 0))[:, ::-1], 0)
    total = values.sum(-1, keepdims=True)
    parts = jnp.cumsum(values, -1) / jnp.where(total > 0, total, 1)
    needed = jnp.minimum((parts <= share).sum(-1) + 1, values.shape[-1])
    return jnp.where(total[:, 0] > 0, needed, 0).astype(values.dtype)
