"""Models of other libraries as these hand them out, where they are installed (`benchmarks/third_party.py` tries more of them)."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxzc
from jaxzc.types import JaxzcError

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(6, 5)).astype(np.float32), np.array([0, 1, 2, 1, 0, 2])
PROXIES = "snip,params,flops"


def saliency(outputs: Callable[[list[Any]], Any], kernels: list[Any]) -> float:
    """snip by plain JAX."""
    gradients = jax.grad(lambda ws: jaxzc.cross_entropy(outputs(ws), jnp.asarray(Y)))(kernels)
    return float(sum(jnp.abs(w * g).sum() for w, g in zip(kernels, gradients, strict=True)))


def normalised(h: Any, eps: float) -> Any:
    return (h - h.mean(0)) / jnp.sqrt(h.var(0) + eps)


def test_a_module_of_equinox() -> None:
    eqx: Any = pytest.importorskip("equinox")
    models = [eqx.nn.MLP(5, 3, 4, 1, key=jax.random.key(seed)) for seed in (0, 1)]

    def expected(model: Any) -> dict[str, float]:
        first, last = model.layers
        kernels = [first.weight, last.weight]
        snip = saliency(lambda ws: jax.nn.relu(X @ ws[0].T + first.bias) @ ws[1].T + last.bias, kernels)
        return {"snip": snip, "params": 5 * 4 + 4 + 4 * 3 + 3, "flops": 5 * 4 + 4 * 3}

    scorer = jaxzc.Scorer(models[0], PROXIES)
    assert scorer.score(None, (X, Y)) == pytest.approx(expected(models[0]), rel=1e-5)
    assert jaxzc.score(models[1], None, (X, Y), PROXIES) == pytest.approx(expected(models[1]), rel=1e-5)
    other, _ = eqx.partition(models[1], eqx.is_inexact_array)
    assert scorer.score(other, (X, Y)) == pytest.approx(expected(models[1]), rel=1e-5)
    assert scorer.compilations == 1
    network, params = jaxzc.as_network(models[0], None, X)
    np.testing.assert_allclose(network.forward(params, X, norm="batch").outputs, jax.vmap(models[0])(X), rtol=1e-5)


def test_a_module_of_equinox_with_a_state() -> None:
    eqx: Any = pytest.importorskip("equinox")

    class Net(eqx.Module):
        first: Any
        norm: Any
        drop: Any
        last: Any

        def __init__(self, key: Any):
            keys = jax.random.split(key)
            self.first, self.norm = eqx.nn.Linear(5, 4, key=keys[0]), eqx.nn.BatchNorm(4, "batch", mode="batch")
            self.drop, self.last = eqx.nn.Dropout(0.5), eqx.nn.Linear(4, 3, key=keys[1])

        def __call__(self, x: Any, state: Any, key: Any = None) -> Any:
            h, state = self.norm(self.first(x), state)
            return self.last(self.drop(jax.nn.relu(h), key=key)), state

    model, state = eqx.nn.make_with_state(Net)(jax.random.key(0))
    kernels = [model.first.weight, model.last.weight]

    def outputs(ws: list[Any]) -> Any:
        return jax.nn.relu(normalised(X @ ws[0].T + model.first.bias, model.norm.eps)) @ ws[1].T + model.last.bias

    scores = jaxzc.score(model, state, (X, Y), PROXIES)
    assert scores == pytest.approx({"snip": saliency(outputs, kernels), "params": 20 + 4 + 8 + 12 + 3, "flops": 32}, rel=1e-4)
    with pytest.raises(
        JaxzcError, match=r"^Net has a state besides its parameters: give that, score\(model, state, batch\), where model, "
    ):
        jaxzc.score(model, None, (X, Y), PROXIES)


def test_a_model_of_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    keras: Any = pytest.importorskip("keras")
    layers = keras.layers
    parts = [layers.Dense(4), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.5), layers.Dense(3)]
    with pytest.raises(JaxzcError, match=r"^Sequential has no weights yet: call model.build"):
        jaxzc.score(keras.Sequential(parts), None, (X, Y), PROXIES)
    model = keras.Sequential([keras.Input((5,)), *parts])
    kernels = [jnp.asarray(parts[place].kernel.value) for place in (0, 4)]

    def outputs(ws: list[Any]) -> Any:
        return jax.nn.relu(normalised(X @ ws[0], parts[1].epsilon)) @ ws[1]

    scores = jaxzc.score(model, None, (X, Y), PROXIES)
    assert scores == pytest.approx({"snip": saliency(outputs, kernels), "params": 20 + 4 + 8 + 12 + 3, "flops": 32}, rel=1e-4)
    twice = [2 * variable.value for variable in model.trainable_variables]
    assert jaxzc.score(model, twice, (X, Y), "l2_norm")["l2_norm"] == pytest.approx(
        2 * jaxzc.score(model, None, (X, Y), "l2_norm")["l2_norm"], rel=1e-5
    )


def test_functions_of_haiku() -> None:
    hk: Any = pytest.importorskip("haiku")

    def forward(x: Any, is_training: bool) -> Any:
        h = hk.BatchNorm(True, True, 0.9)(hk.Linear(4)(x), is_training=is_training)
        return hk.Linear(3)(jax.nn.relu(h))

    model = hk.transform_with_state(forward)
    params, state = model.init(jax.random.key(0), X, True)
    kernels = [params["linear"]["w"], params["linear_1"]["w"]]
    expected = saliency(lambda ws: jax.nn.relu(normalised(X @ ws[0], 1e-5)) @ ws[1], kernels)
    every: list[dict[str, Any]] = [{}, {"is_training": False}]
    for options in every:
        scores = jaxzc.score(model, (params, state), (X, Y), PROXIES, **options)
        assert scores == pytest.approx({"snip": expected, "params": 47, "flops": 32}, rel=1e-4)
