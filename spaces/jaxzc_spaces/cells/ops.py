"""The operations of a cell's edges, with gradients that are fast wherever they are compiled (why: `conv3x3.py`).

Shapes: activations `[B, H, W, C]`, kernels HWIO.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxzc._compile.platforms import by_platform
from jaxzc_spaces.cells.conv3x3 import conv3x3, conv3x3_pulls

Array = jax.Array


def conv1x1(x: Array, w: Array) -> Array:
    return x @ w[0, 0]


def conv3x3_stride2(x: Array, w: Array) -> Array:
    """3x3 convolution with stride 2 and PyTorch's symmetric padding (1, 1). H and W even.

    It is one matrix product over gathered patches, whose gradients are matrix products too, fast wherever they are compiled. On TPUs, which
    have convolutions of any stride, patches would take nine times the memory of x and more, for lanes are padded."""
    return by_platform(_of_patches, x, w, tpu=_strided)


def _strided(x: Array, w: Array) -> Array:
    return lax.conv_general_dilated(x, w, (2, 2), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _of_patches(x: Array, w: Array) -> Array:
    _, h, width, _ = x.shape
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    patches = [padded[:, i : i + h : 2, j : j + width : 2] for i in range(3) for j in range(3)]
    return jnp.concatenate(patches, axis=-1) @ w.reshape(-1, w.shape[-1])


def mean_pool2x2(x: Array) -> Array:
    b, h, width, c = x.shape
    return x.reshape(b, h // 2, 2, width // 2, 2, c).mean((2, 4))


def _box_sum(x: Array) -> Array:
    # Shifted sums: reduce_window on cotangents that are known zeros sends XLA into minutes of constant folding.
    h, w = x.shape[1:3]
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    x = x[:, 0:h] + x[:, 1 : h + 1] + x[:, 2 : h + 2]
    return x[:, :, 0:w] + x[:, :, 1 : w + 1] + x[:, :, 2 : w + 2]


def _window_sizes(x: Array) -> np.ndarray:
    """How many pixels of each 3x3 window lie inside the image, `[1, H, W, 1]`."""
    inside = [3.0 - (np.arange(n) == 0) - (np.arange(n) == n - 1) for n in x.shape[1:3]]
    return np.multiply.outer(*inside)[None, :, :, None].astype(x.dtype)


def avg_pool3x3(x: Array) -> Array:
    """3x3 average pooling, stride 1; padding is not counted."""
    return _box_sum(x) / _window_sizes(x)


def _avg_pool3x3_pull(ct: Array) -> Array:
    return _box_sum(ct / _window_sizes(ct))


def _conv1x1_pulls(x: Array, w: Array, ct: Array) -> tuple[Array, Array]:
    return conv1x1(ct, w.swapaxes(2, 3)), jnp.einsum("bhwc,bhwd->cd", x, ct)[None, None]


class Fixed(NamedTuple):
    """A linear operation without parameters. value: x -> y; pull: ct -> cotangent of x."""

    value: Callable[[Array], Array]
    pull: Callable[[Array], Array]


class Convolution(NamedTuple):
    """A convolution of relu(x), followed by normalisation. kernel: which of the edge's kernels it takes; value: (x, w) -> y;
    pulls: (x, w, ct) -> cotangents of (x, w)."""

    kernel: int
    value: Callable[[Array, Array], Array]
    pulls: Callable[[Array, Array, Array], tuple[Array, Array]]


Operation = Fixed | Convolution
ZERO = Fixed(jnp.zeros_like, jnp.zeros_like)
IDENTITY = Fixed(lambda x: x, lambda ct: ct)
AVG_POOL = Fixed(avg_pool3x3, _avg_pool3x3_pull)
CONV1X1 = Convolution(0, conv1x1, _conv1x1_pulls)
CONV3X3 = Convolution(1, conv3x3, conv3x3_pulls)
