"""Products with kernels, on the host: for them nothing is compiled, so that no compiled piece depends on two widths.

A kernel's shape is a pair of widths, of which a search goes on meeting new ones. Where a step's layer is a product (see `Operation.parts`),
what comes before and after it depends on one width each. The product itself is BLAS's, by NumPy, which shares the CPU's memory with JAX.
"""

import math
from typing import Any

import jax
import numpy as np

from jaxzc.types import PyTree


def product(x: Any, kernel: Any) -> Any:
    """`x [..., I]` times `kernel [I, O]`, `[..., O]`, in the kernel's dtype. Of shapes, the shape."""
    if _planned(x, kernel):
        return jax.ShapeDtypeStruct((*x.shape[:-1], kernel.shape[1]), kernel.dtype)
    return (_rows(x) @ kernel).reshape(*x.shape[:-1], kernel.shape[1])


def of_inputs(cotangent: PyTree, kernel: Any) -> Any:
    """The cotangent `[..., I]` of a product's `x`, from that of its result, `[..., O]`. Of shapes, the shape."""
    if _planned(cotangent, kernel):
        return jax.ShapeDtypeStruct((*cotangent.shape[:-1], kernel.shape[0]), kernel.dtype)
    return (_rows(cotangent) @ kernel.T).reshape(*cotangent.shape[:-1], kernel.shape[0])


def of_kernel(x: Any, cotangent: PyTree) -> Any:
    """The cotangent of a product's kernel, `[1, I O]`, from its `x` and the cotangent of its result. Of shapes, the shape."""
    if _planned(x, cotangent):
        return jax.ShapeDtypeStruct((1, x.shape[-1] * cotangent.shape[-1]), cotangent.dtype)
    return (_rows(x).T @ _rows(cotangent)).reshape(1, -1)


def matrix(kernel: Any, shape: tuple[int, ...]) -> Any:
    """A kernel `[1, n]` of this shape as the matrix `[inputs, outputs]` that it multiplies with. Of a shape, the shape."""
    size = math.prod(shape[:-1]), shape[-1]
    return jax.ShapeDtypeStruct(size, kernel.dtype) if type(kernel) is jax.ShapeDtypeStruct else np.asarray(kernel).reshape(size)


def positive(kernel: Any) -> Any:
    """Absolute values in float64. Of a shape, the shape."""
    if type(kernel) is jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(kernel.shape, np.float64)
    return np.abs(kernel.astype(np.float64))


def largest(values: Any) -> Any:
    """The largest size among them, a scalar. Of a shape, the shape."""
    return jax.ShapeDtypeStruct((), values.dtype) if type(values) is jax.ShapeDtypeStruct else np.asarray(np.abs(values).max())


def _planned(*arrays: Any) -> bool:
    """Whether one of them is a shape: in a dry run."""
    return any(type(array) is jax.ShapeDtypeStruct for array in arrays)


def _rows(x: Any) -> np.ndarray:
    return np.asarray(x).reshape(-1, x.shape[-1])
