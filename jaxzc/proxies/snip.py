"""Connection sensitivity: SNIP, and its signed form."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxzc.definitions.facts import proxy
from jaxzc.numerics.layers import sum_over_layers
from jaxzc.types import Array


@proxy(direction="higher", labels=True, init="torch", norm="batch", over_layers="terms")
def snip(weights: Sequence[Array], loss_grads: Sequence[Array]) -> Array:
    """Sum over weights of |w * dL/dw|.

    Definition: sum |w dL/dw| = sum |dL/dm| for a mask m = 1 on the weights, L the mean cross-entropy of one batch.
    Source: Lee et al., SNIP, ICLR 2019, eq. 3; as a score: Abdelfattah et al., ICLR 2021, section 3.3.
    Authors' code: as here.
    Weights: convolution and linear kernels.
    Fails: grows with size; negative correlation on NAS-Bench-101.
    """
    return sum_over_layers(lambda w, g: jnp.abs(w * g), weights, loss_grads)


@proxy(direction="higher", labels=True, init="torch", norm="batch", over_layers="terms")
def plain(weights: Sequence[Array], loss_grads: Sequence[Array]) -> Array:
    """Sum over weights of w * dL/dw, signed.

    Definition: sum w dL/dw, L the mean cross-entropy of one batch.
    Source: Mozer & Smolensky, Skeletonization, NeurIPS 1989; as a score: Abdelfattah et al., ICLR 2021, code.
    Authors' code: as here.
    Weights: convolution and linear kernels.
    Fails: the direction is disputed: correlations are weak and often negative. Batch normalisation makes a layer's loss invariant to the
        scale of its kernel, so that layer's exact term is 0 and what is left is the head and rounding.
    """
    return sum_over_layers(jnp.multiply, weights, loss_grads)
