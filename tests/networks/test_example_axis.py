"""Where the examples lie in a value: found, whatever the layout, also where another axis or a loop is as long as the batch."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxzc
from jaxzc.networks import as_network
from jaxzc.types import JaxzcError, Tap

RNG = np.random.default_rng(0)
B = 4
X, Y = RNG.normal(size=(B, B, 3)).astype(np.float32), np.array([0, 1, 2, 1])
PARAMS = {"w": RNG.normal(size=(3, 6)).astype(np.float32), "head": RNG.normal(size=(6, 3)).astype(np.float32)}
PROXIES = ["naswot", "fisher", "lnwot", "snip"]


def usual(p: Any, x: Any) -> Any:
    return jax.nn.relu(x @ p["w"]).mean(1) @ p["head"]


def time_first(p: Any, x: Any) -> Any:
    return jax.nn.relu(jnp.swapaxes(x, 0, 1) @ p["w"]).mean(0) @ p["head"]


def channels_first(p: Any, x: Any) -> Any:
    return jax.nn.relu(jnp.einsum("cf,tbc->ftb", p["w"], jnp.swapaxes(x, 0, 1))).mean(1).T @ p["head"]


def step_by_step(p: Any, x: Any) -> Any:
    steps = jax.lax.scan(lambda _, x: (None, jax.nn.relu(x @ p["w"])), None, jnp.swapaxes(x, 0, 1))[1]
    return steps.mean(0) @ p["head"]


@pytest.mark.parametrize("model", [time_first, channels_first])
def test_other_layouts_have_the_same_scores(model: Callable[..., Any]) -> None:
    expected = jaxzc.score(usual, PARAMS, (X, Y), PROXIES)
    assert jaxzc.score(model, PARAMS, (X, Y), PROXIES) == pytest.approx(expected, rel=1e-5)


def test_steps_of_a_loop_as_long_as_the_batch() -> None:
    network, _ = as_network(step_by_step, PARAMS, X)
    read = network.forward(PARAMS, X, norm="batch", tap=Tap(layer=lambda y, _: (y, y))).layers
    assert read is not None
    np.testing.assert_allclose(read["w"], np.swapaxes(X @ PARAMS["w"], 0, 1), rtol=1e-5)


def test_one_example_at_a_time_is_refused_in_a_sentence() -> None:
    """Inside the loop the first axis is time, which is as long as the batch."""

    def one_by_one(p: Any, x: Any) -> Any:
        return jax.lax.map(lambda one: jax.nn.relu(one @ p["w"]).mean(0), x) @ p["head"]

    with pytest.warns(jaxzc.UnavailableWarning):
        scores = jaxzc.score(one_by_one, PARAMS, (X, Y), PROXIES)
    assert scores.reasons.keys() == {"naswot", "fisher", "lnwot"}
    assert "layer w has no axis that holds the examples: leave out" in scores.reasons["fisher"]
    assert f"a ReLU's input has shape ({B}, 6), of which no axis holds the {B} examples" in scores.reasons["naswot"]
    assert scores["snip"] == pytest.approx(jaxzc.score(usual, PARAMS, (X, Y), "snip")["snip"], rel=1e-5)


def test_embeddings_with_time_first_are_not_taken_for_examples() -> None:
    params = {"e": RNG.normal(size=(7, 6)).astype(np.float32), "head": PARAMS["head"]}
    tokens = RNG.integers(0, 7, (B, B))
    network, _ = as_network(lambda p, t: jnp.tanh(p["e"][t.T]).mean(0) @ p["head"], params, tokens)
    with pytest.raises(JaxzcError, match="their first axis is not the 4 examples"):
        network.entry(params, tokens)
