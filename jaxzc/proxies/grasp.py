"""Gradient signal preservation."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxzc.definitions.facts import proxy
from jaxzc.numerics.layers import sum_over_layers
from jaxzc.types import Array


@proxy(direction="higher", labels=True, init="torch", norm="batch")
def grasp(weights: Sequence[Array], hvp: Sequence[Array]) -> Array:
    """Minus the sum over weights of w * (H g).

    Definition: sum -w (H g), g = dL/dw held constant, H the Hessian of the mean cross-entropy of one batch, both in the kernels only.
    Source: Wang et al., Picking Winning Tickets Before Training by Preserving Gradient Flow, ICLR 2020, eq. 8.
    Authors' code: as here (one iteration, temperature 1; Abdelfattah et al. add the minus sign because accuracy was negatively correlated).
    Weights: convolution and linear kernels.
    Fails: signed sum of large terms; sensitive to the batch and the initialisation.
    """
    return -sum_over_layers(jnp.multiply, weights, hvp)
