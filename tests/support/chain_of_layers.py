"""A chain of convolutions and what a proxy makes of it, for tests of compilation in pieces."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.types import Array

RNG = np.random.default_rng(0)
IMAGES = jnp.asarray(RNG.standard_normal((2, 4, 4, 3)), jnp.float32)


def kernels(*widths: int) -> list[Array]:
    return [jnp.asarray(RNG.standard_normal((3, 3, a, b)), jnp.float32) for a, b in itertools.pairwise(widths)]


def layer(x: Array, w: Array) -> Array:
    y = jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return jax.nn.relu((y - y.mean((0, 1, 2), keepdims=True)) / (1 + y.std((0, 1, 2), keepdims=True)))


def saliencies(ws: list[Array], x: Array) -> Array:
    """Gradients of a chain of layers, summed over them: what ties all layers together."""

    def loss(ws: list[Array]) -> Array:
        y = x
        for w in ws:
            y = layer(y, w)
        return jnp.square(y).mean()

    return sum((jnp.abs(w * g).sum() for w, g in zip(ws, jax.grad(loss)(ws), strict=True)), jnp.zeros(()))


def close(found: Any, wanted: Any) -> None:
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-6), found, wanted)
