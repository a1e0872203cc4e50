"""Convolutions on the host: for them nothing is compiled, so that no compiled piece depends on two widths (design note).

A kernel's shape is a pair of widths, of which a search goes on meeting new ones. What comes before and after a dense convolution depends on
one width each. The convolution itself is a product of its kernel with the pixels that it sees, beside each other. The product is BLAS's, by
NumPy, which shares the CPU's memory with JAX.

Those pixels are nine times the images of a 3x3 convolution. They are written for a few images at a time, so that they stay in the
processor's cache, and not for a whole batch: that took up to ten times as long as the product (benchmarks/README.md, "Free widths").
Backward they are written again, and not kept. The gradient by the inputs of a convolution of stride 1 is the convolution with the mirrored
kernel; of a larger stride, products spread over the pixels that they belong to.

All functions take shapes (`jax.ShapeDtypeStruct`) for arrays, too, and give the shape of their result then: in a dry run.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from jaxzc.ladder import host
from jaxzc.types import PyTree

CACHED = 2**22
"""Bytes of pixels beside each other that are written at a time."""

Pair = tuple[int, int]
"""Of rows and of columns."""


def forward(x: Any, kernel: Any, strides: Pair) -> Any:
    """The images `x [B, H, W, I]` convolved with `kernel [h, w, I, O]`; `h // 2` and `w // 2` pixels are padded on each side."""
    if host.planned(x, kernel):
        return jax.ShapeDtypeStruct((*_windows(x.shape, kernel.shape[:2], strides), kernel.shape[3]), kernel.dtype)
    return _convolved(np.asarray(x), kernel, strides)


def of_inputs(cotangent: PyTree, kernel: Any, strides: Pair, shape: tuple[int, ...]) -> Any:
    """The cotangent of `forward`'s images, which have this shape, from that of its result."""
    if host.planned(cotangent, kernel):
        return jax.ShapeDtypeStruct(shape, kernel.dtype)
    if strides == (1, 1):
        return _convolved(np.asarray(cotangent), kernel[::-1, ::-1].swapaxes(2, 3), (1, 1))
    return _spread(np.asarray(cotangent), kernel, strides, shape)


def of_kernel(x: Any, cotangent: PyTree, size: Pair, strides: Pair) -> Any:
    """The cotangent of `forward`'s kernel, `[1, h w I O]`, from its images and the cotangent of its result. size: `(h, w)`."""
    if host.planned(x, cotangent):
        return jax.ShapeDtypeStruct((1, math.prod(size) * x.shape[-1] * cotangent.shape[-1]), cotangent.dtype)
    outputs = np.asarray(cotangent)
    parts = (seen.T @ _rows(outputs[images]) for images, seen in _seen(np.asarray(x), size, strides))
    total = next(parts)
    for part in parts:
        total += part
    return total.reshape(1, -1)


def _convolved(x: np.ndarray, kernel: np.ndarray, strides: Pair) -> np.ndarray:
    *size, _, outputs = kernel.shape
    matrix = np.ascontiguousarray(kernel).reshape(-1, outputs)
    y = host.empty((*_windows(x.shape, size, strides), outputs), kernel.dtype)
    for images, seen in _seen(x, size, strides):
        np.matmul(seen, matrix, out=_rows(y[images]))
    return y


def _spread(cotangent: np.ndarray, kernel: np.ndarray, strides: Pair, shape: tuple[int, ...]) -> np.ndarray:
    """The cotangent of images of this shape, each pixel of which was seen from several places."""
    height, width, inputs, outputs = kernel.shape
    count, rows, columns, _ = cotangent.shape
    matrix = kernel.reshape(-1, outputs).T
    of_x = host.empty(shape, kernel.dtype)
    at_once = _at_once(count, rows * columns * matrix.shape[1] * kernel.itemsize)
    for start in range(0, count, at_once):
        images = slice(start, min(start + at_once, count))
        seen = (_rows(cotangent[images]) @ matrix).reshape(-1, rows, columns, height, width, inputs)
        padded = np.zeros((len(seen), *_framed(shape, (height, width)), inputs), kernel.dtype)
        down, right = strides
        for i, j in np.ndindex(height, width):
            padded[:, i : i + (rows - 1) * down + 1 : down, j : j + (columns - 1) * right + 1 : right] += seen[:, :, :, i, j]
        of_x[images] = _inside(padded, shape, (height, width))
    return of_x


def _seen(x: np.ndarray, size: Sequence[int], strides: Pair) -> Iterator[tuple[slice, np.ndarray]]:
    """Some of the images at a time, and the pixels that the kernel sees at each place, `[n H' W', h w I]`. The next array takes the place
    of the one before it."""
    if math.prod(size) == math.prod(strides) == 1:
        yield slice(None), _rows(x)
        return
    count, inputs = len(x), x.shape[-1]
    _, rows, columns = _windows(x.shape, size, strides)
    at_once = _at_once(count, rows * columns * math.prod(size) * inputs * x.itemsize)
    padded = np.zeros((at_once, *_framed(x.shape, size), inputs), x.dtype)
    seen = np.empty((at_once, rows, columns, *size, inputs), x.dtype)
    windows = sliding_window_view(padded, tuple(size), (1, 2))[:, :: strides[0], :: strides[1]].transpose(0, 1, 2, 4, 5, 3)
    for start in range(0, count, at_once):
        images = slice(start, min(start + at_once, count))
        number = images.stop - start
        _inside(padded[:number], x.shape, size)[:] = x[images]
        seen[:number] = windows[:number]
        yield images, seen[:number].reshape(number * rows * columns, -1)


def _at_once(count: int, size: int) -> int:
    """How many images to take at a time where each has `size` bytes of pixels beside each other."""
    return max(1, min(count, CACHED // size))


def _windows(shape: Sequence[int], size: Sequence[int], strides: Pair) -> tuple[int, int, int]:
    """`(B, H', W')` of a convolution of images of this shape."""
    height, width = ((side + 2 * (k // 2) - k) // stride + 1 for side, k, stride in zip(shape[1:3], size, strides, strict=True))
    return shape[0], height, width


def _framed(shape: Sequence[int], size: Sequence[int]) -> Pair:
    """Height and width of the images with what is padded."""
    return shape[1] + 2 * (size[0] // 2), shape[2] + 2 * (size[1] // 2)


def _inside(padded: np.ndarray, shape: Sequence[int], size: Sequence[int]) -> np.ndarray:
    """The images within what is padded."""
    top, left = size[0] // 2, size[1] // 2
    return padded[:, top : top + shape[1], left : left + shape[2]]


def _rows(x: np.ndarray) -> np.ndarray:
    return x.reshape(-1, x.shape[-1])
