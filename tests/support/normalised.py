"""Images, scales and statistics of a normalisation, plain formulas of it, and how norm modes are compared with them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.networks.normalisation import NormModes

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 3, 2, 6)) * 2 + 1
SCALE, BIAS, MEAN, VAR = RNG.normal(size=6), RNG.normal(size=6), RNG.normal(size=6), RNG.uniform(0.5, 2, size=6)
AXES = (0, 1, 2)
EPS = 1e-3
FLOAT32: Any = [jnp.asarray(a, jnp.float32) for a in (SCALE, BIAS, MEAN, VAR)]
IMAGES = jnp.asarray(X, jnp.float32)
AFFINE = {"scale": FLOAT32[0], "bias": FLOAT32[1]}
STORED = {"mean": FLOAT32[2], "var": FLOAT32[3]}


def batch(x: Any) -> Any:
    return (x - x.mean(AXES)) / np.sqrt(x.var(AXES) + EPS) * SCALE + BIAS


def initial(x: Any) -> Any:
    return x / np.sqrt(1 + EPS) * SCALE + BIAS


def check(modes: NormModes, params: Any, expected: tuple[Any, Any, Any], x: Any = IMAGES) -> None:
    outputs = jax.jit(lambda p, x: [modes(p, x, norm) for norm in ("batch", "init", "none")])(params, x)
    for norm, got, right in zip(("batch", "init", "none"), outputs, expected, strict=True):
        np.testing.assert_allclose(got, right, rtol=2e-5, atol=2e-5, err_msg=norm)


def of_batch(p: Any, x: Any) -> Any:
    return (x - x.mean(AXES)) / jnp.sqrt(x.var(AXES) + EPS) * p[0] + p[1]


def stored(p: Any, x: Any) -> Any:
    return (x - p[2]) / jnp.sqrt(p[3] + EPS) * p[0] + p[1]


def by_hand(p: Any, x: Any) -> Any:
    return p[0] * (x - x.mean(-1, keepdims=True)) / (x.std(-1, keepdims=True) + 1e-6) + p[1]
