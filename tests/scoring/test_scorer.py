"""`jaxzc.Scorer`, and the programs that `jaxzc.score` keeps: what compiles once, what compiles anew, and that no result is an old one."""

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
from jaxzc.types import JaxzcError

COMPILING = "/jax/core/compile/backend_compile_duration"
"""The event that JAX reports for each program it compiles."""

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(4, 6)).astype(np.float32), np.array([0, 1, 2, 1])
BATCH = (X, Y)
SETS = [{"w": jnp.asarray(rng.normal(size=(6, 3)).astype(np.float32))} for _ in range(3)]
STACKED = jax.tree.map(lambda *leaves: jnp.stack(leaves), *SETS)


def rectified(params: Any, x: Any) -> Any:
    return jax.nn.relu(x @ params["w"])


class Linen(nn.Module):
    features: int = 4

    @nn.compact
    def __call__(self, x: Any, train: bool = False) -> Any:
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(self.features)(x))
        return nn.Dense(3)(nn.Dropout(0.5, deterministic=not train)(nn.relu(x)))


class NNX(nnx.Module):
    def __init__(self, rngs: nnx.Rngs, act: Any = nnx.relu):
        self.first, self.last = nnx.Linear(6, 4, rngs=rngs), nnx.Linear(4, 3, rngs=rngs)
        self.norm, self.drop, self.act = nnx.BatchNorm(4, rngs=rngs), nnx.Dropout(0.5, rngs=rngs), act

    def __call__(self, x: Any) -> Any:
        return self.last(self.drop(self.act(self.norm(self.first(x)))))


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


def snip(model: Any, params: Any = None, batch: Any = BATCH, **options: Any) -> float:
    return jaxzc.score(model, params, batch, "snip", **options)["snip"]


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


def test_ingredients_of_your_own() -> None:
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


def test_a_scorer_compiles_for_each_shape_and_equals_score() -> None:
    scorer = jaxzc.Scorer(rectified, "snip,naswot,params")
    assert scorer.compilations == scorer.memory == 0
    scores = [scorer.score(params, BATCH, seed) for seed, params in enumerate(SETS)]
    assert scores == [jaxzc.score(rectified, params, BATCH, "snip,naswot,params") for params in SETS]
    assert scorer.compilations == 1
    assert scorer.memory_of(SETS[0], BATCH) == scorer.memory > X.nbytes
    scorer.score(SETS[0], (X[:2], Y[:2]))
    assert scorer.compilations == 2
    assert list(scores[0]) == scorer.proxies == ["snip", "naswot", "params"]
    assert jaxzc.Scorer(rectified, "params,layers").score(SETS[0], BATCH) == {"params": 18, "layers": 1}


@pytest.mark.parametrize("chunk", [None, 2, 3])
def test_many_parameter_sets_and_many_seeds(chunk: int | None) -> None:
    scorer = jaxzc.Scorer(rectified, SEEDED)
    single = [scorer.score(params, BATCH, seed) for params, seed in zip(SETS, (5, 6, 7), strict=True)]
    many = scorer.score_many(STACKED, BATCH, [5, 6, 7], chunk=chunk)
    for one, other in zip(single, many, strict=True):
        assert other == pytest.approx(one, rel=1e-5)
    assert scorer.compilations == (1 if chunk is None else 2)
    seeds = scorer.score_many(SETS[0], BATCH, (5, 6), stacked=False, chunk=chunk)
    assert seeds[0] == pytest.approx(single[0], rel=1e-5)
    assert seeds[0]["drawn"] != seeds[1]["drawn"]
    assert seeds[0]["snip"] == pytest.approx(seeds[1]["snip"])


SEEDED = {"snip": "snip", "synflow": "synflow", "params": "params", "drawn": lambda key: jax.random.normal(key)}


def test_parameter_sets_of_modules() -> None:
    keys = jax.random.split(jax.random.key(0), 2)
    variables = jax.vmap(lambda key: Linen().init(key, X))(keys)
    many = jaxzc.Scorer(Linen(), "snip").score_many(variables, BATCH)
    assert [s["snip"] for s in many] == [pytest.approx(snip(Linen(), jax.tree.map(lambda v, i=i: v[i], variables))) for i in range(2)]

    models = [NNX(nnx.Rngs(i)) for i in range(2)]
    states = [nnx.state(model, nnx.Param) for model in models]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    many = jaxzc.Scorer(models[0], "snip").score_many(stacked, BATCH)
    assert [s["snip"] for s in many] == [pytest.approx(snip(model)) for model in models]


def test_unusable_stacks() -> None:
    scorer = jaxzc.Scorer(rectified, "snip")
    cases: list[tuple[Any, str]] = [
        (((SETS[0]["w"], jnp.ones(2)), BATCH), r"^stacked parameters have a leading axis of one size .*\[2, 6\].*stacked=False"),
        ((STACKED, BATCH, [1, 2]), r"^2 seeds for 3 stacked parameter sets: give one seed for all, or 3"),
    ]
    for arguments, message in cases:
        with pytest.raises(JaxzcError, match=message):
            scorer.score_many(*arguments)
    with pytest.raises(JaxzcError, match=r"^stacked=False scores one set of parameters with several seeds"):
        scorer.score_many(SETS[0], BATCH, stacked=False)
    with pytest.raises(JaxzcError, match=r"^chunk=0: expected how many networks are scored at a time, at least 1"):
        scorer.score_many(STACKED, BATCH, chunk=0)


def test_programs_used_longest_ago_go_first() -> None:
    scorer = jaxzc.Scorer(rectified, "l2_norm")
    scorer._recent.most = 2
    for size in (1, 2, 3, 2, 1):
        scorer.score(SETS[0], (X[:size], Y[:size]))
    assert scorer.compilations == 4


def test_memory_that_is_not_there_is_a_sentence() -> None:
    def huge(params: Any, x: Any) -> Any:  # sorts more bytes than a process can address
        many = (x @ params["w"])[:, None, :1] + jnp.arange(10**7, dtype=jnp.float32)
        return x @ params["w"] + jnp.sort(jnp.broadcast_to(many, (4, 10**9, 10**7)), axis=1).max()

    scorer = jaxzc.Scorer(huge, {"sum": lambda logits: logits.sum()})
    assert scorer.memory_of(SETS[0], BATCH) > 10**17
    advice = "give a batch of fewer than 4 examples, or fewer proxies"
    sentence = rf"^the program plans \d+.00 GB, which do not fit into memory \(.*\): {advice}$"
    with pytest.raises(JaxzcError, match=sentence):
        scorer.score(SETS[0], BATCH)


def test_shapes_alone_give_counts() -> None:
    shapes = jax.eval_shape(Linen().init, jax.random.key(0), X)
    assert jaxzc.score(Linen(), shapes, BATCH, "params,flops") == {"params": 28 + 8 + 15, "flops": 24 + 12}
    with pytest.raises(JaxzcError, match=r"^params are shapes without values, which give params, flops and layers only"):
        jaxzc.score(Linen(), shapes, BATCH, "params,snip")
