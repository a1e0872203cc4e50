"""Norm of the weights."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxzc.definitions.facts import proxy
from jaxzc.numerics.layers import sum_over_layers
from jaxzc.types import Array


@proxy(direction="higher", labels=False, init="torch", over_layers="terms")
def l2_norm(weights: Sequence[Array]) -> Array:
    """Sum over layers of the L2 norm of the kernel.

    Definition: sum_l ||w_l||_2.
    Source: Abdelfattah et al., ICLR 2021, code (`l2_norm`).
    Authors' code: as here; their NAS-Bench-201 model also counts kernels of operations that are never used.
    Weights: convolution and linear kernels of the layers that exist.
    Fails: a measure of size and of the initialiser.
    """
    return sum_over_layers(lambda w: jnp.linalg.norm(w, axis=1), weights)
