"""3x3 convolutions, stride 1, one pixel of zero padding, whose derivatives of any order are fast wherever they are compiled.

XLA's CPU compiler leaves the gradients of a convolution inside loops and branches on a path 30 to 100 times slower than a convolution, so
they are written out here, as convolutions and matrix products. The convolution and its kernel's gradient have three forms each, equal but
for rounding. On a CPU the fastest depends on the channels and on how many processors share the work, for XLA spreads some of them over
threads and others not (`python benchmarks/convolutions.py`). Shapes: activations `[B, H, W, C]`, kernels `[3, 3, C, D]`.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxzc._compile.platforms import by_platform
from jaxzc._parallel.processors import processors
from jaxzc.types import PyTree

Array = jax.Array
PIXEL = (1, 1)
FEW_CHANNELS = 32
BATCH = 16
"""Smaller batches have one form only: they are what vmap takes side by side, where some of the others become grouped convolutions."""


@jax.custom_vjp
def conv3x3(x: Array, w: Array) -> Array:
    """The convolution `[B, H, W, D]` of x `[B, H, W, C]` by w `[3, 3, C, D]`."""
    few = max(w.shape[2:]) < FEW_CHANNELS
    if len(x) < BATCH:
        return plain(x, w)
    on_cpu = plain if few == (processors() > 1) else shifted_columns if few else shifted_rows
    return by_platform(row_products, x, w, cpu=on_cpu, tpu=plain)


@jax.custom_vjp
def conv3x3_kernel(x: Array, ct: Array) -> Array:
    """The cotangent `[3, 3, C, D]` of conv3x3's kernel, from x and the cotangent of its output."""
    if len(x) < BATCH:
        return product(x, ct)
    few = max(x.shape[-1], ct.shape[-1]) < FEW_CHANNELS
    return by_platform(product, x, ct, cpu=image_kernel if few or processors() == 1 else row_kernel, tpu=transposed)


def conv3x3_pull(w: Array, ct: Array) -> Array:
    """The cotangent of conv3x3's x."""
    return conv3x3(ct, w[::-1, ::-1].swapaxes(2, 3))


conv3x3.defvjp(lambda x, w: (conv3x3(x, w), (x, w)), lambda xw, ct: (conv3x3_pull(xw[1], ct), conv3x3_kernel(xw[0], ct)))
conv3x3_kernel.defvjp(
    lambda x, ct: (conv3x3_kernel(x, ct), (x, ct)),
    lambda xct, u: (conv3x3_pull(u, xct[1]), conv3x3(xct[0], u)),
)


@jax.custom_vjp
def conv3x3_pulls(x: Array, w: Array, ct: Array) -> tuple[Array, Array]:
    """Both cotangents of conv3x3, of x and of w."""
    return conv3x3_pull(w, ct), conv3x3_kernel(x, ct)


def _pulls_backward(residuals: PyTree, cotangents: tuple[Array, Array]) -> Any:
    x, w, ct = residuals
    u, v = cotangents
    # conv(u, w) + conv(x, v) as one convolution of twice as many channels, which is cheaper where they are few.
    of_ct = conv3x3(jnp.concatenate([u, x], -1), jnp.concatenate([w, v], 2))
    return conv3x3_pull(v, ct), conv3x3_kernel(u, ct), of_ct


conv3x3_pulls.defvjp(lambda x, w, ct: (conv3x3_pulls(x, w, ct), (x, w, ct)), _pulls_backward)


def plain(x: Array, w: Array) -> Array:
    return lax.conv_general_dilated(x, w, (1, 1), (PIXEL, PIXEL), dimension_numbers=("NHWC", "HWIO", "NHWC"))


def row_products(x: Array, w: Array) -> Array:
    """One matrix product with all nine taps: three column shifts of x against the three rows of the kernel; then the three results,
    shifted, are added.

    A GPU runs it without waiting: convolutions of cuDNN are calls from the processor, which cut a program into pieces that wait for it."""
    (b, h, width, c), d = x.shape, w.shape[-1]
    padded = jnp.pad(x, ((0, 0), (0, 0), PIXEL, (0, 0)))
    columns = jnp.concatenate([padded[:, :, j : j + width] for j in range(3)], -1)
    rows = (columns.reshape(-1, 3 * c) @ w.transpose(1, 2, 0, 3).reshape(3 * c, 3 * d)).reshape(b, h, width, 3, d)
    rows = jnp.pad(rows, ((0, 0), PIXEL, (0, 0), (0, 0), (0, 0)))
    return rows[:, :-2, :, 0] + rows[:, 1:-1, :, 1] + rows[:, 2:, :, 2]


