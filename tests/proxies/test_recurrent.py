"""Proxies of recurrent networks, on hidden states and Jacobians written by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxzc.proxies.recurrent import activation_distance, hidden_covariance, hidden_jacob_cosine, hidden_jacob_cov
from jaxzc.types import JaxzcError

RNG = np.random.default_rng(0)
STATES = [RNG.standard_normal((3, 4, 2)).astype(np.float32) for _ in range(2)]


def log_eigenvalues(rows: np.ndarray, eps: float) -> float:
    values = np.linalg.eigvalsh(np.corrcoef(rows))
    return -(np.log(values + eps) + 1 / (values + eps)).sum()


def test_hidden_covariance_is_of_the_states_before_each_step() -> None:
    """The zero state that every example starts from is among them, its last state is not."""
    units = np.concatenate([np.zeros((3, 1, 2)), STATES[1][:, :-1]], 1).reshape(-1, 2).T
    for layer in (2, -1):
        score = hidden_covariance([jnp.asarray(s) for s in STATES], layer=layer, eps=0.1)
        np.testing.assert_allclose(score, log_eigenvalues(units, 0.1), rtol=1e-5)
    for layer in (0, 3, -3):
        with pytest.raises(JaxzcError, match=f"layer={layer}: expected 1 to 2, or -1 for the last"):
            hidden_covariance([jnp.asarray(s) for s in STATES], layer=layer)


def test_jacobians() -> None:
    """Of two orthogonal rows and one parallel to the first: cosines 0, 1 and 0."""
    rows = jnp.array([[1.0, 0, 0], [0, 2, 1], [3, 0, 0]])
    np.testing.assert_allclose(hidden_jacob_cosine(rows), 1 - 2 / 2 / 6, rtol=1e-6)
    others = RNG.standard_normal((3, 9)).astype(np.float32)
    np.testing.assert_allclose(hidden_jacob_cov(jnp.asarray(others), eps=0.1), log_eigenvalues(others, 0.1), rtol=1e-5)
    with pytest.raises(JaxzcError, match="at least 2 examples in the batch and got 1"):
        hidden_jacob_cosine(rows[:1])


def test_activation_distance_adds_up_kernels() -> None:
    np.testing.assert_allclose(activation_distance([jnp.array([[3.0, 1], [1, 3]]), jnp.array([[2.0, 2], [2, 2]])]), np.log(16), rtol=1e-6)
    assert activation_distance([jnp.full((2, 2), 2.0)]) == -np.inf
