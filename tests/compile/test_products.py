"""Convolutions as matrix products: the numbers of XLA's own, derivatives of every kind, groups, and what is left to XLA."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxzc._compile import convolutions
from tests.compile.test_depthwise import DERIVATIVES, left

LAYOUTS = [("NHWC", "HWIO", "NHWC"), ("NCHW", "OIHW", "NCHW"), ("HWNC", "IOHW", "NHWC")]


def convolution(x: Any, w: Any, layout: tuple[str, str, str] = LAYOUTS[0], **options: Any) -> Any:
    """x `[B, H, W, I]` and w `[H, W, I, O]`, brought into a layout first."""
    x = jnp.einsum(f"NHWC->{layout[0]}", x)
    w = jnp.einsum(f"HWIO->{layout[1]}", w)
    chosen = {"window_strides": (1, 1), "padding": "VALID"} | options
    return lax.conv_general_dilated(x, w, dimension_numbers=layout, **chosen)


def arrays(kernel: tuple[int, int] = (1, 1), groups: int = 1) -> tuple[jax.Array, jax.Array]:
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((4, 6, 5, 6)), rng.standard_normal((*kernel, 6 // groups, 6))
    return jnp.asarray(x, jnp.float32), jnp.asarray(w, jnp.float32)


def agree(function: Any, *args: Any) -> None:
    for one, expected in zip(
        *map(jax.tree.leaves, jax.jit(lambda *args: (convolutions.rewritten(function)(*args), function(*args)))(*args)), strict=True
    ):
        assert (one.shape, one.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(one, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("derivative", DERIVATIVES)
@pytest.mark.parametrize("options", [{}, {"window_strides": (2, 2)}, {"padding": ((1, 0), (2, 1))}, {"feature_group_count": 3}], ids=str)
def test_a_kernel_of_one_pixel_is_a_product(derivative: str, options: dict[str, Any]) -> None:
    function, args = DERIVATIVES[derivative](partial(convolution, **options)), arrays(groups=options.get("feature_group_count", 1))
    assert left(function, *args)
    rare = "padding" in options or ("window_strides" in options and derivative == "gradient of gradients")  # kernels slide over zeros
    assert rare or not left(convolutions.rewritten(function), *args)
    agree(function, *args)


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("kernel", [(1, 1), (6, 5)])
def test_layouts(layout: tuple[str, str, str], kernel: tuple[int, int]) -> None:
    function, args = jax.grad(lambda x, w: (convolution(jnp.sin(x), w, layout) ** 3).sum(), (0, 1)), arrays(kernel)
    agree(function, *args)
    assert not left(convolutions.rewritten(function), *args)


def test_batch_groups_and_dilations() -> None:
    x, w = arrays()
    assert not left(convolutions.rewritten(partial(convolution, batch_group_count=2)), x, w)
    agree(partial(convolution, batch_group_count=2), x, w)
    agree(partial(convolution, lhs_dilation=(2, 1), padding=((0, 1), (-1, 0))), x, w)
    agree(partial(convolution, rhs_dilation=(2, 2)), *arrays((3, 3)))
    agree(partial(convolution, window_strides=(3, 3)), *arrays((5, 4)))


@pytest.mark.parametrize("options", [{}, {"window_strides": (2, 1)}, {"rhs_dilation": (2, 1)}, {"padding": ((3, 2), (2, 1))}], ids=str)
@pytest.mark.parametrize("groups", [1, 2])
def test_images_of_one_pixel(options: dict[str, Any], groups: int) -> None:
    x, w = arrays((3, 2), groups)
    function = partial(convolution, **{"padding": ((2, 3), (1, 1))} | options, feature_group_count=groups)
    assert not left(convolutions.rewritten(function), x[:, :1, :1], w)
    agree(function, x[:, :1, :1], w)
    agree(jax.grad(lambda x, w: (function(jnp.sin(x), w) ** 3).sum(), (0, 1)), x[:, :1, :1], w)


@pytest.mark.parametrize("kernel", [(3, 3), (2, 1)])
def test_others_are_left_to_xla(kernel: tuple[int, int]) -> None:
    assert len(left(convolutions.rewritten(convolution), *arrays(kernel))) == 1


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
def test_other_platforms_keep_their_own(platform: str) -> None:
    assert len(left(convolutions.rewritten(convolution), *arrays(), platform=platform)) == 1
