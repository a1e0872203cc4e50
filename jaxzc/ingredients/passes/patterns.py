"""Binary activation patterns and the kernel that counts where two examples agree."""

from typing import Any

from jaxzc.numerics.trees import wide_dtype
from jaxzc.types import Array, JaxzcError


def relu_code(x: Array) -> Array:
    """`x > 0` per example, bool `[B, units]`."""
    return (x > 0).reshape(len(x), -1)


def pattern_kernel(code: Array, dtype: Any) -> Array:
    """K_ij = number of units on which examples i and j agree (x x' + (1-x)(1-x)'), `[B, B]`: exact integers below 2**24 in float32,
    which half precision is widened to.

    Raises `JaxzcError` for a single example: it has nothing to agree with, and its kernel measures size."""
    if len(code) < 2:
        raise JaxzcError(f"needs at least 2 examples in the batch and got {len(code)}: activation patterns are compared between examples")
    signs = 2 * code.astype(wide_dtype(dtype)) - 1
    return (signs @ signs.T + code.shape[1]) / 2
