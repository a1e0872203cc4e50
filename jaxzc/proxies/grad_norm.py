"""Norm of the loss gradient, layer by layer."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxzc.definitions.facts import proxy
from jaxzc.numerics.layers import sum_over_layers
from jaxzc.types import Array


@proxy(direction="higher", labels=True, init="torch", norm="batch", over_layers="terms")
def grad_norm(loss_grads: Sequence[Array]) -> Array:
    """Sum over layers of the L2 norm of the loss gradient.

    Definition: sum_l ||dL/dw_l||_2, L the mean cross-entropy of one batch.
    Source: Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021, section 3.2.
    Authors' code: as here (the sum of per-layer norms, not the norm of the whole gradient, which ZenNAS's copy takes).
    Weights: convolution and linear kernels, no biases, no normalisation parameters.
    Fails: grows with depth and width; negative correlation on NAS-Bench-101.
    """
    return sum_over_layers(lambda g: jnp.linalg.norm(g, axis=1), loss_grads)
