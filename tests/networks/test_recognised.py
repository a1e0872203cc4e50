"""Models as people write and call them: every form of one model is one network, or one sentence says what to write."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from flax.core import freeze
from flax.training.train_state import TrainState as FlaxState

from jaxzc.networks import as_network
from jaxzc.types import JaxzcError

KEY = jax.random.key(0)
X = jnp.asarray(np.random.default_rng(0).normal(size=(4, 5)), jnp.float32)


class Net(nn.Module):
    @nn.compact
    def __call__(self, x: Any, train: bool) -> Any:
        h = nn.Dense(6)(nn.Dropout(0.5, deterministic=not train)(x))
        return nn.Dense(3)(nn.relu(nn.BatchNorm(use_running_average=not train)(h)))

    def features(self, x: Any) -> Any:
        return {"logits": self(x, train=False), "other": x}


VARIABLES: Any = Net().init(KEY, X, False)
PARAMS = VARIABLES["params"]


def right(params: Any = PARAMS) -> Any:
    h = np.asarray(X @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"], np.float64)
    h = np.maximum((h - h.mean(0)) / np.sqrt(h.var(0) + 1e-5), 0)
    return h @ np.asarray(params["Dense_1"]["kernel"]) + np.asarray(params["Dense_1"]["bias"])


class State(FlaxState):
    batch_stats: Any = None


STATE = State(0, Net().apply, PARAMS, None, None, VARIABLES["batch_stats"])  # type: ignore[arg-type]


class Transformed(NamedTuple):
    init: Any
    apply: Any


class Pretrained:
    """Called as Hugging Face's Flax models are."""

    params = PARAMS

    def __call__(self, pixel_values: Any, params: Any = None, train: bool = True) -> Any:
        return Net().apply({"params": params, "batch_stats": VARIABLES["batch_stats"]}, pixel_values, train)


def with_state(params: Any, state: Any, rng: Any, x: Any) -> Any:
    return Net().apply({"params": params, "batch_stats": state}, x, False), state


def without_state(params: Any, rng: Any, x: Any) -> Any:
    return Pretrained()(x, params, False)


def first(params: Any, x: Any) -> Any:
    return Net().apply(params, x, train=True, mutable=["batch_stats"], rngs={"dropout": KEY})[0]


@pytest.mark.parametrize(
    ("model", "params", "options"),
    [
        (Net(), VARIABLES, {}),
        (Net(), freeze(VARIABLES), {}),
        (Net(), jax.tree.map(np.asarray, PARAMS), {}),
        (Net(), STATE, {}),
        (STATE, None, {}),
        (Net().bind(VARIABLES), None, {}),
        (Net().apply, VARIABLES, {}),
        (jax.jit(Net().apply, static_argnames="train"), VARIABLES, {}),
        (Net(), VARIABLES, {"method": "features", "output": lambda out: out["logits"]}),
        (Net(), VARIABLES, {"method": Net.features, "output": lambda out: out["logits"]}),
        (lambda v, x: Net().apply(v, x, False), VARIABLES, {}),
        (lambda p, x, train: Net().apply({"params": p, "batch_stats": VARIABLES["batch_stats"]}, x, train), PARAMS, {}),
        (Pretrained(), None, {}),
        (Pretrained(), PARAMS, {}),
        (with_state, (PARAMS, VARIABLES["batch_stats"]), {}),
        (Transformed(None, without_state), PARAMS, {}),
    ],
)
def test_forms_of_one_model(model: Any, params: Any, options: Any) -> None:
    network, own = as_network(model, params, X, **options)
    assert [group.name for group in network.groups] == ["Dense_0/kernel", "Dense_1/kernel"]
    assert network.counts(own).params == 5 * 6 + 6 + 2 * 6 + 6 * 3 + 3
    np.testing.assert_allclose(jax.jit(lambda p: network.forward(p, X, norm="batch").outputs)(own), right(), rtol=1e-4, atol=1e-5)


