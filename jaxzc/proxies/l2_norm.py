"""Norm of the weights."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxzc.types import Array


def l2_norm(weights: Sequence[Array]) -> Array:
    """Sum over layers of the L2 norm of the kernel.

    Definition: sum_l ||w_l||_2.
    Source: Abdelfattah et al., ICLR 2021, code (`l2_norm`).
    Authors' code: as here; their NAS-Bench-201 model also counts kernels of operations that are never used.
    Labels: no.
    Init: PyTorch default.
    Norm mode: none needed.
    Weights: convolution and linear kernels of the layers that exist.
    Direction: higher is better.
    Fails: a measure of size and of the initialiser.
    """
    return sum((jnp.linalg.norm(w, axis=1).sum() for w in weights), jnp.zeros(()))
