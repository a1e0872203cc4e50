"""Depthwise convolutions as sums of shifted images: the numbers of XLA's own, derivatives of every kind, and what is left to XLA."""

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxzc._compile import convolutions
from jaxzc._compile.jaxpr import closed
from jaxzc._compile.platforms import NAME, traced_form

CHANNELS = 6


def convolution(x: Any, w: Any, stride: int = 1, dilation: int = 1) -> Any:
    padding = [(dilation * (k - 1) // 2,) * 2 for k in w.shape[:2]]
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(
        x, w, (stride,) * 2, padding, rhs_dilation=(dilation,) * 2, feature_group_count=x.shape[-1], dimension_numbers=numbers
    )


def arrays(*kernel: int, pixels: tuple[int, int] = (7, 8)) -> tuple[jax.Array, jax.Array]:
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((4, *pixels, CHANNELS)), rng.standard_normal((*kernel, 1, CHANNELS))
    return jnp.asarray(x, jnp.float32), jnp.asarray(w, jnp.float32)


def left(function: Callable[..., Any], *args: Any, platform: str = "cpu") -> list[Any]:
    """The convolutions of a function in a program for this platform, those in loops too."""

    def among(body: Any) -> list[Any]:
        found = []
        for eqn in closed(body).jaxpr.eqns:
            found += [eqn] if eqn.primitive.name == "conv_general_dilated" else []
            if eqn.primitive.name == NAME:
                found += among(traced_form(eqn, platform))
                continue
            for value in eqn.params.values():
                found += [
                    c
                    for part in (value if isinstance(value, tuple) else (value,))
                    if hasattr(part, "eqns") or hasattr(part, "jaxpr")
                    for c in among(part)
                ]
        return found

    return among(jax.make_jaxpr(function)(*args))


def loss(conv: Callable[..., Any], x: Any, w: Any) -> Any:
    return (conv(jnp.sin(x), w) ** 3).sum()


DERIVATIVES: dict[str, Callable[[Any], Callable[..., Any]]] = {
    "none": lambda f: f,
    "gradients": lambda f: jax.grad(partial(loss, f), (0, 1)),
    "gradients of every example": lambda f: jax.vmap(jax.grad(lambda x, w: loss(f, x[None], w), (0, 1)), (0, None)),
    "Hessian-vector product": lambda f: lambda x, w: jax.jvp(jax.grad(partial(loss, f), (0, 1)), (x, w), (x, w))[1],
    "gradient of gradients": lambda f: jax.grad(lambda x, w: sum((g**2).sum() for g in jax.grad(partial(loss, f), (0, 1))(x, w)), (0, 1)),
}


WINDOWS = [((3, 3), 1, 1), ((3, 3), 2, 2), ((5, 5), 2, 1), ((3, 1), 1, 2)]
"""Kernel, stride and dilation, each at least once; the other combinations are slow."""
OTHERS = [window for window in product([(3, 3), (5, 5), (3, 1)], [1, 2], [1, 2]) if window not in WINDOWS]


@pytest.mark.parametrize("derivative", DERIVATIVES)
@pytest.mark.parametrize(("kernel", "stride", "dilation"), [*WINDOWS, *(pytest.param(*each, marks=pytest.mark.slow) for each in OTHERS)])
def test_equals_xlas_convolution(derivative: str, kernel: tuple[int, int], stride: int, dilation: int) -> None:
    function = DERIVATIVES[derivative](partial(convolution, stride=stride, dilation=dilation))
    args = arrays(*kernel)
    assert left(function, *args)
    assert not left(convolutions.rewritten(function), *args)
    both = jax.jit(lambda *args: (convolutions.rewritten(function)(*args), function(*args)))
    for made, expected in zip(*map(jax.tree.leaves, both(*args)), strict=True):
        assert (made.shape, made.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@jax.custom_jvp
def _custom(x: Any, w: Any) -> Any:
    return convolution(x, w)


_custom.defjvp(lambda primals, tangents: (_custom(*primals), _custom(tangents[0], primals[1])))


def _scanned(x: Any, w: Any) -> Any:
    return lax.scan(lambda total, image: (total + convolution(image[None], w), total.sum()), jnp.zeros_like(x[:1]), x)


INSIDE: dict[str, Callable[..., Any]] = {
    "scan": _scanned,
    "while": lambda x, w: lax.fori_loop(0, x.shape[0], lambda _, y: convolution(y, w), x),
    "cond": lambda x, w: lax.cond(x[0, 0, 0, 0] > 0, lambda: convolution(x, w), lambda: 2 * x),
    "custom_jvp": _custom,
    "jit and remat": lambda x, w: jax.jit(jax.checkpoint(convolution))(x, w),
}


@pytest.mark.parametrize("name", INSIDE)
def test_convolutions_inside_are_rewritten(name: str) -> None:
    function, args = INSIDE[name], arrays(3, 3)
    made = convolutions.rewritten(function)
    assert not left(made, *args)
    both = jax.jit(lambda *args: (made(*args), function(*args)))
    for one, expected in zip(*map(jax.tree.leaves, both(*args)), strict=True):
        np.testing.assert_allclose(one, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def kernel_gradient_of_groups(x: jax.Array, ct: jax.Array) -> jax.Array:
    """Of a convolution with two channels in a group, from one image: JAX groups by batch, and the image is the only channel of each."""

    def grouped(w: jax.Array) -> jax.Array:
        numbers = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=numbers, feature_group_count=CHANNELS // 2)

    return jax.linear_transpose(grouped, jnp.zeros((3, 3, 2, CHANNELS // 2)))(ct)[0]


def test_other_convolutions_are_left_to_xla() -> None:
    x, w = arrays(3, 3)
    two_for_each = jnp.concatenate([w, 2 * w], -1)
    dense = lambda x, w: lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))  # noqa: E731
    functions: list[tuple[Callable[..., Any], Any, Any]] = [
        (dense, x, jnp.ones((3, 3, CHANNELS, CHANNELS))),
        (dense, x[..., :1], w[..., :1]),
        (convolution, x, two_for_each),
        (convolution, *arrays(11, 11, pixels=(12, 12))),
        (convolution, x.astype(jnp.int32), w.astype(jnp.int32)),
        (kernel_gradient_of_groups, x[:1], jnp.ones((1, *x.shape[1:3], CHANNELS // 2))),
    ]
    for function, *args in functions:
        assert len(left(convolutions.rewritten(function), *args)) == 1
        np.testing.assert_array_equal(convolutions.rewritten(function)(*args), function(*args))


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_accelerators_keep_their_own(platform: str) -> None:
    assert len(left(convolutions.rewritten(convolution), *arrays(3, 3), platform=platform)) == 1


def test_a_kernels_gradient_needs_no_memory_of_a_dense_one() -> None:
    """XLA's own: a dense kernel's, 7 x 7 x 256 x 256 numbers."""
    x, w = jnp.ones((2, 4, 4, 256)), jnp.ones((7, 7, 1, 256))
    gradient = jax.grad(lambda x, w: convolution(x, w).sum(), 1)
    compiled = [jax.jit(f).lower(x, w).compile().memory_analysis() for f in (gradient, convolutions.rewritten(gradient))]
    dense, mine = (int(getattr(analysis, "temp_size_in_bytes", 0)) for analysis in compiled)
    assert dense > 4 * w.size * 256
    assert mine < dense / 20


@pytest.mark.parametrize("pixels", [(1, 1), (2, 3)])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2)])
def test_pixels_of_a_kernel_that_see_only_padding_cost_nothing(pixels: tuple[int, int], stride: int, dilation: int) -> None:
    function = jax.grad(partial(loss, partial(convolution, stride=stride, dilation=dilation)), (0, 1))
    args = arrays(7, 7, pixels=pixels)
    assert not left(convolutions.rewritten(function), *args)
    both = jax.jit(lambda *args: (convolutions.rewritten(function)(*args), function(*args)))
    for rewritten, expected in zip(*both(*args), strict=True):
        np.testing.assert_allclose(rewritten, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    products = [eqn for eqn in jax.make_jaxpr(convolutions.rewritten(convolution))(*args).eqns if eqn.primitive.name == "by_platform"]
    terms = [eqn for eqn in traced_form(products[0], "cpu").jaxpr.eqns if eqn.primitive.name == "mul"]
    assert stride > 1 or dilation > 1 or len(terms) == (2 * pixels[0] - 1) * (2 * pixels[1] - 1)