def test_statistics_among_the_arguments_are_no_parameters() -> None:
    flat = {"w": PARAMS["Dense_0"]["kernel"], "mean": jnp.ones(6), "var": jnp.full(6, 2.0), "head": PARAMS["Dense_1"]["kernel"]}

    def apply(p: Any, x: Any) -> Any:
        return jax.nn.relu((x @ p["w"] - p["mean"]) / jnp.sqrt(p["var"] + 1e-5)) @ p["head"]

    network, own = as_network(apply, flat, X)
    assert [own[name] is None for name in flat] == [False, True, True, False]
    assert network.counts(own).params == 30 + 18
    h = np.asarray(X @ flat["w"], np.float64)
    h = np.maximum((h - h.mean(0)) / np.sqrt(h.var(0) + 1e-5), 0)
    np.testing.assert_allclose(network.forward(own, X, norm="batch").outputs, h @ np.asarray(flat["head"]), rtol=1e-4, atol=1e-5)


class Own(nnx.Module):
    """Layers with a batch normalisation of one's own."""

    def __init__(self, rngs: nnx.Rngs):
        self.dense, self.head = nnx.Linear(5, 6, rngs=rngs), nnx.Linear(6, 3, rngs=rngs)
        self.mean, self.var = nnx.BatchStat(jnp.zeros(6)), nnx.BatchStat(jnp.ones(6))
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x: Any, *, rngs: Any) -> Any:
        h = (self.dense(self.dropout(x, rngs=rngs)) - self.mean[...]) * jax.lax.rsqrt(self.var[...] + 1e-5)
        return self.head(jax.nn.relu(h))


def test_forms_of_one_nnx_model() -> None:
    module = Own(nnx.Rngs(0))
    pure = {"Dense_0": {"kernel": module.dense.kernel[...], "bias": 0.0}, "Dense_1": {"kernel": module.head.kernel[...], "bias": 0.0}}
    for model, params in ((module, None), (module, nnx.state(module)), (module, nnx.state(module, nnx.Param)), nnx.split(module)):
        network, own = as_network(model, params, X)
        assert network.counts(own).params == 5 * 6 + 6 + 6 * 3 + 3
        np.testing.assert_allclose(network.forward(own, X, norm="batch").outputs, right(pure), rtol=1e-4, atol=1e-5)


class Noisy(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.head, self.rngs = nnx.Linear(5, 3, rngs=rngs), rngs

    def __call__(self, x: Any) -> Any:
        return self.head(x + jax.random.normal(self.rngs.noise(), x.shape))


class Two(nn.Module):
    @nn.compact
    def __call__(self, x: Any, mask: Any) -> Any:
        return nn.Dense(3)(x * mask)


class Keraslike:
    def __call__(self, x: Any) -> Any:
        return x


@pytest.mark.parametrize(
    ("model", "params", "message"),
    [
        (Net, VARIABLES, r"the model is the class Net: give an instance, Net\(\.\.\.\)"),
        (
            Noisy(nnx.Rngs(0)),
            None,
            r"Noisy draws random numbers \(random_bits\): a score must not depend on them, and model\.eval\(\), .*train=False",
        ),
        (
            Two(),
            Two().init(KEY, X, X),
            r"Two requires mask besides x: give them as keywords of the call, mask=\.\.\., or as inputs \(x,",
        ),
        (Keraslike(), None, r"Keraslike takes \(x\), .*a model of Equinox or Keras, or .*pz\.unbind_params\(model, freeze=True\)"),
        (with_state, PARAMS, r"\(params, state, rng, inputs\), as Haiku makes them, needs the pair \(params, state\)"),
    ],
)
def test_one_sentence_says_what_to_write(model: Any, params: Any, message: str) -> None:
    with pytest.raises(JaxzcError, match=message):
        as_network(model, params, X)


def test_several_inputs_are_given_as_a_model_takes_them() -> None:
    from jaxzc.networks.calls import arguments, signature

    parameters = signature(Two.__call__, 1)
    assert arguments("Two", parameters, (1, 2), {}) == ([1, 2], {})
    assert arguments("Two", parameters, {"x": 1, "mask": 2}, {}) == ([], {"x": 1, "mask": 2})
    assert arguments("Two", parameters, 1, {"mask": 2}) == ([1], {"mask": 2})
    one = signature(lambda images: images)
    assert arguments("one", one, {"a": 1}, {}) == ([{"a": 1}], {})
    assert arguments("one", one, (1, 2), {}) == ([(1, 2)], {})
