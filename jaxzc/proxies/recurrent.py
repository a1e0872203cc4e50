"""Scores of recurrent networks: how hidden states and their Jacobians correlate, and how activation codes differ."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxzc.definitions.facts import proxy
from jaxzc.numerics.linalg import correlation_eigenvalues, log_determinant, mean_cosine_root
from jaxzc.proxies.jacob_cov import several
from jaxzc.types import Array, JaxzcError


@proxy(direction="higher", labels=False, init="torch", norm="batch")
def hidden_covariance(hidden_states: Sequence[Array], *, layer: int = 1, eps: float = 1e-5) -> Array:
    """How uncorrelated the units of a recurrent layer's hidden state are.

    Definition: -sum_i ( log(v_i + eps) + 1 / (v_i + eps) ), v the eigenvalues of the [units, units] correlation matrix of the states before
        every step (zeros first), over all steps and examples. `layer` counts from 1; -1 is the last.
    Source: Serianni & Kalita, Training-free Neural Architecture Search for RNNs and Transformers, ACL 2023.
    Authors' code: as here, for layers 1, 2 and 3 of NAS-Bench-NLP, whose first hidden state alone is read.
    Weights: none.
    Fails: where steps x examples are fewer than units, eigenvalues are 0 and each counts -1 / eps: the score is then minus the number of
        missing dimensions, and in single precision noise; give more tokens, or a larger `eps` such as 0.01. NaN where a unit is constant.
    """
    if not 1 <= (layer if layer > 0 else layer + len(hidden_states) + 1) <= len(hidden_states) or layer == 0:
        raise JaxzcError(f"hidden_covariance: layer={layer}: expected 1 to {len(hidden_states)}, or -1 for the last")
    states = hidden_states[layer - 1 if layer > 0 else layer]
    before = jnp.concatenate([jnp.zeros_like(states[:, :1]), states[:, :-1]], axis=1)
    values = correlation_eigenvalues(before.reshape(-1, states.shape[-1]).T)
    return -(jnp.log(values + eps) + 1 / (values + eps)).sum()


@proxy(direction="higher", labels=False, init="torch", norm="batch")
def hidden_jacob_cov(hidden_input_grads: Array, *, eps: float = 1e-5) -> Array:
    """How uncorrelated the examples' Jacobians of the top hidden state are.

    Definition: as jacob_cov, of d(sum of the last recurrent layer's states)/d(embedded tokens) in the place of the logits'.
    Source: Serianni & Kalita, ACL 2023 (Jacobian covariance), after Mellor et al., arXiv 2006.04647 version 1.
    Authors' code: as here; its network has no decoder.
    Weights: none.
    Fails: the Jacobians of untrained recurrent networks are nearly parallel, so that all but one eigenvalue are near 0 and 1 / (v + eps)
        decides; NaN where one is constant.
    """
    values = correlation_eigenvalues(several(hidden_input_grads))
    return -(jnp.log(values + eps) + 1 / (values + eps)).sum()


@proxy(direction="higher", labels=False, init="torch", norm="batch")
def hidden_jacob_cosine(hidden_input_grads: Array) -> Array:
    """How far from parallel the examples' Jacobians of the top hidden state are.

    Definition: 1 - 1/2 mean_(i != j) |cos(J_i, J_j)|^(1/20), J_i as in hidden_jacob_cov.
    Source: Serianni & Kalita, ACL 2023 (Jacobian cosine); after Celotti et al., Improving zero-shot neural architecture search with
        parameters scoring, 2020.
    Authors' code: as here.
    Weights: none.
    Fails: the 20th root brings all networks close to 1/2: differences are in the fourth digit or behind it.
    """
    return 1 - mean_cosine_root(several(hidden_input_grads), 20) / 2


@proxy(direction="higher", labels=False, init="torch", norm="batch")
def activation_distance(activation_kernels: Sequence[Array]) -> Array:
    """NASWOT of activation functions of every kind, and of every step of a recurrent network.

    Definition: log |det K|, K_ij the number of units of all activation functions' outputs on which [output > 0] agrees for examples i, j.
    Source: Serianni & Kalita, ACL 2023 (activation distance); after Mellor et al., ICML 2021.
    Authors' code: sums over two passes of the same batch, which doubles K and adds B log 2.
    Weights: none; signs of the outputs of activation functions.
    Fails: -inf where two examples have one code; sigmoids are positive everywhere, and only make examples alike.
    """
    return log_determinant(jnp.stack([*activation_kernels]).sum(0))
