"""Ingredients of Dextr and NEAR on small functions, against closed formulas and numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxzc
from jaxzc.ingredients.components import components, products
from jaxzc.ingredients.effective_ranks import effective_rank
from jaxzc.ingredients.extrinsic import inverse_condition
from jaxzc.ingredients.participation import log_participation_ratio
from jaxzc.types import JaxzcError


@pytest.mark.parametrize("rows", [3, 40])  # fewer than the 8 channels, and more
def test_principal_components_of_few_rows(rows: int) -> None:
    """Of as many rows as examples and positions, the number is that of the channels' covariance."""
    values = np.random.default_rng(rows).normal(size=(rows, 2, 8)) * 0.6 ** np.arange(8) + 5
    eigenvalues = np.linalg.eigvalsh(np.cov(values.reshape(-1, 8), rowvar=False))[::-1]
    for share in (0.5, 0.99):
        expected = 1 + int((np.cumsum(eigenvalues) <= share * eigenvalues.sum()).sum())
        assert components(products(jnp.asarray(values))[None], share).tolist() == [expected]


def test_condition_and_effective_rank() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(3, 5))
    s = np.linalg.svd(matrix, compute_uv=False)
    stacked = jnp.asarray(np.stack([matrix, 0 * matrix, matrix * np.nan]))
    np.testing.assert_allclose(inverse_condition(stacked), [s[-1] / s[0], 0, 0], rtol=1e-5)
    p = s / s.sum()
    np.testing.assert_allclose(effective_rank(stacked), [np.exp(-(p * np.log(p)).sum()), 0, 0], rtol=1e-5)
    np.testing.assert_allclose(effective_rank(3 * jnp.eye(4)), 4, rtol=1e-6)  # four equal directions


def test_components_until_the_share_is_exceeded() -> None:
    covariances = jnp.stack([jnp.diag(jnp.array([1.0, 6, 3])), jnp.zeros((3, 3)), jnp.eye(3)])
    assert components(covariances, 0.85).tolist() == [2, 0, 3]  # 0.6, 0.9, 1
    assert components(covariances, 0.95).tolist() == [3, 0, 3]


def test_curvature_of_a_circle() -> None:
    """Outputs W'x + (x . x) on the circle u0 cos t + u1 sin t, where x . x stays 1: v = W'u1, a = -W'u0, so that an orthogonal W of scale
    r gives a circle of radius r, of curvature 1 / r."""
    radius = 2.5
    turn, directions = (np.linalg.qr(np.random.default_rng(k).normal(size=(6, 6)))[0].astype(np.float32) for k in (1, 2))

    def model(w: jax.Array, x: jax.Array) -> jax.Array:
        return x @ w + (x * x).sum(1, keepdims=True)

    x = np.ones((2, 6), np.float32)
    network, weights = jaxzc.as_network(model, radius * turn, x)
    fixed = {"dextr_circle": (directions[:1], directions[1:2]), "dextr_coordinates": jnp.arange(6)}
    proxies = {"bend": lambda output_curvature: output_curvature}
    found = jaxzc.compute_scores(proxies, network, weights, (x, None), fixed=fixed)
    assert float(found["bend"]) == pytest.approx(1 / radius, rel=1e-4)


def test_dextr_of_one_layer() -> None:
    """A circle of drawn directions, outputs drawn with replacement; a layer of vectors counts 1."""
    w = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    batch = np.ones((2, 4), np.float32), None
    found = jaxzc.score(lambda w, x: jnp.tanh(x @ w), w, batch, "dextr")["dextr"]
    assert 0 < found < np.log(2)  # S is log 2, and S K / (S + K) is below S
    assert jaxzc.score(lambda w, x: 0 * (x @ w), w, batch, "dextr")["dextr"] == pytest.approx(np.log(2))  # the output never changes


def test_near_of_a_layer_by_hand() -> None:
    rng = np.random.default_rng(2)
    x, w = rng.normal(size=(3, 4)).astype(np.float32), rng.normal(size=(4, 5)).astype(np.float32)
    z = x @ w

    def rank(a: np.ndarray) -> float:
        p = np.linalg.svd(a, compute_uv=False)
        p = p[p > 1e-6] / p.sum()
        return float(np.exp(-(p * np.log(p)).sum()))

    found = jaxzc.score(lambda w, x: jax.nn.relu(x @ w), w, (x, None), "near")["near"]
    assert found == pytest.approx(rank(z) + rank(np.maximum(z, 0)), rel=1e-4)  # three rows, fewer than the five channels: all of them
    with pytest.raises(JaxzcError, match="leaky_relu"):
        jaxzc.score(lambda w, x: jax.nn.leaky_relu(x @ w), w, (x, None), "near", unavailable="error")


def test_participation_of_two_functions_by_hand() -> None:
    rng = np.random.default_rng(4)
    x, w = rng.normal(size=(7, 4)).astype(np.float32), rng.normal(size=(4, 3)).astype(np.float32)
    proxies = {"logs": lambda participation: jnp.stack([ratios.sum(0) for ratios in participation]).sum(0)}
    network, params = jaxzc.as_network(lambda w, x: jax.nn.relu(jnp.tanh(x @ w) @ w.T), w, x)
    logs = jaxzc.compute_scores(proxies, network, params, (x, None))["logs"]
    expected = 0.0
    for values in (np.tanh(x @ w), np.maximum(np.tanh(x @ w) @ w.T, 0)):
        c = np.cov(values.T, bias=True)
        expected += np.log(np.trace(c) ** 2 / np.trace(c @ c))
    np.testing.assert_allclose(np.asarray(logs), [expected, 2], rtol=1e-5)


def test_participation_of_equal_dead_and_broken_channels() -> None:
    assert log_participation_ratio(5 * jnp.eye(4)) == pytest.approx(np.log(4))
    assert log_participation_ratio(jnp.zeros((4, 4))) == 0
    assert log_participation_ratio(jnp.full((4, 4), jnp.inf)) == 0