def shifted_rows(x: Array, w: Array) -> Array:
    """Every row by itself, one-dimensionally, with all three rows of the kernel; then the three results, shifted, are added."""
    b, h, width, c = x.shape
    rows = w.transpose(1, 2, 0, 3).reshape(3, c, -1)
    y = lax.conv_general_dilated(x.reshape(b * h, width, c), rows, (1,), (PIXEL,), dimension_numbers=("NWC", "WIO", "NWC"))
    above, here, below = (y.reshape(b, h, width, 3, -1)[..., row, :] for row in range(3))
    return _shifted(above, 1, 1) + here + _shifted(below, 1, -1)


def shifted_columns(x: Array, w: Array) -> Array:
    """With each column of the kernel by itself, all three in one convolution; then the three results, shifted, are added."""
    columns = w.transpose(0, 2, 1, 3).reshape(3, 1, x.shape[-1], -1)
    y = lax.conv_general_dilated(x, columns, (1, 1), (PIXEL, (0, 0)), dimension_numbers=("NHWC", "HWIO", "NHWC"))
    left, here, right = (y.reshape(*x.shape[:3], 3, -1)[..., column, :] for column in range(3))
    return _shifted(left, 2, 1) + here + _shifted(right, 2, -1)


def _shifted(x: Array, axis: int, by: int) -> Array:
    """x one place further along an axis (by: 1, or -1 for back), zeros coming in."""
    remaining = lax.slice_in_dim(x, 0, -1, axis=axis) if by > 0 else lax.slice_in_dim(x, 1, None, axis=axis)
    return jnp.pad(remaining, [((1, 0) if by > 0 else (0, 1)) if a == axis else (0, 0) for a in range(x.ndim)])


def product(x: Array, ct: Array) -> Array:
    """The kernel's cotangent as one matrix product of all nine taps: three column shifts of x against three row shifts of ct, no FLOP
    wasted. Channels come first on the left, so that the product needs no transposition of the wide operand."""
    c, d, w = x.shape[-1], ct.shape[-1], x.shape[2]
    x = jnp.pad(x.transpose(3, 0, 1, 2), ((0, 0), (0, 0), PIXEL, PIXEL))
    columns = jnp.concatenate([x[..., j : j + w] for j in range(3)], axis=0)
    rows = jnp.concatenate([jnp.pad(ct, ((0, 0), (i, 2 - i), (0, 0), (0, 0))) for i in range(3)], axis=-1)
    taps = columns.reshape(3 * c, -1) @ rows.reshape(-1, 3 * d)
    return taps.reshape(3, c, 3, d).transpose(2, 0, 1, 3)


def transposed(x: Array, ct: Array) -> Array:
    """The kernel's cotangent as JAX writes it, a convolution. A TPU's compiler takes two to ten times as long for `product`."""
    kernel = jax.ShapeDtypeStruct((3, 3, x.shape[-1], ct.shape[-1]), ct.dtype)
    return jax.linear_transpose(lambda w: plain(x, w), kernel)(ct)[0]


def image_kernel(x: Array, ct: Array) -> Array:
    """The kernel's cotangent as a convolution of x, C images whose channels are the batch, by ct, a kernel of the image's size."""
    shape = ("NHWC", "HWIO", "NHWC")
    taps = lax.conv_general_dilated(x.transpose(3, 1, 2, 0), ct.transpose(1, 2, 0, 3), (1, 1), (PIXEL, PIXEL), dimension_numbers=shape)
    return taps.transpose(1, 2, 0, 3)


def row_kernel(x: Array, ct: Array) -> Array:
    """The same along one dimension: pixels of a row are the kernel's size, rows and images its channels; three row shifts of ct."""
    (b, h, w, c), d = x.shape, ct.shape[-1]
    rows = jnp.stack([_shifted(ct, 1, -1), ct, _shifted(ct, 1, 1)], -2)
    images, kernel = x.transpose(3, 2, 0, 1).reshape(c, w, b * h), rows.transpose(2, 0, 1, 3, 4).reshape(w, b * h, 3 * d)
    taps = lax.conv_general_dilated(images, kernel, (1,), (PIXEL,), dimension_numbers=("NWC", "WIO", "NWC"))
    return taps.reshape(c, 3, 3, d).transpose(2, 1, 0, 3)
