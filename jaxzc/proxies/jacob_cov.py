"""How unlike the examples' input Jacobians are: by their correlations, and by their cosines."""

import jax.numpy as jnp

from jaxzc.definitions.facts import proxy
from jaxzc.numerics.linalg import correlation_eigenvalues, mean_cosine_root
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
    values = correlation_eigenvalues(several(input_grads))
    return -(jnp.log(values + eps) + 1 / (values + eps)).sum()


@proxy(direction="higher", labels=False, init="torch", norm="batch")
def jacob_cosine(input_grads: Array) -> Array:
    """How far from parallel the examples' input gradients are.

    Definition: 1 - 1/2 mean_(i != j) |cos(J_i, J_j)|^(1/20), J_i the gradient d(sum of logits)/dx of example i.
    Source: Celotti et al., Improving zero-shot neural architecture search with parameters scoring, 2020; as in Serianni & Kalita,
        Training-free Neural Architecture Search for RNNs and Transformers, ACL 2023 (Jacobian cosine).
    Authors' code: that of ACL 2023 takes the sum of the last hidden states, of recurrent networks as `hidden_jacob_cosine` does. For
        transformers its rows are the gradients of the table of positions, one for each of its features, and at the start that sum is
        constant: they are zero but for rounding, and with them the published scores. Ours are of the logits, by examples.
    Weights: none.
    Fails: the 20th root brings all networks close to 1/2: differences are in the fourth digit or behind it. NaN where a gradient is zero.
    """
    return 1 - mean_cosine_root(several(input_grads), 20) / 2


def several(rows: Array) -> Array:
    """The rows `[B, ...]` themselves. Raises `JaxzcError` where there is one only."""
    if len(rows) < 2:
        raise JaxzcError(f"needs at least 2 examples in the batch and got {len(rows)}: it compares the Jacobians of examples")
    return rows
