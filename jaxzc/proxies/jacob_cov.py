"""Correlation of input Jacobians."""

import jax.numpy as jnp

from jaxzc.definitions.facts import proxy
from jaxzc.numerics.linalg import correlation_eigenvalues
from jaxzc.types import Array, JaxzcError


@proxy(direction="higher", labels=False, init="torch", norm="batch")
def jacob_cov(input_grads: Array, *, eps: float = 1e-5) -> Array:
    """How uncorrelated the examples' input gradients are.

    Definition: -sum_i ( log(v_i + eps) + 1 / (v_i + eps) ), v the eigenvalues of the [B, B] correlation matrix of d(sum of logits)/dx.
    Source: Mellor et al., Neural Architecture Search without Training, arXiv 2006.04647 version 1; Abdelfattah et al., ICLR 2021.
    Authors' code: as here; they use a general eigenvalue solver, which may return complex numbers and then NaN.
    Weights: none.
    Fails: NaN where an input gradient is constant (disconnected networks, networks whose last operation before pooling is batch
        normalisation).
    """
    if len(input_grads) < 2:
        raise JaxzcError(f"needs at least 2 images in the batch and got {len(input_grads)}: it correlates the gradients of images")
    values = correlation_eigenvalues(input_grads)
    return -(jnp.log(values + eps) + 1 / (values + eps)).sum()
