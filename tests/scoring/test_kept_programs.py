"""The programs that `jaxzc.score` keeps: what compiles once, what compiles anew, and that no result is an old one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.monitoring
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

import jaxzc
from jaxzc.tasks import Task
from tests.support.one_matrix import rectified
from tests.support.scored_models import BATCH, NNX, SETS, Linen, X, Y, snip

COMPILING = "/jax/core/compile/backend_compile_duration"
"""The event that JAX reports for each program it compiles."""


@contextmanager
def compilations() -> Iterator[list[str]]:
    """The compilations that JAX reports meanwhile."""
    events: list[str] = []

    def listen(event: str, duration_secs: float, **kwargs: str | int) -> None:
        events.extend([event] if event == COMPILING else [])

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield events
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def test_a_loop_over_models_and_seeds_of_one_shape_compiles_once() -> None:
    variables = [Linen().init(jax.random.key(i), X) for i in range(4)]
    models = [(rectified, params) for params in SETS], [(Linen(), v) for v in variables], [(NNX(nnx.Rngs(i)), None) for i in range(4)]
    for loop in models:
        with compilations() as events:
            first = snip(*loop[0])
        assert events
        with compilations() as events:
            others = [snip(*pair, seed=seed) for seed, pair in enumerate(loop)]
        assert events == []
        assert others[0] == first
        assert len(set(others)) == len(loop)


def test_other_models_and_shapes_compile_anew() -> None:
    variables = Linen().init(jax.random.key(0), X)
    snip(Linen(), variables)
    wider = Linen(features=5)
    for model, params, batch in (
        (wider, wider.init(jax.random.key(0), X), BATCH),
        (Linen(), variables, (X[:3], Y[:3])),
        (NNX(nnx.Rngs(0), nnx.gelu), None, BATCH),
        (NNX(nnx.Rngs(0), nnx.tanh), None, BATCH),
    ):
        with compilations() as events:
            snip(model, params, batch)
        assert events


SCALE = 1.0


def scaled(params: Any, x: Any) -> Any:
    return SCALE * rectified(params, x)


class Block(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        return inner(nn.Dense(3)(x))


def inner(x: Any) -> Any:
    return nn.relu(x)


def test_what_a_model_closes_over_is_read_at_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    constant = np.ones(3, np.float32)

    def shifted(params: Any, x: Any) -> Any:
        return rectified(params, x) + constant

    def expected(scale: Any = 1.0, shift: Any = 0.0) -> float:
        def loss(w: Any) -> Any:
            return jaxzc.cross_entropy(scale * rectified({"w": w}, X) + shift, jnp.asarray(Y))

        w = SETS[0]["w"]
        return float(jnp.abs(w * jax.grad(loss)(w)).sum())

    assert snip(shifted, SETS[0]) == pytest.approx(expected(shift=1.0), rel=1e-5)
    constant[:] = [5, 0, -5]  # in place
    assert snip(shifted, SETS[0]) == pytest.approx(expected(shift=constant), rel=1e-5)
    constant = np.array([0, 0, 9], np.float32)  # another array in its place
    assert snip(shifted, SETS[0]) == pytest.approx(expected(shift=constant), rel=1e-5)
    assert snip(scaled, SETS[0]) == pytest.approx(expected(), rel=1e-5)
    monkeypatch.setitem(globals(), "SCALE", 3.0)
    assert snip(scaled, SETS[0]) == pytest.approx(expected(3.0), rel=1e-5)


def test_a_function_that_a_module_calls_may_change(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = Block().init(jax.random.key(0), X)
    before = snip(Block(), variables)
    monkeypatch.setitem(globals(), "inner", nn.tanh)
    assert snip(Block(), variables) != before


def test_what_a_loss_and_a_proxy_close_over_is_read_at_every_call() -> None:
    weight, power = np.float32(1), 1.0

    def loss(outputs: Any, targets: Any) -> Any:
        return weight * outputs.sum()

    def largest(loss_grads: Any) -> Any:
        return jnp.abs(loss_grads[0]).max() ** power

    first = [jaxzc.score(rectified, SETS[0], BATCH, proxies, task=Task(loss)) for proxies in ("snip", [largest])]
    weight = np.float32(2)
    second = [jaxzc.score(rectified, SETS[0], BATCH, proxies, task=Task(loss)) for proxies in ("snip", [largest])]
    assert [s[k] / f[k] for f, s in zip(first, second, strict=True) for k in f] == pytest.approx([2, 2])
    power = 2.0
    assert jaxzc.score(rectified, SETS[0], BATCH, [largest], task=Task(loss))["largest"] == pytest.approx(second[1]["largest"] ** 2)


def test_what_an_ingredient_of_your_own_closes_over_is_read_at_every_call() -> None:
    factor = 2.0

    @jaxzc.ingredient(jaxzc.Passes())
    def norms(weights: Any) -> Any:
        return [factor * jnp.linalg.norm(w, axis=1) for w in weights]

    def total(norms: Any) -> Any:
        return sum((n.sum() for n in norms), jnp.zeros(()))

    def score() -> float:
        return jaxzc.score(rectified, SETS[0], BATCH, [total], ingredients=[norms])["total"]

    norm = float(jnp.linalg.norm(SETS[0]["w"]))
    assert score() == pytest.approx(2 * norm, rel=1e-5)
    factor = 3.0
    assert score() == pytest.approx(3 * norm, rel=1e-5)
    assert jaxzc.Scorer(rectified, [total], ingredients=[norms]).score(SETS[0], BATCH)["total"] == score()


def test_other_collections_of_a_model_are_no_part_of_the_program() -> None:
    class Constant(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            return nn.Dense(3)(x) * self.variable("constants", "scale", lambda: jnp.ones(())).value

    variables = Constant().init(jax.random.key(0), X)
    scorer = jaxzc.Scorer(Constant(), "plain", task=Task(lambda outputs, targets: outputs.sum()))
    one, two = (scorer.score({**variables, "constants": {"scale": jnp.float32(s)}}, BATCH)["plain"] for s in (1, 2))
    assert two == pytest.approx(2 * one, rel=1e-5)
    assert scorer.compilations == 1
