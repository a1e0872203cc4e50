"""Rewrites depthwise convolutions on CPUs as sums of shifted images.

XLA for CPUs runs a grouped convolution as a naive loop. It computes the gradient of the kernel as that of a dense convolution with a mask:
C times the work and the memory for C channels (one network with a 7x7 kernel of 6,144 channels planned 15.3 GB). Here a depthwise
convolution is a sum over the pixels of its kernel: shift the images, multiply by one number for each channel, add. XLA fuses this into one
vectorised loop. `benchmarks/README.md` has the measurements: 11 to 117 times faster for convolutions, 2 to 55 times for kernel gradients.

Four forms occur, and `form` tells them apart:

    a convolution, and the gradient of its images                                  `_convolution`
    the gradient of its kernel (JAX groups by batch)                               `_kernel_gradient`
    a derivative of the kernel gradient, written as kernel (as images) * images    `_second`
    anything else                                                                  None: left to XLA

**What was tried.**

- A dense convolution with a diagonal kernel, for up to 64 channels: fast to run, but twice as slow in training as the sums, compilation
  included.
- The kernel gradient written out for every pixel: up to four times slower than the loop (`lax.map`), and five to nine times slower to
  compile.

**Beware:**

- Kernels of more than `MOST_PIXELS` pixels are left to XLA, because the sum has one term for each pixel, written out.
- The `optimization_barrier` after padding is needed: without it XLA fuses the producer of the images into every term of the sum, and
  computes it once for each pixel of the kernel.
"""

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxzc.types import Array

MOST_PIXELS = 81
"""Pixels of a kernel up to which its convolution is rewritten."""


def form(eqn: Any) -> Callable[..., Array] | None:
    """The function that computes this operation in its rewritten form; None where XLA's own is used on every platform."""
    (lhs, rhs), (out,), params = (v.aval for v in eqn.invars), (v.aval for v in eqn.outvars), eqn.params
    numbers = params["dimension_numbers"]
    features, channels = rhs.shape[numbers.rhs_spec[0]], params["feature_group_count"] * params["batch_group_count"]
    if channels == 1 or not (out.dtype == lhs.dtype == rhs.dtype and jnp.issubdtype(out.dtype, jnp.floating)):
        return None
    pixels = [math.prod(x.shape[d] for d in spec[2:]) for x, spec in zip((lhs, rhs, out), numbers, strict=True)]
    if params["batch_group_count"] == features == lhs.shape[numbers.lhs_spec[0]]:
        return _kernel_gradient if pixels[2] <= MOST_PIXELS else None
    if params["batch_group_count"] > 1 or params["feature_group_count"] != lhs.shape[numbers.lhs_spec[1]]:
        return None
    if features == channels and pixels[1] <= MOST_PIXELS:
        return _convolution
    return _second if lhs.shape[numbers.lhs_spec[0]] == 1 and pixels[0] <= MOST_PIXELS else None


def _convolution(eqn: Any, images: Array, kernel: Array) -> Array:
    """A depthwise convolution, or the gradient of its images: sum_k images[b, y * stride + k * dilation, c] kernel[k, c]."""
    params, numbers = eqn.params, eqn.params["dimension_numbers"]
    w = kernel.transpose((*numbers.rhs_spec[2:], *numbers.rhs_spec[:2]))[..., 0]
    sizes = [eqn.outvars[0].aval.shape[d] for d in numbers.out_spec[2:]]
    rows = _reached(
        [images.shape[d] for d in numbers.lhs_spec[2:]], w.shape[:-1], sizes, params["rhs_dilation"], params["window_strides"], params
    )
    x = _padded(images, (numbers.lhs_spec[0], *numbers.lhs_spec[2:], numbers.lhs_spec[1]), params, rows, params["rhs_dilation"])
    w = w[tuple(slice(first, size - after) for (first, after), size in zip(rows, w.shape[:-1], strict=True))]
    result = _sums(x, w, params["window_strides"], params["rhs_dilation"])
    return _arranged(result, (numbers.out_spec[0], *numbers.out_spec[2:], numbers.out_spec[1]))


def _second(eqn: Any, kernel: Array, images: Array) -> Array:
    """The gradient of `_kernel_gradient` by its images or its cotangent: sum_k kernel[y * stride + k * dilation, c] images[b, k, c].

    JAX writes this as a convolution of a small image (the kernel) with a large kernel (the images). Here the reversed images are convolved
    with the reversed kernel, which gives the same numbers with few terms."""
    params, numbers = eqn.params, eqn.params["dimension_numbers"]
    u = kernel.transpose((*numbers.lhs_spec[2:], *numbers.lhs_spec[:2]))[..., 0, :]
    x = images.transpose((*numbers.rhs_spec[2:], *numbers.rhs_spec[:2]))[..., 0]
    x = jnp.moveaxis(lax.rev(x, range(x.ndim - 1)).reshape(*x.shape[:-1], u.shape[-1], -1), -1, 0)
    sizes, rows = [eqn.outvars[0].aval.shape[d] for d in numbers.out_spec[2:]], []
    for n, size, k, (low, _), stride, within, between in zip(
        x.shape[1:-1],
        sizes,
        u.shape[:-1],
        params["padding"],
        params["window_strides"],
        params["lhs_dilation"],
        params["rhs_dilation"],
        strict=True,
    ):
        rows.append((low + within * (k - 1) - between * (n - 1), stride * (size - 1) - low, between - 1))
    x = lax.optimization_barrier(lax.pad(x, np.zeros((), x.dtype), [(0, 0, 0), *rows, (0, 0, 0)]))
    result = _sums(x, lax.rev(u, range(u.ndim - 1)), params["window_strides"], params["lhs_dilation"])
    result = jnp.moveaxis(result, 0, -1).reshape(1, *sizes, -1)
    return _arranged(result, (numbers.out_spec[0], *numbers.out_spec[2:], numbers.out_spec[1]))


