"""Dtypes of arrays that meet. JAX refuses to promote one of them by itself where it is told so (`jax_numpy_dtype_promotion="strict"`)."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxzc.types import Array


def wider(a: Any, b: Any) -> tuple[Array, Array]:
    """Both arrays in the dtype of the two that holds the other's numbers (numpy's promotion)."""
    a, b = jnp.asarray(a), jnp.asarray(b)
    dtype = np.promote_types(a.dtype, b.dtype)
    return a.astype(dtype), b.astype(dtype)
