"""Norm of the loss gradient, layer by layer."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxzc.types import Array


def grad_norm(loss_grads: Sequence[Array]) -> Array:
    """Sum over layers of the L2 norm of the loss gradient.

    Definition: sum_l ||dL/dw_l||_2, L the mean cross-entropy of one batch.
    Source: Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021, section 3.2.
    Authors' code: as here (the sum of per-layer norms, not the norm of the whole gradient, which ZenNAS's copy takes).
    Labels: yes.
    Init: PyTorch default.
    Norm mode: batch.
    Weights: convolution and linear kernels, no biases, no normalisation parameters.
    Direction: higher is better.
    Fails: grows with depth and width; negative correlation on NAS-Bench-101.
    """
    return sum((jnp.linalg.norm(g, axis=1).sum() for g in loss_grads), jnp.zeros(()))
