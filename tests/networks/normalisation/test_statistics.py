"""Normalisation in traced programs: however it is written, each norm mode gives what plain formulas give."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from jax import lax

from jaxzc.networks.normalisation import NormModes
from tests.support.normalised import (
    AFFINE,
    AXES,
    BIAS,
    EPS,
    FLOAT32,
    IMAGES,
    SCALE,
    STORED,
    X,
    batch,
    by_hand,
    check,
    initial,
    of_batch,
    stored,
)


def scale_with_the_inverse(p: Any, x: Any) -> Any:
    mean = x.mean(AXES, keepdims=True)
    inverse = lax.rsqrt((x * x).mean(AXES, keepdims=True) - mean**2 + EPS) * p[0]
    return x * inverse + (-mean * inverse + p[1])


def masked(p: Any, x: Any) -> Any:
    mask = (x[..., :1] > -1e9).astype(jnp.float32)
    count = mask.sum()
    mean = (x * mask).sum(AXES) / count
    variance = (jnp.square(x - mean) * mask).sum(AXES) / count
    return (x - mean) * (variance + EPS) ** -0.5 * p[0] + p[1]


def where_masked(p: Any, x: Any) -> Any:
    mask = x[..., :1] > -1e9
    return (x - x.mean(AXES, where=mask)) * lax.rsqrt(x.var(AXES, where=mask) + EPS) * p[0] + p[1]


@jax.custom_vjp
def with_a_derivative(x: Any, scale: Any, bias: Any) -> Any:
    return of_batch((scale, bias), x)


with_a_derivative.defvjp(lambda *a: (with_a_derivative(*a), a), lambda a, g: jax.vjp(lambda *b: of_batch(b[1:], b[0]), *a)[1](g))


def two_sums(p: Any, x: Any) -> Any:
    mean = x.mean((1, 2)).mean(0)
    centred = x.astype(jnp.float32) - mean
    return p[0] * centred / jnp.sqrt(jnp.square(centred).mean((1, 2)).mean(0) + EPS) + p[1]


@pytest.mark.parametrize(
    "function",
    [
        of_batch,
        scale_with_the_inverse,
        masked,
        where_masked,
        two_sums,
        lambda p, x: with_a_derivative(x, *p[:2]),
        lambda p, x: jax.checkpoint(jax.jit(of_batch))(p, x),
        lambda p, x: lax.cond(p[0].sum() > -1e9, of_batch, scale_with_the_inverse, p, x),
        lambda p, x: lax.fori_loop(0, 1, lambda i, h: of_batch(p, h), x),
    ],
)
def test_statistics_of_the_batch(function: Any) -> None:
    check(NormModes(lambda p, _, x: function(p, x), "model"), FLOAT32, (batch(X), initial(X), X))


def folded(p: Any, x: Any) -> Any:
    scale = p[0] * lax.rsqrt(p[3] + EPS)
    return x * scale + (p[1] - p[2] * scale)


def minus_folded(p: Any, x: Any) -> Any:
    """As Keras writes it."""
    scale = p[0] * lax.rsqrt(p[3] + EPS)
    return x * scale + (-p[2] * scale + p[1])


def negated(p: Any, x: Any) -> Any:
    inverse = 1 / jnp.sqrt(p[3] + EPS)  # made before the data is there
    h = jnp.tanh(jnp.arctanh(x / 100)) * 100
    return (h + -p[2]) * inverse * p[0] + p[1]


def channels_first(p: Any, x: Any) -> Any:
    scale, bias, mean, var = (a.reshape(1, -1, 1, 1) for a in p)
    h = x.transpose(0, 3, 1, 2)
    return ((h - mean) / jnp.sqrt(var + EPS) * scale + bias).transpose(0, 2, 3, 1)


@pytest.mark.parametrize("function", [stored, folded, minus_folded, negated, channels_first])
@pytest.mark.parametrize("given", ["arguments", "constants", "statistics"])
def test_stored_statistics(function: Any, given: str) -> None:
    expected = batch(X), initial(X), X
    if given == "arguments":
        modes = NormModes(lambda p, _, x: function(p, x), "model", frozen=True)
        check(modes, FLOAT32, expected)
        assert modes.stored(FLOAT32, IMAGES) == {2, 3}
    elif given == "constants":
        check(NormModes(lambda p, _, x: function(FLOAT32, x), "model"), None, expected)
    else:
        check(NormModes(lambda p, s, x: function([*p, *s], x), "model", FLOAT32[2:]), FLOAT32[:2], expected)


def test_flax_modules_in_all_modes() -> None:
    for average in (True, False):
        module = nn.BatchNorm(use_running_average=average, epsilon=EPS)

        def apply(p: Any, s: Any, x: Any, module: Any = module) -> Any:
            return module.apply({"params": p, **({"batch_stats": s} if s else {})}, x, mutable=["batch_stats"])[0]

        check(NormModes(apply, "model", STORED), AFFINE, (batch(X), initial(X), X))
        check(NormModes(apply, "model"), AFFINE, (batch(X), initial(X), X))  # without statistics the module makes some
    across = nn.BatchNorm(use_running_average=False, epsilon=EPS, axis_name="devices")
    modes = NormModes(lambda p, s, x: across.apply({"params": p, "batch_stats": s}, x, mutable=["batch_stats"])[0], "model", STORED)
    check(modes, AFFINE, (batch(X), initial(X), X))


@pytest.mark.parametrize(
    "module",
    [nn.LayerNorm(), nn.GroupNorm(2), nn.InstanceNorm(), nn.RMSNorm(), nnx.GroupNorm(6, 3, rngs=nnx.Rngs(0))],
    ids=lambda m: type(m).__name__,
)
def test_norms_of_one_example_are_the_same_in_batch_and_init(module: Any) -> None:
    params = AFFINE if isinstance(module, nn.LayerNorm | nn.GroupNorm | nn.InstanceNorm) else {"scale": AFFINE["scale"]}
    function = (lambda p, x: module.apply({"params": p}, x)) if isinstance(module, nn.Module) else lambda p, x: module(x)
    right = jax.jit(function)(params, IMAGES)
    check(NormModes(lambda p, _, x: function(p, x), "model"), params, (right, right, X))


def gemma(p: Any, x: Any) -> Any:
    wide = x.astype(jnp.float32)
    return (wide * lax.rsqrt(jnp.square(wide).mean(-1, keepdims=True) + 1e-6)).astype(x.dtype) * (1 + p[0])


@pytest.mark.parametrize(
    "function",
    [
        gemma,
        by_hand,
        lambda p, x: jax.nn.standardize(x),
        lambda p, x: x / jnp.linalg.norm(x, axis=-1, keepdims=True) * 6**0.5 * p[0],
        lambda p, x: x / jnp.maximum(jnp.sqrt(jnp.square(x).sum((1, 2, 3), keepdims=True)), 1e-6),
        lambda p, x: jax.vmap(lambda h: by_hand(p, h))(x),
        lambda p, x: lax.map(lambda h: by_hand(p, h), x),
    ],
)
def test_layer_and_rms_norms_by_hand(function: Any) -> None:
    right = jax.jit(function)(FLOAT32, IMAGES)
    check(NormModes(lambda p, _, x: function(p, x), "model"), FLOAT32, (right, right, X))


def test_scanned_blocks() -> None:
    stack = [jnp.stack([a, a + 0.5]) for a in FLOAT32]

    def block(h: Any, p: Any) -> tuple[Any, None]:
        return gemma(p[:1], stored(p, h)), None

    def reference(norm: str) -> Any:
        h = X
        for step in range(2):
            scale, bias = SCALE + step / 2, BIAS + step / 2
            mean, var = (h.mean(AXES), h.var(AXES)) if norm == "batch" else (0.0, 1.0)
            h = (h - mean) / np.sqrt(var + EPS) * scale + bias
            h = h / np.sqrt(np.square(h).mean(-1, keepdims=True) + 1e-6) * (1 + scale)
        return h

    modes = NormModes(lambda p, s, x: lax.scan(jax.checkpoint(block), x, [*p, *s])[0], "model", stack[2:])
    check(modes, stack[:2], (reference("batch"), reference("init"), X))
