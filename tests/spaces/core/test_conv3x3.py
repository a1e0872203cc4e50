"""3x3 convolutions: every form against XLA's own convolution and its derivatives, and which form is taken where."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.cells import conv3x3 as room
from numpy.testing import assert_allclose

from jaxzc._compile.platforms import traced_for

SHAPES = [(16, 5, 7, 3, 4), (17, 4, 4, 33, 8), (16, 1, 1, 2, 32), (3, 6, 2, 4, 5)]
"""(B, H, W, C, D): more and less than the batch and the channels at which the form changes; images of one pixel."""
FAST = [shape if n < 2 else pytest.param(shape, marks=pytest.mark.slow) for n, shape in enumerate(SHAPES)]
"""Of derivatives of two orders: few and many channels."""


def arrays(b: int, h: int, w: int, c: int, d: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """x, kernel, and a cotangent of the output, all small integers, so that any order of additions gives the same floats."""
    rng = np.random.default_rng(0)
    shapes = (b, h, w, c), (3, 3, c, d), (b, h, w, d)
    return tuple(jnp.asarray(rng.integers(-3, 4, shape), jnp.float32) for shape in shapes)  # type: ignore[return-value]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_form_is_the_convolution_and_its_kernel_gradient(shape: Any) -> None:
    x, w, ct = arrays(*shape)
    for form in (room.shifted_rows, room.shifted_columns, room.row_products):
        np.testing.assert_array_equal(form(x, w), room.plain(x, w), form.__name__)
    expected = jax.vjp(lambda w: room.plain(x, w), w)[1](ct)[0]
    for form in (room.product, room.image_kernel, room.row_kernel):
        np.testing.assert_array_equal(form(x, ct), expected, form.__name__)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("shape", FAST, ids=str)
def test_derivatives_of_two_orders_whatever_the_processors(shape: Any, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "processors", lambda: count)
    x, w, ct = arrays(*shape)

    def orders(first: Any) -> Any:
        """Both gradients of a convolution, and what comes back through them, in one compiled program."""

        def run(*arrays: Any) -> Any:
            pulled, pull = jax.vjp(first, *arrays)
            return pulled, pull(jax.tree.map(jnp.square, pulled))

        return jax.device_get(jax.jit(run)(x, w, ct))

    np.testing.assert_array_equal(room.conv3x3(x, w), room.plain(x, w))
    pulls, curvatures = orders(lambda x, w, ct: jax.vjp(room.plain, x, w)[1](ct))
    for first in (lambda x, w, ct: jax.vjp(room.conv3x3, x, w)[1](ct), room.conv3x3_pulls):
        ours, second = orders(first)
        jax.tree.map(np.testing.assert_array_equal, ours, pulls)
        for mine, theirs in zip(second, curvatures, strict=True):
            assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5 * np.abs(theirs).max())


@pytest.mark.parametrize(
    ("count", "channels", "value", "kernel"),
    [
        (1, 16, "shifted_columns", "image_kernel"),
        (1, 32, "plain", "image_kernel"),
        (2, 16, "plain", "image_kernel"),
        (2, 32, "shifted_rows", "row_kernel"),
    ],
)
def test_the_form_goes_by_channels_and_processors(count: int, channels: int, value: str, kernel: str, monkeypatch: Any) -> None:
    taken = []
    for name in ("plain", "shifted_rows", "shifted_columns", "product", "image_kernel", "row_kernel", "transposed"):
        form = getattr(room, name)
        monkeypatch.setattr(room, name, lambda *arrays, form=form, name=name: (taken.append(name), form(*arrays))[1])
    monkeypatch.setattr(room, "processors", lambda: count)
    x, w, ct = arrays(16, 2, 2, channels, channels)
    chosen = []
    for run in (lambda: room.conv3x3(x, w), lambda: room.conv3x3_kernel(x, ct), lambda: room.conv3x3_kernel(x[:15], ct[:15])):
        with traced_for("cpu"):
            run()
        chosen.append(taken[-1])
    assert chosen == [value, kernel, "product"]
