"""Connection sensitivity: SNIP, and its signed form."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxzc.types import Array


def snip(weights: Sequence[Array], loss_grads: Sequence[Array]) -> Array:
    """Sum over weights of |w * dL/dw|.

    Definition: sum |w dL/dw| = sum |dL/dm| for a mask m = 1 on the weights, L the mean cross-entropy of one batch.
    Source: Lee et al., SNIP, ICLR 2019, eq. 3; as a score: Abdelfattah et al., ICLR 2021, section 3.3.
    Authors' code: as here.
    Labels: yes.
    Init: PyTorch default.
    Norm mode: batch.
    Weights: convolution and linear kernels.
    Direction: higher is better.
    Fails: grows with size; negative correlation on NAS-Bench-101.
    """
    return sum((jnp.abs(w * g).sum() for w, g in zip(weights, loss_grads, strict=True)), jnp.zeros(()))


def plain(weights: Sequence[Array], loss_grads: Sequence[Array]) -> Array:
    """Sum over weights of w * dL/dw, signed.

    Definition: sum w dL/dw, L the mean cross-entropy of one batch.
    Source: Mozer & Smolensky, Skeletonization, NeurIPS 1989; as a score: Abdelfattah et al., ICLR 2021, code.
    Authors' code: as here.
    Labels: yes.
    Init: PyTorch default.
    Norm mode: batch.
    Weights: convolution and linear kernels.
    Direction: disputed; correlations are weak and often negative. Reported as higher is better.
    Fails: batch normalisation makes a layer's loss invariant to the scale of its kernel, so that layer's exact term is 0 and what is left
        is the head and rounding.
    """
    return sum((w * g).sum() for w, g in zip(weights, loss_grads, strict=True)) + jnp.zeros(())
