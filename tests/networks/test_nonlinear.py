"""Which activation functions a program has, however they are written, and the codes that are read of them."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import lax
from jax.ad_checkpoint import checkpoint_name

import jaxzc
from jaxzc.networks import as_network
from jaxzc.types import RECTIFIERS, Tap

RNG = np.random.default_rng(0)
W, X = RNG.normal(size=(3, 4)).astype(np.float32), RNG.normal(size=(5, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (lambda x: jnp.maximum(0, x), "relu"),
        (lambda x: lax.max(x, jnp.zeros_like(x)), "relu"),
        (lambda x: jnp.where(x <= 0, 0, x), "relu"),
        (lambda x: jnp.where(0 < x, x, 0.0), "relu"),  # noqa: SIM300
        (lambda x: jnp.clip(x, 0), "relu"),
        (lambda x: jnp.heaviside(x, 0.0) * x, "relu"),
        (lambda x: x - jnp.minimum(x, 0), "relu"),
        (lambda x: x + jnp.abs(x), "relu"),
        (lambda x: 0.6 * x + 0.4 * jnp.abs(x), "leaky_relu"),
        (lambda x: x - 0.9 * jnp.minimum(x, 0), "leaky_relu"),
        (lambda x: jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x))), "softplus"),
        (lambda x: jnp.minimum(x, 0) - jnp.log1p(jnp.exp(-jnp.abs(x))), None),
        (lambda x: x / (1 + jnp.abs(x)), None),
        (lambda x: jnp.maximum(x, np.zeros((5, 4), np.float32)), "relu"),
        (lambda x: x * jnp.where(x > 0, 1, 0), "relu"),
        (lambda x: jnp.where(x < 0, 0.1, 1.0) * x, "leaky_relu"),
        (lambda x: checkpoint_name(x, "a") * (checkpoint_name(x, "b") > 0), "relu"),
        (jax.nn.relu6, "relu6"),
        (lambda x: jnp.clip(x, 0, 6), "relu6"),
        (lambda x: lax.clamp(0.0, x, 6.0), "relu6"),
        (lambda x: jnp.maximum(jnp.minimum(x, 6), 0), "relu6"),
        (jax.nn.leaky_relu, "leaky_relu"),
        (lambda x: jnp.maximum(x, 0.1 * x), "leaky_relu"),
        (lambda x: jnp.where(x > 0, 2 * x, 0.1 * x), "leaky_relu"),
        (jax.nn.elu, "elu"),
        (jax.nn.selu, "elu"),
        (jax.nn.celu, "elu"),
        (jax.nn.silu, "silu"),
        (jax.nn.sigmoid, "sigmoid"),
        (jax.nn.gelu, "gelu"),
        (partial(jax.nn.gelu, approximate=False), "gelu"),
        (jnp.tanh, "tanh"),
        (jax.nn.softplus, "softplus"),
        (jax.nn.hard_sigmoid, "hard_sigmoid"),
        (jax.nn.hard_swish, "hard_sigmoid"),
        (lambda x: x * jnp.clip(0.2 * x + 0.5, 0, 1), "hard_sigmoid"),
        (lambda x: jnp.clip(jax.nn.softplus(x), 0, jnp.inf), "softplus"),
        (lambda x: jnp.clip(jax.nn.sigmoid(x), 0, 1), "sigmoid"),
        (lambda x: jnp.maximum(2 * jnp.exp(x) + x**2 + jnp.abs(x), 0), None),
        (lambda x: jax.nn.relu(x * x), None),
        (lambda x: jnp.where(jnp.asarray(X[:, :1]) > 0, x, 0), None),  # a mask
        (lambda x: x / jnp.sqrt(jnp.maximum((x**2).mean(-1, keepdims=True) - x.mean(-1, keepdims=True) ** 2, 0) + 1e-5), None),
        (lambda x: x * jnp.maximum(x.astype(jnp.int32), 0), None),  # of integers
        (jax.nn.softmax, None),
    ],
)
def test_kinds(act: Any, kind: str | None) -> None:
    network, _ = as_network(lambda p, x: act(x @ p), W, X)
    assert [group.kind for group in network.activations] == ([] if kind is None else [kind])
    assert [group.name for group in network.activations] == ([] if kind is None else [f"{kind}0"])
    if kind in RECTIFIERS:
        (kept,) = (network.forward(W, X, norm="batch", tap=Tap(activation=lambda x: x)).activations or {}).values()
        np.testing.assert_array_equal(kept[0] > 0, X @ W > 0)


def test_clipped_tokens_are_no_rectifier() -> None:
    params = {"e": RNG.normal(size=(7, 4)).astype(np.float32), "w": W[:, :2].T @ W}
    tokens = RNG.integers(-1, 9, (5, 3))
    for clipped in (lambda t: jnp.clip(t, 0, 6), lambda t: jnp.maximum(t, 0) % 7, lambda t: jnp.where(t > 0, t, 0)):
        network, _ = as_network(lambda p, t, clipped=clipped: jax.nn.relu(p["e"][clipped(t)].mean(1) @ p["w"].T), params, tokens)
        assert [group.kind for group in network.activations] == ["relu"]


def test_a_trained_slope() -> None:
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            return nn.Dense(2)(nn.PReLU()(nn.Dense(4)(x)))

    network, _ = as_network(Net(), Net().init(jax.random.key(0), X), X)
    assert [group.kind for group in network.activations] == ["prelu"]


@pytest.mark.parametrize(
    ("acts", "coded"),
    [
        ((nn.relu, partial(nn.leaky_relu, negative_slope=0.1)), (0, 1)),
        ((lambda z: jnp.where(z > 0, z, 0), nn.gelu), (0,)),
        ((nn.relu, lambda z: z * jnp.clip(0.2 * z + 0.5, 0, 1)), (0,)),
    ],
)
def test_naswot_of_other_rectifiers(acts: Any, coded: tuple[int, ...]) -> None:
    params = [RNG.normal(size=shape).astype(np.float32) for shape in ((3, 24), (24, 24), (24, 2))]

    def model(p: Any, x: Any) -> Any:
        return acts[1](acts[0](x @ p[0]) @ p[1]) @ p[2]

    first = X @ params[0]
    inputs = [first, np.asarray(acts[0](jnp.asarray(first))) @ params[1]]
    codes = [(inputs[k] > 0).astype(np.float64) for k in coded]
    kernel = sum(c @ c.T + (1 - c) @ (1 - c).T for c in codes)
    assert jaxzc.score(model, params, (X, None), ["naswot"])["naswot"] == pytest.approx(np.linalg.slogdet(kernel)[1], rel=1e-6)
