"""Programs run in float64 whatever types they name: casts, carries, strict operations, and derivatives of their own."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

import jaxzc
from jaxzc._compile.jaxpr import flatten, run
from jaxzc._compile.widening import widen

RNG = np.random.default_rng(0)
W, X = RNG.normal(size=(4, 4)).astype(np.float32), RNG.normal(size=(3, 4)).astype(np.float32)


@jax.custom_vjp
def steep(x: Any) -> Any:
    return jnp.maximum(x, 0)


steep.defvjp(lambda x: (steep(x), x), lambda x, g: (jnp.where(x > 0, 3 * g, jnp.float32(0)),))

MODELS = {
    "cast": lambda w, x: (x @ w).astype(jnp.bfloat16).astype(jnp.float32),
    "strict": lambda w, x: jax.lax.max(x @ w, jnp.float32(0.25)),
    "carry": lambda w, x: jax.lax.scan(lambda h, t: (jnp.tanh(h @ w) + t, None), x, jnp.arange(2, dtype=jnp.float32))[0],
    "product": lambda w, x: jnp.matmul(x, w, preferred_element_type=jnp.float32),
    "branch": lambda w, x: jax.lax.cond(x[0, 0] > 9, lambda h: h, lambda h: jnp.float32(2) * (h @ w), x),
    "sorted": lambda w, x: jnp.sort(jnp.cumsum(x @ w, 1).at[:, 0].multiply(2.0)),
    "own jvp": lambda w, x: jax.nn.relu(x @ w),
    "own vjp": lambda w, x: steep(x @ w),
}


def wide_relu(x: Any) -> Any:
    return jnp.where(x > 0, x, 0)


RIGHT = MODELS | {
    "cast": lambda w, x: x @ w,
    "strict": lambda w, x: jnp.maximum(x @ w, 0.25),
    "carry": lambda w, x: jnp.tanh(jnp.tanh(x @ w) @ w) + 1,
    "product": lambda w, x: x @ w,
    "branch": lambda w, x: 2 * (x @ w),
    "own jvp": lambda w, x: wide_relu(x @ w),
    "own vjp": lambda w, x: 3 * wide_relu(x @ w) - 2 * jax.lax.stop_gradient(wide_relu(x @ w)),
}


@pytest.mark.parametrize("name", list(MODELS))
def test_values_and_gradients_are_float64(name: str) -> None:
    program = flatten(jax.make_jaxpr(MODELS[name])(W, X))
    with jax.enable_x64(True):
        wide = widen(program)
        assert not any(a.dtype in (jnp.float32, jnp.bfloat16) for a in wide.avals)
        w, x = jnp.asarray(W, jnp.float64), jnp.asarray(X, jnp.float64)

        def value(w: Any) -> Any:
            return jnp.square(run(wide, [w, x])[0]).sum()

        def right(w: Any) -> Any:
            return jnp.square(RIGHT[name](w, x)).sum()

        np.testing.assert_allclose(value(w), right(w), rtol=1e-12)
        np.testing.assert_allclose(jax.grad(value)(w), jax.grad(right)(w), rtol=1e-12, atol=1e-12)


def test_a_rule_at_zero_is_kept() -> None:
    program = flatten(jax.make_jaxpr(jax.nn.relu)(jnp.zeros(3)))
    with jax.enable_x64(True):
        wide = widen(program)
        assert not np.asarray(jax.grad(lambda x: run(wide, [x])[0].sum())(jnp.zeros(3))).any()


class Deep(nn.Module):
    """Layers that cast to a dtype of their own."""

    dtype: Any

    @nn.compact
    def __call__(self, x: Any) -> Any:
        for _ in range(24):
            x = nn.relu(nn.Dense(4, dtype=self.dtype, kernel_init=nn.initializers.normal(30.0))(x))
        return nn.Dense(2, dtype=self.dtype)(x)


def test_synflow_of_layers_with_a_dtype_of_their_own() -> None:
    x = X.astype(np.float32)
    variables = Deep(jnp.float32).init(jax.random.key(0), x)
    kernels = [np.abs(np.asarray(variables["params"][f"Dense_{k}"]["kernel"], np.float64)) for k in range(25)]
    flow = np.ones((1, 4))
    for kernel in kernels:
        flow = flow @ kernel
    right = len(kernels) * flow.sum()
    assert right > 1e40  # beyond float32
    assert jaxzc.score(Deep(jnp.float32), variables, (x, None), ["synflow"])["synflow"] == pytest.approx(right, rel=1e-5)


def test_sums_over_half_precision() -> None:
    params = {"w": jnp.asarray(RNG.normal(size=(300, 300)), jnp.float16), "head": jnp.asarray(RNG.normal(size=(300, 2)) / 99, jnp.float16)}
    x, labels = jnp.asarray(RNG.normal(size=(4, 300)) / 99, jnp.float16), np.array([0, 1, 0, 1])
    scores = jaxzc.score(lambda p, x: x @ p["w"] @ p["head"], params, (x, labels), ["gradsign", "l2_norm"], unavailable="error")
    assert 65504 < scores["gradsign"] <= 4 * 90_600  # inf in float16
    assert scores["l2_norm"] == pytest.approx(sum(float(np.linalg.norm(np.asarray(p, np.float64))) for p in params.values()), rel=1e-4)
