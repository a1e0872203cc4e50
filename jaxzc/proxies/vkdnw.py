"""VKDNW: how evenly the knowledge of a network's weights is spread, and how many layers there are to know."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxzc._compile.float64 import in_float64
from jaxzc.definitions.facts import proxy
from jaxzc.numerics.linalg import eigenvalues
from jaxzc.types import Array


@proxy(direction="higher", labels=False, redrawn="kaiming_normal_fan_in", norm="init")
def vkdnw(layer_fisher: Array, active: Sequence[Array]) -> Array:
    """Entropy of the deciles of the Fisher information's eigenvalues.

    Definition: -sum_k q_k log q_k, q the deciles 0.1 ... 0.9 of the eigenvalues of F, divided by their sum; F = mean_n J_n' C_n J_n, J the
        Jacobian of the logits by one weight of each layer, C = diag(p) - p p' the covariance of the predictions, on images of standard
        normal noise.
    Source: Tybl & Neumann, Training-free Neural Architecture Search through Variance of Knowledge of Deep Network Weights, CVPR 2025.
    Authors' code: one weight of each parameter tensor, scales and shifts of normalisation included, over 64 images; here one of each
        convolution and linear kernel, over 16. It multiplies J by the Cholesky factor of C where the formula has its transpose; here C.
    Weights: the first one of every convolution and linear kernel.
    Fails: between 0 and log 9, mostly ties of magnitude between deep networks; 0 where nothing depends on the weights.
    """

    def run(fisher: Array) -> Array:
        values = eigenvalues(fisher)
        count = jnp.concatenate([jnp.asarray(a) for a in active]).sum(dtype=fisher.dtype)
        # Layers that do not exist give zeros, which come first.
        places = jnp.arange(1, 10, dtype=fisher.dtype) / 10 * (count - 1) + (len(values) - count)
        below = jnp.floor(places)
        low = below.astype(jnp.int32)
        high = jnp.minimum(low + 1, len(values) - 1)
        deciles = jnp.maximum(values[low] + (places - below) * (values[high] - values[low]), 0)
        q = deciles / (deciles.sum() + 1e-300)
        return -jnp.where(q > 0, q * jnp.log(jnp.where(q > 0, q, 1)), 0).sum()

    return in_float64(run)(layer_fisher)


@proxy(direction="higher", labels=False, redrawn="kaiming_normal_fan_in", norm="init")
def vkdnw_single(layer_fisher: Array, active: Sequence[Array]) -> Array:
    """Number of layers, ties broken by the entropy of the Fisher information.

    Definition: number of convolution and linear layers + vkdnw / log 9.
    Source: Tybl & Neumann, VKDNW, CVPR 2025, section 3.4.
    Authors' code: the number of parameter tensors first, then the entropy; the order is the same wherever every layer has equally many.
    Weights: the first one of every convolution and linear kernel.
    Fails: compares only networks of one macro structure: depth decides everything else.
    """
    layers = jnp.stack([jnp.asarray(a).sum() for a in active]).sum()
    return layers.astype(layer_fisher.dtype) + vkdnw(layer_fisher, active) / jnp.log(9.0).astype(layer_fisher.dtype)
