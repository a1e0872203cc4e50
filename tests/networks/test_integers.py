"""Kernels stored as integers, and kernels that are divided by a norm of their own: against plain JAX on the kernel that multiplies."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

import jaxzc

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(6, 5)).astype(np.float32), np.array([0, 1, 2, 1, 0, 2])
PARAMS = {
    "w": RNG.integers(-127, 128, (5, 8)).astype(np.int8),
    "scale": RNG.uniform(0.005, 0.02, 8).astype(np.float32),
    "head": RNG.normal(size=(8, 3)).astype(np.float32),
}


def quantised(p: Any, x: Any) -> Any:
    return jax.nn.relu(x @ (p["w"].astype(jnp.float32) * p["scale"])) @ p["head"]


def plain(p: Any, x: Any) -> Any:
    return jax.nn.relu(x @ p["w"]) @ p["head"]


def test_integer_kernels_are_scored_by_the_floats_that_multiply() -> None:
    proxies = "snip,grad_norm,l2_norm,synflow,naswot,jacob_cov,fisher,flops,layers,swap"
    own = {"w": PARAMS["w"] * PARAMS["scale"], "head": PARAMS["head"]}
    scores, right = jaxzc.score(quantised, PARAMS, (X, Y), [*proxies.split(","), "params"]), jaxzc.score(plain, own, (X, Y), proxies)
    assert scores["params"] == 5 * 8 + 8 + 8 * 3
    for name, value in right.items():
        assert scores[name] == pytest.approx(value, rel=1e-5), name
    assert right["l2_norm"] == pytest.approx(np.linalg.norm(own["w"]) + np.linalg.norm(own["head"]), rel=1e-6)


def test_products_of_integers_have_no_gradient_and_take_nothing_else_down() -> None:
    def model(p: Any, x: Any) -> Any:
        whole = jnp.round(x * 20).astype(jnp.int8)
        y = jax.lax.dot(whole, p["w"], preferred_element_type=jnp.int32).astype(jnp.float32) * p["scale"] / 20
        return jax.nn.relu(y) @ p["head"]

    with pytest.warns(jaxzc.UnavailableWarning):
        scores = jaxzc.score(model, PARAMS, (X, Y), "l2_norm,snip,naswot,flops")
    assert set(scores.reasons) == {"l2_norm", "snip"}
    assert "are int8 and multiply integers" in scores.reasons["snip"]
    code = np.asarray((np.round(X * 20).astype(int) @ PARAMS["w"].astype(int)) > 0, float)
    assert scores["naswot"] == pytest.approx(np.linalg.slogdet(code @ code.T + (1 - code) @ (1 - code).T)[1], rel=1e-5)
    assert scores["flops"] == 5 * 8 + 8 * 3


def test_spectral_norms_are_the_kernels_own() -> None:
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x: Any, train: bool = False) -> Any:
            x = nn.relu(nn.SpectralNorm(nn.Dense(8))(x, update_stats=train))
            return nn.Dense(3)(x)

    model = Net()
    variables = model.init(jax.random.key(0), X)
    _, updated = model.apply(variables, X, train=True, mutable=["batch_stats"])
    variables = {"params": variables["params"], **updated}

    def loss(p: Any) -> Any:
        logits: Any = model.apply({**variables, "params": p}, X)
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), Y[:, None], 1).mean()

    grads = jax.jit(jax.grad(loss))(variables["params"])
    pairs = zip(jax.tree.leaves(variables["params"]), jax.tree.leaves(grads), strict=True)
    scores = jaxzc.score(model, variables, (X, Y), "snip,layers")
    assert scores == {"snip": pytest.approx(sum(float(jnp.abs(w * g).sum()) for w, g in pairs if w.ndim > 1), rel=1e-5), "layers": 2}