def _sums(x: Array, w: Array, strides: Sequence[int], dilation: Sequence[int]) -> Array:
    """sum_k x[b, y * stride + k * dilation, c] w[k, c] for `x [images, *pixels, channels]` and `w [*pixels, channels]`."""
    sizes = _sizes(x.shape[1:-1], w.shape[:-1], strides, dilation)
    total = jnp.zeros((), x.dtype)
    for pixel in product(*map(range, w.shape[:-1])):
        moved = _every(x, [k * d for k, d in zip(pixel, dilation, strict=True)], sizes, strides)
        total = total + moved * lax.broadcast_to_rank(w[pixel], x.ndim)
    return total


def _kernel_gradient(eqn: Any, images: Array, cotangent: Array) -> Array:
    """The gradient of a depthwise convolution's kernel: sum_b,y images[b, k * stride + y * dilation, c] cotangent[b, y, c]."""
    params, numbers = eqn.params, eqn.params["dimension_numbers"]
    g = cotangent.transpose((*numbers.rhs_spec[1:], numbers.rhs_spec[0]))
    pixels = [eqn.outvars[0].aval.shape[d] for d in numbers.out_spec[2:]]
    sides = [images.shape[d] for d in numbers.lhs_spec[2:]]
    rows = _reached(sides, pixels, g.shape[1:-1], params["window_strides"], params["rhs_dilation"], params)
    x = _padded(images, (*numbers.lhs_spec[1:], numbers.lhs_spec[0]), params, rows, params["window_strides"])
    sizes = _sizes(x.shape[1:-1], g.shape[1:-1], params["window_strides"], params["rhs_dilation"])
    reach = [(n - 1) * d + 1 for n, d in zip(g.shape[1:-1], params["rhs_dilation"], strict=True)]

    def at(pixel: Array) -> Array:
        starts = [k * stride for k, stride in zip(pixel, params["window_strides"], strict=True)]
        window = lax.dynamic_slice(x, [np.int32(0), *starts, np.int32(0)], (len(x), *reach, x.shape[-1]), allow_negative_indices=False)
        return (_every(window, [0] * len(reach), g.shape[1:-1], params["rhs_dilation"]) * g).sum(range(g.ndim - 1))

    kernel_pixels = np.stack(np.unravel_index(np.arange(math.prod(sizes)), sizes), 1, dtype=np.int32)
    result = lax.map(at, kernel_pixels).reshape(1, *sizes, -1)
    result = jnp.pad(result, [(0, 0), *rows, (0, 0)])
    return _arranged(result, (numbers.out_spec[0], *numbers.out_spec[2:], numbers.out_spec[1]))


def _reached(
    sides: Sequence[int], kernel: Sequence[int], steps: Sequence[int], apart: Sequence[int], stride: Sequence[int], params: Any
) -> list[tuple[int, int]]:
    """For each axis, how many pixels of a kernel, at its start and its end, see nothing but padding: where images are smaller than it.

    sides: of the images. kernel: its pixels, `apart` from each other. steps: places of the kernel, a `stride` from each other."""
    rows = []
    for n, k, places, gap, move, (low, _), dilation in zip(
        sides, kernel, steps, apart, stride, params["padding"], params["lhs_dilation"], strict=True
    ):
        seen = [any(0 <= at * gap + y * move - low <= (n - 1) * dilation for y in range(places)) for at in range(k)]
        rows.append((seen.index(True), seen[::-1].index(True)) if any(seen) else (0, 0))
    return rows


def _padded(x: Array, order: Sequence[int], params: Any, unseen: Sequence[tuple[int, int]], apart: Sequence[int]) -> Array:
    """`x` transposed to `[images, *pixels, channels]`, with the convolution's padding, and zeros between pixels where it dilates them.

    Without the padding that only the `unseen` pixels of the kernel reach, which are `apart` from each other."""
    rows = [
        (low - first * gap, high - after * gap, dilation - 1)
        for (low, high), dilation, (first, after), gap in zip(params["padding"], params["lhs_dilation"], unseen, apart, strict=True)
    ]
    x = lax.pad(x.transpose(order), np.zeros((), x.dtype), [(0, 0, 0), *rows, (0, 0, 0)])
    return lax.optimization_barrier(x)  # else XLA computes the images again for every pixel of the kernel


def _sizes(pixels: Sequence[int], window: Sequence[int], strides: Sequence[int], dilation: Sequence[int]) -> list[int]:
    """Pixels of the output of a convolution without padding."""
    return [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(pixels, window, strides, dilation, strict=True)]


def _every(x: Array, starts: Sequence[int], sizes: Sequence[int], strides: Sequence[int]) -> Array:
    """A strided slice of the pixels of `x [images, *pixels, channels]`: `sizes` of them, from `starts`, every `strides`-th."""
    stops = [start + (size - 1) * stride + 1 for start, size, stride in zip(starts, sizes, strides, strict=True)]
    return lax.slice(x, (0, *starts, 0), (x.shape[0], *stops, x.shape[-1]), (1, *strides, 1))


def _arranged(x: Array, places: Sequence[int]) -> Array:
    """`x` with axis n moved to `places[n]`."""
    return x.transpose([places.index(axis) for axis in range(x.ndim)])
