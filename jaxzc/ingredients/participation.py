"""InTrain's pass: over how many channels the values after each activation function are spread."""

import jax
import jax.numpy as jnp

from jaxzc.definitions.facts import Passes, ingredient
from jaxzc.ingredients.effective_ranks import activation_functions
from jaxzc.ingredients.maps import centred_covariance
from jaxzc.numerics.trees import first
from jaxzc.types import Array, Batch, Network, Norm, Params, Tap


@ingredient(Passes(forward=1))
def participation(network: Network, params: Params, batches: tuple[Batch, ...], norm: Norm) -> list[Array]:
    """For every activation function, the logarithm of the participation ratio of the values after it, and 1: both times how many functions
    act on the value, per activation group `[values, 2]`. The logarithm is 0 where no channel varies or a value is not finite.

    Raises `JaxzcError` where the network has no activation function, or one with a parameter of its own.
    """
    functions = activation_functions(network)
    different = list(dict.fromkeys(functions.values()))

    def ratios(z: Array) -> Array:
        """Of every function that may act on `z`: a value does not say of which group it is."""
        return jnp.stack([log_participation_ratio(centred_covariance(function(z))) for function in different])

    tap = Tap(activation=lambda z: jax.lax.stop_gradient(ratios(z)))
    records = network.forward(params, first(batches[0].inputs, None), norm=norm, tap=tap).activations or {}
    counts, logs = network.activation_counts(), []
    for group in network.activations:
        times = counts[group.name].sum(1)
        logarithms = records[group.name][:, different.index(functions[group.name])]
        logs.append(jnp.stack([logarithms * times, jnp.broadcast_to(times, logarithms.shape)], axis=1).astype(logarithms.dtype))
    return logs


def log_participation_ratio(covariance: Array) -> Array:
    """log of (tr C)^2 / tr(C^2) of a covariance `[C, C]`: that of the number of equal eigenvalues that it would take; 0 where C is 0 or not
    finite. Scalar."""
    largest = jnp.abs(covariance).max()
    usable = jnp.isfinite(largest) & (largest > 0)
    c = jnp.where(usable, covariance / jnp.where(usable, largest, 1), jnp.eye(len(covariance), dtype=covariance.dtype))
    return jnp.where(usable, 2 * jnp.log(jnp.trace(c)) - jnp.log(jnp.square(c).sum()), 0)
