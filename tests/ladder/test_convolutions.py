"""Convolutions on the host against JAX's, and against themselves at other numbers of images at a time."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import lax

from jaxzc.ladder import convolutions, host

SIZES: Any = st.tuples(*[st.sampled_from([1, 3, 5, 7])] * 2)
STRIDES: Any = st.tuples(*[st.sampled_from([1, 2, 3])] * 2)
SMALL: Any = st.integers(1, 9)
Pair = tuple[int, int]


def by_jax(x: jax.Array, kernel: jax.Array, strides: Pair) -> jax.Array:
    padding = [(k // 2, k // 2) for k in kernel.shape[:2]]
    return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def compare(images: tuple[int, int, int, int], size: Pair, strides: Pair, outputs: int) -> None:
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal(images), rng.standard_normal((*size, images[-1], outputs))
    with jax.enable_x64(True):
        y, pull = jax.vjp(lambda x, kernel: by_jax(x, kernel, strides), jnp.asarray(x), jnp.asarray(kernel))
        cotangent = rng.standard_normal(y.shape)
        of_x, of_kernel = pull(jnp.asarray(cotangent))
    np.testing.assert_allclose(convolutions.forward(x, kernel, strides), y, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(convolutions.of_inputs(cotangent, kernel, strides, x.shape), of_x, rtol=1e-12, atol=1e-12)
    ours = convolutions.of_kernel(x, cotangent, size, strides)
    np.testing.assert_allclose(ours.reshape(kernel.shape), of_kernel, rtol=1e-12, atol=1e-11)


@given(st.tuples(SMALL, SMALL, SMALL, SMALL), SIZES, STRIDES, SMALL)
def test_values_and_cotangents_are_those_of_jax(images: Any, size: Pair, strides: Pair, outputs: int) -> None:
    compare(images, size, strides, outputs)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("cached", [1, 3 * 7 * 6 * 9 * 2 * 8], ids=["one image at a time", "three, three and one"])
def test_however_many_images_are_taken_at_a_time(monkeypatch: pytest.MonkeyPatch, cached: int, stride: int) -> None:
    monkeypatch.setattr(convolutions, "CACHED", cached // stride**2)
    compare((7, 7, 6, 2), (3, 3), (stride, stride), 4)


@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (1, 2)])
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (1, 7)])
def test_shapes_are_those_of_the_values(size: Pair, strides: Pair) -> None:
    x, kernel = np.ones((2, 5, 4, 3), np.float32), np.ones((*size, 3, 6), np.float32)
    y = convolutions.forward(x, kernel, strides)
    shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in (x, kernel, y)]
    pairs = [
        (y, convolutions.forward(shapes[0], shapes[1], strides)),
        (convolutions.of_inputs(y, kernel, strides, x.shape), convolutions.of_inputs(shapes[2], shapes[1], strides, x.shape)),
        (convolutions.of_kernel(x, y, size, strides), convolutions.of_kernel(shapes[0], shapes[2], size, strides)),
    ]
    for value, shape in pairs:
        assert (value.shape, value.dtype) == (shape.shape, shape.dtype)


def test_jax_reads_results_where_they_are() -> None:
    y = convolutions.forward(np.ones((2, 8, 8, 3), np.float32), np.ones((3, 3, 3, 5), np.float32), (1, 1))
    assert jax.device_put(y).unsafe_buffer_pointer() == y.ctypes.data


@pytest.mark.parametrize("size", [0.0, 5e-324, 1.0, 1.5, 2.0, 3e38, 1e308, np.inf, np.nan])
def test_the_power_of_two_taken_out_leaves_numbers(size: float) -> None:
    exponent = host.exponent_of(np.float64(size))
    assert (exponent.dtype, exponent.shape) == (np.int32, ())
    scaled = host.scaled(np.array([[size]]), exponent)
    assert scaled.dtype == np.float32
    if 1e-300 < size < np.inf:
        assert 1 <= scaled[0, 0] < 4  # above 2 where the power itself would be no number
    else:
        np.testing.assert_array_equal(np.isfinite(scaled), np.isfinite(np.array([[size]])))
