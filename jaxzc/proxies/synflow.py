"""Synaptic flow, without and with batch normalisation."""

import math
from collections.abc import Sequence

import jax.numpy as jnp

from jaxzc.definitions.facts import proxy
from jaxzc.numerics.layers import sum_over_layers
from jaxzc.types import Array, Scaled


def _flow(weights: Sequence[Array], grads: Sequence[Array], exponent: Array, log: bool) -> Array | Scaled:
    total = sum_over_layers(lambda w, g: jnp.abs(w) * jnp.abs(g), weights, grads)
    return jnp.log(total) + jnp.asarray(exponent, total.dtype) * math.log(2) if log else Scaled(total, exponent)


@proxy(direction="higher", labels=False, init="torch", norm="none", over_layers=lambda log: None if log else "terms")
def synflow(weights: Sequence[Array], synflow_grads: Sequence[Array], synflow_exponent: Array, *, log: bool = False) -> Array | Scaled:
    """Sum over weights of |w dR/dw| of the all-positive network without normalisation.

    Definition: sum |w dR/dw|, R = 1' f(1; |theta|): the sum of the logits of one image of ones, every parameter replaced by its absolute
        value and every normalisation layer by the identity.
    Source: Tanaka et al., Pruning neural networks without any data by iteratively conserving synaptic flow, NeurIPS 2020, eq. 4;
        as a score: Abdelfattah et al., ICLR 2021.
    Authors' code: as here, in float64. Their own NAS-Bench-201 model keeps the normalisation of its reduction blocks; NASLib reports the
        logarithm (`log=True`); ZenNAS's "syncflow" keeps batch normalisation and changes the sign.
    Weights: convolution and linear kernels.
    Fails: spans tens of orders of magnitude: correlate ranks, or use the logarithm. Computed with a separate power of two, so it overflows
        at no depth; the raw value is infinite only beyond float64.
    """
    return _flow(weights, synflow_grads, synflow_exponent, log)


@proxy(direction="higher", labels=False, init="torch", norm="batch")
def synflow_bn(
    weights: Sequence[Array], synflow_bn_grads: Sequence[Array], synflow_bn_exponent: Array, *, log: bool = False
) -> Array | Scaled:
    """Synaptic flow with batch normalisation kept, on a batch of one image of ones.

    Definition: as synflow, with batch normalisation in train mode on a batch of one.
    Source: Abdelfattah et al., ICLR 2021, code (`synflow_bn`).
    Authors' code: as here, in float64.
    Weights: convolution and linear kernels.
    Fails: the normalised network is not homogeneous, so this is no longer a conserved flow; a 1x1 feature map is normalised to zero.
    """
    return _flow(weights, synflow_bn_grads, synflow_bn_exponent, log)


@proxy(direction="higher", labels=False, init="torch", norm="none", over_layers="terms")
def logsynflow(weights: Sequence[Array], synflow_grads: Sequence[Array], synflow_exponent: Array) -> Array:
    """Synaptic flow with the logarithm of the gradients, so that no layer drowns the others.

    Definition: sum |w log(1 + dR/dw)|, R as in synflow.
    Source: Cavagnero et al., FreeREA: Training-Free Evolution-based Architecture Search, WACV 2023, section 3.3.
    Authors' code: as here, in float64, with Kaiming weights (fan-out) drawn anew three times and averaged.
    Weights: convolution and linear kernels.
    Fails: the logarithm depends on the scale of the weights, and with it on the initialiser.
    """

    def flow(w: Array, g: Array) -> Array:
        known = g > 0
        # log(1 + g 2^e) of any exponent
        logs = jnp.logaddexp(0, jnp.log(jnp.where(known, g, 1)) + jnp.asarray(synflow_exponent, g.dtype) * math.log(2))
        return jnp.where(known, jnp.abs(w) * logs, 0)

    return sum_over_layers(flow, weights, synflow_grads)
