"""Small arithmetic on the host, where a compiled piece would take longer to be called than NumPy takes to compute.

All functions take shapes (`jax.ShapeDtypeStruct`) for arrays, too, and give the shape of their result then: in a dry run.
"""

import math
from typing import Any

import jax
import numpy as np


def planned(*arrays: Any) -> bool:
    """Whether one of them is a shape: in a dry run."""
    return any(isinstance(array, jax.ShapeDtypeStruct) for array in arrays)


def empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array where JAX can read it without copying it: from a multiple of 64 bytes on."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + 63, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)


def shaped(kernel: Any, shape: tuple[int, ...]) -> Any:
    """A kernel `[1, n]` in the shape that it convolves with."""
    return jax.ShapeDtypeStruct(shape, kernel.dtype) if planned(kernel) else np.asarray(kernel).reshape(shape)


def plus(a: Any, b: Any) -> Any:
    """The sum of two arrays of one shape and dtype."""
    return jax.ShapeDtypeStruct(a.shape, a.dtype) if planned(a, b) else np.add(a, b, out=empty(a.shape, a.dtype))


def zeros(kernel: Any, dtype: Any = None) -> Any:
    """Of a kernel's shape, and its dtype unless another is said; None for None."""
    if kernel is None:
        return None
    dtype = dtype or kernel.dtype
    return jax.ShapeDtypeStruct(kernel.shape, dtype) if planned(kernel) else np.zeros(kernel.shape, dtype)


def positive(kernel: Any) -> Any:
    """Absolute values in float64."""
    return jax.ShapeDtypeStruct(kernel.shape, np.float64) if planned(kernel) else np.abs(kernel.astype(np.float64))


def largest(values: Any) -> Any:
    """The largest size among them, a scalar; NaN where one of them is."""
    return jax.ShapeDtypeStruct((), values.dtype) if planned(values) else np.asarray(np.abs(values).max())


def larger(a: Any, b: Any) -> Any:
    """The larger one of two scalars; NaN where one of them is."""
    return jax.ShapeDtypeStruct((), a.dtype) if planned(a, b) else np.maximum(a, b)


def exponent_of(size: Any) -> Any:
    """As `jaxzc.numerics.linalg.binary_exponent`, of a scalar: int32."""
    if planned(size):
        return jax.ShapeDtypeStruct((), np.int32)
    value = float(size)
    return np.asarray(math.frexp(value)[1] - 1 if 0 < value < math.inf else 0, np.int32)


def scaled(values: Any, exponent: Any) -> Any:
    """Float64 values in float32, this power of two taken out."""
    if planned(values):
        return jax.ShapeDtypeStruct(values.shape, np.float32)
    most = int(np.finfo(np.float64).maxexp) - 2  # beyond it the power itself would be no number
    return (np.asarray(values) * math.ldexp(1.0, max(-most, min(most, -int(exponent))))).astype(np.float32)
