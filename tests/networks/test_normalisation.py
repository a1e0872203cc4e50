"""Normalisation in traced programs: however it is written, each norm mode gives what plain formulas give."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from jax import lax

from jaxzc.networks.normalisation import NormModes
from jaxzc.types import JaxzcError

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


def stored(p: Any, x: Any) -> Any:
    return (x - p[2]) / jnp.sqrt(p[3] + EPS) * p[0] + p[1]


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


def by_hand(p: Any, x: Any) -> Any:
    return p[0] * (x - x.mean(-1, keepdims=True)) / (x.std(-1, keepdims=True) + 1e-6) + p[1]


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


def test_what_belongs_to_a_normalisation_and_what_does_not() -> None:
    position = jnp.ones((2, 6)) * jnp.arange(2.0)[:, None]

    def after(p: Any, x: Any) -> Any:
        h = by_hand(p, x) * p[2]  # a second scale, such as LayerScale
        return h + position + x.mean((1, 2), keepdims=True)

    modes = NormModes(lambda p, _, x: after(p, x), "model")
    right = X * MEAN + np.asarray(position) + X.mean((1, 2), keepdims=True)
    np.testing.assert_allclose(modes(FLOAT32, IMAGES, "none"), right, rtol=1e-5, atol=1e-5)
    for free in (lambda p, x: x @ (p["w"] / jnp.linalg.norm(p["w"])), lambda p, x: x @ p["w"] / jnp.sqrt(6.0), lambda p, x: x / x.mean()):
        same = NormModes(lambda p, _, x, free=free: free(p, x), "model")
        w = {"w": jnp.eye(6)}
        np.testing.assert_allclose(same(w, IMAGES, "none"), free(w, IMAGES), rtol=1e-6)


def test_one_example_has_the_kinds_of_many() -> None:
    one = IMAGES[:1]
    for function, init in ((of_batch, initial(X[:1])), (by_hand, by_hand(FLOAT32, one))):
        modes = NormModes(lambda p, _, x, function=function: function(p, x), "model")
        np.testing.assert_allclose(modes(FLOAT32, one, "init"), init, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("function", "refused"),
    [
        (lambda p, x: x / jnp.sqrt(1 + jnp.cumsum(jnp.square(x), -1)), "none"),  # along the channels so far
        (lambda p, x: x / jnp.exp(0.5 * jnp.log(jnp.square(x).mean(-1, keepdims=True))), "none"),
        (lambda p, x: x[1:] / jnp.sqrt(jnp.square(x).sum()), "none init"),  # not of what is divided
    ],
)
def test_what_cannot_be_recognised_is_refused_where_it_matters(function: Callable[..., Any], refused: str) -> None:
    modes = NormModes(lambda p, _, x: function(p, x), "apply_fn")
    for norm in ("batch", "init", "none"):
        if norm in refused:
            with pytest.raises(JaxzcError, match=rf"apply_fn divides by a root of statistics .*(sqrt|exp) in its program.*norm='{norm}'"):
                modes(None, IMAGES, norm)  # type: ignore[arg-type]
        else:
            np.testing.assert_allclose(modes(None, IMAGES, norm), function(None, IMAGES), rtol=1e-6)  # type: ignore[arg-type]


def test_running_statistics_used_otherwise_are_refused() -> None:
    modes = NormModes(lambda p, s, x: x * s, "apply_fn", FLOAT32[3])
    with pytest.raises(JaxzcError, match="apply_fn uses its running statistics in a way that is not known as normalisation"):
        modes(None, IMAGES, "batch")


def test_a_model_for_one_batch_size_is_refused_only_where_that_matters() -> None:
    mask = jnp.ones((4, 1, 1, 1))
    modes = NormModes(lambda p, _, x: by_hand(p, x * mask), "apply_fn")
    np.testing.assert_allclose(modes(FLOAT32, IMAGES, "none"), X, rtol=1e-6)
    with pytest.raises(JaxzcError, match=r"cannot be told whether they are of the batch.*norm='init'"):
        modes(FLOAT32, IMAGES, "init")
