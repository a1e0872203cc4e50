"""Integer inputs: what they become is what is differentiated, perturbed and set to ones."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxzc
from jaxzc.networks import as_network
from jaxzc.types import JaxzcError

RNG = np.random.default_rng(0)
VOCABULARY, STEPS, WIDTH = 7, 5, 4
TOKENS = RNG.integers(0, VOCABULARY, (6, STEPS)).astype(np.int32)
PARAMS = {
    "embed": RNG.normal(size=(VOCABULARY, WIDTH)),
    "mix": RNG.normal(size=(STEPS, STEPS)),
    "up": RNG.normal(size=(WIDTH, WIDTH)),
}
PARAMS = jax.tree.map(lambda a: a.astype(np.float32), PARAMS)


def after(p: Any, e: Any) -> Any:
    """Logits `[B, T, vocabulary]` from embedded tokens; the head is tied to the embedding."""
    h = jax.nn.relu(jnp.einsum("btd,ts->bsd", e, p["mix"]) @ p["up"])
    return h @ p["embed"].T


def language_model(p: Any, tokens: Any) -> Any:
    return after(p, p["embed"][tokens])


def test_a_language_model_against_its_formulas() -> None:
    names = ["snip", "grad_norm", "l2_norm", "synflow", "jacob_cov", "naswot", "params"]
    scores = jaxzc.score(language_model, PARAMS, (TOKENS, None), names, task="next_token", unavailable="error")

    def loss(p: Any) -> Any:
        log_p = jax.nn.log_softmax(language_model(p, TOKENS)[:, :-1])
        return -jnp.take_along_axis(log_p, TOKENS[:, 1:, None], -1).mean()

    with jax.enable_x64(True):
        p = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), PARAMS)
        g = jax.jit(jax.grad(loss))(p)
        by_inputs = np.asarray(jax.jit(jax.grad(lambda e: after(p, e).sum()))(p["embed"][TOKENS])).reshape(6, -1)
        values = np.linalg.eigvalsh(np.corrcoef(by_inputs))
        positive = jax.tree.map(jnp.abs, p)
        flow = jax.jit(jax.grad(lambda p: after(p, jnp.ones((1, STEPS, WIDTH))).sum()))(positive)
        units = np.asarray(jnp.einsum("btd,ts->bsd", p["embed"][TOKENS], p["mix"]) @ p["up"]).reshape(6, -1) > 0
        right = {
            "snip": sum(float(jnp.abs(p[k] * g[k]).sum()) for k in p),
            "grad_norm": sum(float(jnp.linalg.norm(g[k])) for k in p),
            "l2_norm": sum(float(jnp.linalg.norm(p[k])) for k in p),
            "synflow": sum(float(jnp.abs(positive[k] * flow[k]).sum()) for k in p),
            "jacob_cov": float(-(np.log(values + 1e-5) + 1 / (values + 1e-5)).sum()),
            "naswot": np.linalg.slogdet(units.astype(float) @ units.T + (~units).astype(float) @ (~units).T)[1],
            "params": sum(a.size for a in PARAMS.values()),
        }
    for name, value in right.items():
        assert scores[name] == pytest.approx(value, rel=2e-4 if name == "jacob_cov" else 1e-5), name


def one_hot(p: Any, tokens: Any) -> Any:
    return after(p, jax.nn.one_hot(tokens, VOCABULARY) @ p["embed"])


def dictionary(p: Any, inputs: Any) -> Any:
    mask = jnp.arange(STEPS) < inputs["length"][:, None]
    e = jnp.where(mask[:, :, None], p["embed"][inputs["tokens"]], 0) + inputs["features"][:, None]
    return after(p, e) / inputs["length"][:, None, None]


def test_what_is_an_entry() -> None:
    embedded = PARAMS["embed"][TOKENS]
    for model in (language_model, one_hot):
        network, params = as_network(model, PARAMS, TOKENS)
        (entry,) = network.entry(params, TOKENS)
        np.testing.assert_allclose(entry, embedded, rtol=1e-6)
        moved = network.forward(params, TOKENS, norm="batch", entry=(2 * entry,)).outputs
        np.testing.assert_allclose(moved, after(PARAMS, 2 * embedded), rtol=1e-4, atol=1e-4)
    features = RNG.normal(size=(6, WIDTH)).astype(np.float32)
    inputs = {"features": features, "length": np.full(6, STEPS), "tokens": TOKENS}
    network, params = as_network(dictionary, PARAMS, inputs)
    entry = network.entry(params, inputs)
    assert [e.shape for e in entry] == [(6, WIDTH), (6, STEPS, WIDTH)]  # lengths are perturbed by nobody
    out = network.forward(params, inputs, norm="batch", entry=(entry[0], 0 * entry[1])).outputs
    expected = after(PARAMS, np.broadcast_to(features[:, None], (6, STEPS, WIDTH))) / STEPS
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-4)
    floats = RNG.normal(size=(6, 3)).astype(np.float32)
    plain, w = as_network(lambda p, x: x @ p, np.ones((3, 2), np.float32), floats)
    np.testing.assert_array_equal(plain.entry(w, floats), floats)
    pixels, w = as_network(lambda p, x: (x / 255 - 0.5) @ p, np.ones((3, 2), np.float32), np.arange(12).reshape(4, 3))
    (number,) = pixels.entry(w, np.arange(12).reshape(4, 3))
    np.testing.assert_array_equal(number, np.arange(12.0).reshape(4, 3))


def test_an_embedding_in_a_loop_is_that_of_the_unrolled_network() -> None:
    def step(p: Any, h: Any, token: Any) -> Any:
        return jnp.tanh(h @ p["up"] + p["embed"][token])

    def looped(p: Any, tokens: Any) -> Any:
        start = jnp.zeros((len(tokens), WIDTH))
        return jax.lax.scan(lambda h, token: (step(p, h, token), None), start, tokens.T, reverse=True)[0] @ p["embed"].T

    def unrolled(p: Any, tokens: Any) -> Any:
        h = jnp.zeros((len(tokens), WIDTH))
        for token in tokens.T[::-1]:
            h = step(p, h, token)
        return h @ p["embed"].T

    network, params = as_network(looped, PARAMS, TOKENS)
    (values,) = network.entry(params, TOKENS)
    np.testing.assert_array_equal(values, PARAMS["embed"][TOKENS])
    moved = network.forward(params, TOKENS, norm="none", entry=(values + 1,)).outputs
    h = jnp.zeros((len(TOKENS), WIDTH))
    for n in reversed(range(STEPS)):
        h = jnp.tanh(h @ PARAMS["up"] + values[:, n] + 1)
    np.testing.assert_allclose(moved, h @ PARAMS["embed"].T, rtol=1e-5, atol=1e-6)
    scores = [jaxzc.score(net, PARAMS, (TOKENS, TOKENS[:, 0]), ["jacob_cov", "snip"]) for net in (looped, unrolled)]
    assert scores[0] == pytest.approx(scores[1], rel=1e-4)


def test_an_entry_that_cannot_be_replaced_blames_who_needs_it() -> None:
    def branched(p: Any, tokens: Any) -> Any:
        x = jax.lax.cond(jnp.sum(p["up"]) < 1e9, lambda: p["embed"][tokens], lambda: jnp.zeros((*tokens.shape, WIDTH)))
        return jnp.tanh(x.mean(1) @ p["up"]) @ p["embed"].T

    network, params = as_network(branched, PARAMS, TOKENS)
    with pytest.raises(JaxzcError, match=r"the integer inputs become floats inside lax\.cond"):
        network.entry(params, TOKENS)
    with pytest.warns(jaxzc.UnavailableWarning):
        scores = jaxzc.score(branched, PARAMS, (TOKENS, TOKENS[:, 0]), ["snip", "jacob_cov"])
    assert scores["snip"] > 0
    assert list(scores.reasons) == ["jacob_cov"]


def test_outputs_of_any_form() -> None:
    x, labels = RNG.normal(size=(4, 3)).astype(np.float32), np.arange(4) % 2
    params = {"a": RNG.normal(size=(3, 2)).astype(np.float32), "b": RNG.normal(size=(3, 1)).astype(np.float32)}

    def heads(p: Any, x: Any) -> Any:
        return {"logits": x @ p["a"], "value": jnp.square(x @ p["b"])[:, 0], "step": 3}

    def loss(out: Any, target: Any) -> Any:
        return jaxzc.cross_entropy(out["logits"], target) + out["value"].mean()

    scores = jaxzc.score(heads, params, (x, labels), ["snip", "jacob_cov", "synflow"], loss=loss, unavailable="error")
    g = jax.grad(lambda p: loss(heads(p, x), labels))(params)
    assert scores["snip"] == pytest.approx(float(sum(jnp.abs(params[k] * g[k]).sum() for k in params)), rel=1e-5)
    flow = np.abs(params["a"]).sum() + 2 * np.square(np.abs(params["b"]).sum())
    assert scores["synflow"] == pytest.approx(flow, rel=1e-5)
