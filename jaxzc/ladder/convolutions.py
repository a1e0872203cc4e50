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

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from jaxzc.ladder import host
from jaxzc.types import PyTree

CACHED = 2**22
"""Bytes of pixels beside each other that are written at a time."""


def forward(x: Any, kernel: Any, stride: int) -> Any:
    """The images `x [B, H, W, I]` convolved with `kernel [size, size, I, O]`, `size // 2` pixels padded on each side."""
    size, _, _, outputs = kernel.shape
    if host.planned(x, kernel):
        return jax.ShapeDtypeStruct((*_windows(x.shape, size, stride), outputs), kernel.dtype)
    return _convolved(np.asarray(x), kernel, stride)


def of_inputs(cotangent: PyTree, kernel: Any, stride: int, shape: tuple[int, ...]) -> Any:
    """The cotangent of `forward`'s images, which have this shape, from that of its result."""
    if host.planned(cotangent, kernel):
        return jax.ShapeDtypeStruct(shape, kernel.dtype)
    if stride == 1:
        return _convolved(np.asarray(cotangent), kernel[::-1, ::-1].swapaxes(2, 3), 1)
    return _spread(np.asarray(cotangent), kernel, stride, shape)


def of_kernel(x: Any, cotangent: PyTree, size: int, stride: int) -> Any:
    """The cotangent of `forward`'s kernel, `[1, size size I O]`, from its images and the cotangent of its result."""
    if host.planned(x, cotangent):
        return jax.ShapeDtypeStruct((1, size * size * x.shape[-1] * cotangent.shape[-1]), cotangent.dtype)
    outputs = np.asarray(cotangent)
    parts = (seen.T @ _rows(outputs[images]) for images, seen in _seen(np.asarray(x), size, stride))
    total = next(parts)
    for part in parts:
        total += part
    return total.reshape(1, -1)


def _convolved(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    size, _, inputs, outputs = kernel.shape
    matrix = np.ascontiguousarray(kernel).reshape(size * size * inputs, outputs)
    y = host.empty((*_windows(x.shape, size, stride), outputs), kernel.dtype)
    for images, seen in _seen(x, size, stride):
        np.matmul(seen, matrix, out=_rows(y[images]))
    return y


def _spread(cotangent: np.ndarray, kernel: np.ndarray, stride: int, shape: tuple[int, ...]) -> np.ndarray:
    """The cotangent of images of this shape, each pixel of which was seen from several places."""
    (size, _, inputs, _), edge = kernel.shape, kernel.shape[0] // 2
    count, rows, columns, _ = cotangent.shape
    matrix = kernel.reshape(size * size * inputs, -1).T
    of_x = host.empty(shape, kernel.dtype)
    at_once = _at_once(count, rows * columns * matrix.shape[1] * kernel.itemsize)
    for start in range(0, count, at_once):
        images = slice(start, min(start + at_once, count))
        seen = (_rows(cotangent[images]) @ matrix).reshape(-1, rows, columns, size, size, inputs)
        padded = np.zeros((len(seen), shape[1] + 2 * edge, shape[2] + 2 * edge, inputs), kernel.dtype)
        for i, j in np.ndindex(size, size):
            padded[:, i : i + (rows - 1) * stride + 1 : stride, j : j + (columns - 1) * stride + 1 : stride] += seen[:, :, :, i, j]
        of_x[images] = padded[:, edge : edge + shape[1], edge : edge + shape[2]]
    return of_x


def _seen(x: np.ndarray, size: int, stride: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Some of the images at a time, and the pixels that the kernel sees at each place, `[n H' W', size size I]`. The next array takes the
    place of the one before it."""
    if size == stride == 1:
        yield slice(None), _rows(x)
        return
    (count, height, width, inputs), edge = x.shape, size // 2
    _, rows, columns = _windows(x.shape, size, stride)
    at_once = _at_once(count, rows * columns * size * size * inputs * x.itemsize)
    padded = np.zeros((at_once, height + 2 * edge, width + 2 * edge, inputs), x.dtype)
    seen = np.empty((at_once, rows, columns, size, size, inputs), x.dtype)
    windows = sliding_window_view(padded, (size, size), (1, 2))[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)
    for start in range(0, count, at_once):
        images = slice(start, min(start + at_once, count))
        number = images.stop - start
        padded[:number, edge : edge + height, edge : edge + width] = x[images]
        seen[:number] = windows[:number]
        yield images, seen[:number].reshape(number * rows * columns, -1)


def _at_once(count: int, size: int) -> int:
    """How many images to take at a time where each has `size` bytes of pixels beside each other."""
    return max(1, min(count, CACHED // size))


def _windows(shape: tuple[int, ...], size: int, stride: int) -> tuple[int, int, int]:
    """`(B, H', W')` of a convolution of images of this shape."""
    height, width = ((side + 2 * (size // 2) - size) // stride + 1 for side in shape[1:3])
    return shape[0], height, width


def _rows(x: np.ndarray) -> np.ndarray:
    return x.reshape(-1, x.shape[-1])
