"""Binary activation patterns and the kernel that counts where two examples agree."""

import jax.numpy as jnp

from jaxzc.types import Array


def relu_code(x: Array) -> Array:
    """`x > 0` per example, bool `[B, units]`."""
    return (x > 0).reshape(len(x), -1)


def pattern_kernel(code: Array, dtype: object) -> Array:
    """K_ij = number of units on which examples i and j agree (x x' + (1-x)(1-x)'), `[B, B]`: exact integers below 2**24 in float32."""
    signs = 2 * code.astype(dtype) - 1
    return (signs @ signs.T + code.shape[1]) / 2
