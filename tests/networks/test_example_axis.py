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


def time_first_rows(p: Any, x: Any) -> Any:
    rows = jnp.swapaxes(x, 0, 1).reshape(-1, 3)
    return jax.nn.relu(rows @ p["w"]).reshape(B, -1, 6).mean(0) @ p["head"]


def example_first_rows(p: Any, x: Any) -> Any:
    return jax.nn.relu(x.reshape(-1, 3) @ p["w"]).reshape(-1, B, 6).mean(1) @ p["head"]


def channels_before_time_first_rows(p: Any, x: Any) -> Any:
    columns = jnp.swapaxes(x, 0, 1).reshape(-1, 3).T
    return jax.nn.relu(p["w"].T @ columns).reshape(6, B, -1).mean(1).T @ p["head"]


def windows_before_examples(p: Any, x: Any) -> Any:
    """Rows `[2 * B * 2, 3]`: the halves of time outside, the steps of a half inside."""
    rows = x.reshape(-1, 2, B // 2, 3).swapaxes(0, 1).reshape(-1, 3)
    return jax.nn.relu(rows @ p["w"]).reshape(2, -1, B // 2, 6).mean((0, 2)) @ p["head"]


def steps_behind_one_another(p: Any, x: Any) -> Any:
    rows = jnp.concatenate([x[:, step] for step in range(B)])
    return sum(jnp.split(jax.nn.relu(rows @ p["w"]), B)) / B @ p["head"]


def convolution_of_every_step(p: Any, x: Any) -> Any:
    """`vmap` makes the steps and the examples one axis of a convolution."""

    def one(step: Any) -> Any:
        return jax.lax.conv_general_dilated(step[:, None], p["w"][None], (1,), "VALID", dimension_numbers=("NWC", "WIO", "NWC"))[:, 0]

    return jax.nn.relu(jax.vmap(one, in_axes=1)(x)).mean(0) @ p["head"]


LAYOUTS = [
    *(time_first, channels_first, time_first_rows, example_first_rows, channels_before_time_first_rows),
    *(windows_before_examples, steps_behind_one_another, convolution_of_every_step),
]


@pytest.mark.parametrize("model", LAYOUTS)
def test_every_layout_is_read_and_changed_example_by_example(model: Callable[..., Any]) -> None:
    """A tap makes the layer's output larger, of each example by another factor: outputs and codes are those of the usual layout."""
    factors = np.array([1, 2, 3, 4], np.float32)

    def layer(y: Any, _: Any) -> tuple[Any, Any]:
        return y * factors.reshape(B, *[1] * (y.ndim - 1)), y.reshape(B, -1).sum(1)

    def read(model: Callable[..., Any]) -> tuple[Any, Any, Any]:
        network, _ = as_network(model, PARAMS, X)
        taken = network.forward(PARAMS, X, norm="batch", tap=Tap(layer=layer, activation=lambda x: (x > 0).reshape(B, -1).sum(1)))
        assert taken.layers is not None
        assert taken.activations is not None
        return taken.outputs, taken.layers["w"], taken.activations["relu0"]

    for ours, right in zip(read(model), read(usual), strict=True):
        np.testing.assert_allclose(ours, right, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", [time_first_rows, *(pytest.param(model, marks=pytest.mark.slow) for model in LAYOUTS)])
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


def test_rows_of_chunks_in_a_loop() -> None:
    """Two steps at a time, as rows `[2 * B, 3]`."""

    def chunks(p: Any, x: Any) -> Any:
        both = jnp.swapaxes(x, 0, 1).reshape(2, B // 2, -1, 3)
        rows = jax.lax.scan(lambda _, two: (None, jax.nn.relu(two.reshape(-1, 3) @ p["w"])), None, both)[1]
        return rows.reshape(B, -1, 6).mean(0) @ p["head"]

    network, _ = as_network(chunks, PARAMS, X)
    read = network.forward(PARAMS, X, norm="batch", tap=Tap(layer=lambda y, _: (y, y))).layers
    assert read is not None
    right = (X @ PARAMS["w"]).reshape(B, 2, B // 2, 6).swapaxes(0, 1)
    np.testing.assert_allclose(read["w"], right, rtol=1e-5)


def test_a_batch_that_is_written_into_the_model_is_said() -> None:
    """Of one example, synflow would sum the outputs of four."""

    def model(p: Any, x: Any) -> Any:
        return jax.nn.relu(jnp.zeros((B, 6)) + x.mean(1) @ p["w"]) @ p["head"]

    with pytest.warns(jaxzc.UnavailableWarning):
        scores = jaxzc.score(model, PARAMS, (X, Y), ["synflow", "params"])
    assert "has its batch of 4 written into it: of 1 inputs it makes outputs [4, 3]" in scores.reasons["synflow"]


def in_reverse(p: Any, x: Any) -> Any:
    return jax.nn.relu(x[::-1] @ p["w"]).mean(1) @ p["head"]


def of_four_only(p: Any, x: Any) -> Any:
    return jax.nn.relu(jnp.swapaxes(x, 0, 1).reshape(16, 3) @ p["w"]).reshape(4, 4, 6).mean(0) @ p["head"]


@pytest.mark.parametrize("model", [in_reverse, of_four_only])
def test_an_order_that_cannot_be_told_is_a_reason(model: Callable[..., Any]) -> None:
    with pytest.warns(jaxzc.UnavailableWarning):
        scores = jaxzc.score(model, PARAMS, (X, Y), PROXIES)
    assert scores.reasons.keys() == {"naswot", "fisher", "lnwot"}
    for what, proxy in (("the output of layer w", "fisher"), ("a ReLU's input", "naswot")):
        assert f"which part of {what} belongs to which example cannot be told: give the examples an axis" in scores.reasons[proxy]


def test_no_second_trace_where_nothing_moves() -> None:
    """Channels as many as examples are no reason for one."""
    traces = []

    def model(p: Any, x: Any) -> Any:
        traces.append(x.shape)
        return jax.nn.relu(x @ p["w"]).mean(1) @ p["head"]

    inputs = RNG.normal(size=(6, 6, 3)).astype(np.float32)
    network, _ = as_network(model, PARAMS, inputs)
    before = len(traces)
    network.forward(PARAMS, inputs, norm="batch", tap=Tap(layer=lambda y, _: (y, y), activation=lambda x: x))
    assert len(traces) == before


def test_embeddings_with_time_first_are_not_taken_for_examples() -> None:
    params = {"e": RNG.normal(size=(7, 6)).astype(np.float32), "head": PARAMS["head"]}
    tokens = RNG.integers(0, 7, (B, B))
    network, _ = as_network(lambda p, t: jnp.tanh(p["e"][t.T]).mean(0) @ p["head"], params, tokens)
    with pytest.raises(JaxzcError, match="their first axis is not the 4 examples"):
        network.entry(params, tokens)
