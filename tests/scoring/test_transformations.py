"""Scores inside the user's own transformations of JAX: jit, vmap, `lax.map` and scan, and derivatives of scores by the parameters."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxzc
from jaxzc.types import Scaled

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(4, 5)), np.array([0, 1, 2, 1])
SETS = [{"a": rng.normal(size=(5, 4)), "b": rng.normal(size=(4, 3))} for _ in range(2)]
SMOOTH = ("snip", "grad_norm", "l2_norm", "plain", "grasp", "fisher", "jacob_cov", "synflow", "logsynflow")


def smooth(params: Any, x: Any) -> Any:
    return jnp.tanh(x @ params["a"]) @ params["b"]


def rectified(params: Any, x: Any) -> Any:
    return jax.nn.relu(x @ params["a"]) @ params["b"]


def narrow(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), tree)


def number(score: Any) -> Any:
    return score.value * 2.0 ** jnp.asarray(score.exponent, float) if isinstance(score, Scaled) else score


def test_derivatives_by_the_parameters() -> None:
    """Against differences along a direction, in float64."""
    direction = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), SETS[0])
    with jax.enable_x64(True):
        network, params = jaxzc.as_network(smooth, SETS[0], X)

        @jax.jit
        def scores(step: Any) -> Any:
            moved = jax.tree.map(lambda p, d: p + step * d, params, direction)
            return jnp.stack([number(s) for s in jaxzc.compute_scores(SMOOTH, network, moved, (X, Y)).values()])

        slopes = jax.jit(jax.jacrev(scores))(0.0)
        differences = (scores(1e-6) - scores(-1e-6)) / 2e-6
    np.testing.assert_allclose(slopes, differences, rtol=1e-5, atol=1e-7)
    assert np.all(np.abs(slopes) > 1e-3)


def test_gradients_in_single_precision() -> None:
    """jacob_cov and synflow compute in float64 inside, and take gradients in and out in the type of the parameters."""
    network, params = jaxzc.as_network(smooth, narrow(SETS[0]), narrow(X))

    def total(params: Any, proxy: str) -> Any:
        return number(jaxzc.compute_scores(proxy, network, params, (narrow(X), Y))[proxy])

    gradients = jax.jit(jax.grad(total), static_argnums=1)(params, "synflow")
    assert {leaf.dtype for leaf in jax.tree.leaves(gradients)} == {np.dtype(np.float32)}
    # with norm "none" the pass of ones through |a|, tanh, |b|: sum |w| dR/d|w|, differentiated here by plain JAX

    def synflow(params: Any) -> Any:
        def reached(weights: Any) -> Any:
            return smooth(weights, jnp.ones((1, 5))).sum()

        positive = jax.tree.map(jnp.abs, params)
        return sum((w * g).sum() for w, g in zip(*map(jax.tree.leaves, (positive, jax.grad(reached)(positive))), strict=True))

    for mine, theirs in zip(jax.tree.leaves(gradients), jax.tree.leaves(jax.grad(synflow)(params)), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-5)
    ours = jax.jit(jax.grad(total), static_argnums=1)(params, "jacob_cov")
    with jax.enable_x64(True):
        wide_network, wide = jaxzc.as_network(smooth, SETS[0], X)
        exact = jax.jit(jax.grad(lambda p: jaxzc.compute_scores("jacob_cov", wide_network, p, (X, Y))["jacob_cov"]))(wide)
    for mine, theirs in zip(jax.tree.leaves(ours), jax.tree.leaves(exact), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-2, atol=1e-2 * np.abs(theirs).max())


def test_codes_have_no_derivative() -> None:
    network, params = jaxzc.as_network(rectified, narrow(SETS[0]), narrow(X))
    gradients = jax.jit(jax.grad(lambda p: jaxzc.compute_scores("naswot", network, p, (narrow(X), Y))["naswot"]))(params)
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(gradients))


@pytest.mark.parametrize("each", [jax.vmap, lambda one: lambda sets: jax.lax.map(one, sets)], ids=["vmap", "lax.map"])
def test_parameter_sets(each: Any) -> None:
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(narrow, SETS))
    network, _ = jaxzc.as_network(rectified, narrow(SETS[0]), narrow(X))
    proxies = "snip,jacob_cov,naswot,synflow"
    many = jax.jit(each(lambda params: jaxzc.compute_scores(proxies, network, params, (narrow(X), Y))))(stacked)
    scorer = jaxzc.Scorer(rectified, proxies)
    for place, params in enumerate(SETS):
        expected = scorer.score(narrow(params), (narrow(X), Y))
        values = {name: number(jax.tree.map(lambda leaf, place=place: leaf[place], score)) for name, score in many.items()}
        assert {name: float(value) for name, value in values.items()} == pytest.approx(expected, rel=1e-4)


def test_seeds() -> None:
    network, params = jaxzc.as_network(rectified, narrow(SETS[0]), narrow(X))

    def drawn(key: Any) -> Any:
        return jax.random.normal(key)

    def one(seed: Any) -> Any:
        return jaxzc.compute_scores([drawn], network, params, (narrow(X), Y), key=jax.random.key(seed))["drawn"]

    many = jax.vmap(one)(jnp.arange(3))
    assert [float(score) for score in many] == [jaxzc.score(rectified, params, (narrow(X), Y), drawn, seed=s)["drawn"] for s in range(3)]
