"""The operations of a cell's edges, with gradients that are fast wherever they are compiled.

XLA's CPU compiler leaves the gradients of a convolution inside loops and branches on a path 30 to 100 times slower than a convolution, so
they are written out here, as convolutions and matrix products. Shapes: activations `[B, H, W, C]`, kernels HWIO.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Array = jax.Array


def conv1x1(x: Array, w: Array) -> Array:
    return x @ w[0, 0]


def conv3x3_stride2(x: Array, w: Array) -> Array:
    """3x3 convolution with stride 2 and PyTorch's symmetric padding (1, 1), as one matrix product over gathered patches: its gradients
    are matrix products too, fast wherever they are compiled. H and W even."""
    _, h, width, _ = x.shape
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    patches = [padded[:, i : i + h : 2, j : j + width : 2] for i in range(3) for j in range(3)]
    return jnp.concatenate(patches, axis=-1) @ w.reshape(-1, w.shape[-1])


def mean_pool2x2(x: Array) -> Array:
    b, h, width, c = x.shape
    return x.reshape(b, h // 2, 2, width // 2, 2, c).mean((2, 4))


def _flipped(w: Array) -> Array:
    return w[::-1, ::-1].swapaxes(2, 3)


@jax.custom_vjp
def conv3x3(x: Array, w: Array) -> Array:
    """3x3 convolution, stride 1, one pixel of zero padding, NHWC/HWIO, with its gradients written as convolution and matrix product."""
    return lax.conv_general_dilated(x, w, (1, 1), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC"))


@jax.custom_vjp
def conv3x3_kernel(x: Array, ct: Array) -> Array:
    """The cotangent `[3, 3, C, D]` of conv3x3's kernel: all nine taps as one matrix product, three column shifts of x against three row
    shifts of ct, no FLOP wasted. Channels come first on the left, so that the product needs no transposition of the wide operand."""
    c, d, w = x.shape[-1], ct.shape[-1], x.shape[2]
    x = jnp.pad(x.transpose(3, 0, 1, 2), ((0, 0), (0, 0), (1, 1), (1, 1)))
    columns = jnp.concatenate([x[..., j : j + w] for j in range(3)], axis=0)
    rows = jnp.concatenate([jnp.pad(ct, ((0, 0), (i, 2 - i), (0, 0), (0, 0))) for i in range(3)], axis=-1)
    taps = columns.reshape(3 * c, -1) @ rows.reshape(-1, 3 * d)
    return taps.reshape(3, c, 3, d).transpose(2, 0, 1, 3)


def _conv3x3_pull(w: Array, ct: Array) -> Array:
    return conv3x3(ct, _flipped(w))


conv3x3.defvjp(lambda x, w: (conv3x3(x, w), (x, w)), lambda xw, ct: (_conv3x3_pull(xw[1], ct), conv3x3_kernel(xw[0], ct)))
conv3x3_kernel.defvjp(
    lambda x, ct: (conv3x3_kernel(x, ct), (x, ct)),
    lambda xct, u: (_conv3x3_pull(u, xct[1]), conv3x3(xct[0], u)),
)


@jax.custom_vjp
def _conv3x3_pulls(x: Array, w: Array, ct: Array) -> tuple[Array, Array]:
    """Both cotangents of conv3x3, of x and of w."""
    return _conv3x3_pull(w, ct), conv3x3_kernel(x, ct)


def _conv3x3_pulls_bwd(residuals: Any, cotangents: tuple[Array, Array]) -> Any:
    x, w, ct = residuals
    u, v = cotangents
    # conv(u, w) + conv(x, v) as one convolution of twice as many channels, which is cheaper where they are few.
    of_ct = conv3x3(jnp.concatenate([u, x], -1), jnp.concatenate([w, v], 2))
    return _conv3x3_pull(v, ct), conv3x3_kernel(u, ct), of_ct


_conv3x3_pulls.defvjp(lambda x, w, ct: (_conv3x3_pulls(x, w, ct), (x, w, ct)), _conv3x3_pulls_bwd)


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
CONV3X3 = Convolution(1, conv3x3, _conv3x3_pulls)
