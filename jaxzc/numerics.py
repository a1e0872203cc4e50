"""Linear algebra that survives float32: matrices of at most batch x batch are decomposed in float64 where the platform has it."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxzc.types import Array


def in_float64(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` run on float64 copies of its float arguments, its float results cast back; as it is on TPUs, which have no float64.

    Works inside jit, whether or not the program enables 64-bit types: only these few operations are widened.
    """

    def widened(*arguments: Any) -> Any:
        if jax.default_backend() == "tpu":
            return function(*arguments)
        dtype = jnp.result_type(*(a for a in jax.tree.leaves(arguments) if jnp.issubdtype(jnp.result_type(a), jnp.floating)))
        with jax.enable_x64(True):
            return _cast(function(*_cast(arguments, jnp.float64)), dtype)

    return widened


def _cast(tree: Any, dtype: Any) -> Any:
    return jax.tree.map(lambda a: a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a, tree)


def log_determinant(gram: Array) -> Array:
    """log det of positive semi-definite integer matrices `[..., B, B]` (held as floats); -inf where singular.

    Singular means a pivot below rounding: elimination of a rank-deficient matrix leaves a pivot of the size of rounding errors, not an exact
    zero, and its logarithm would be an arbitrary large negative number.
    """
    return in_float64(_log_determinant)(gram)


def _log_determinant(gram: Array) -> Array:
    pivots = jnp.abs(jnp.diagonal(jax.lax.linalg.lu(gram)[0], axis1=-2, axis2=-1))
    tiny = jnp.finfo(gram.dtype).eps * gram.shape[-1] * jnp.abs(gram).max((-2, -1))
    return jnp.where(pivots.min(-1) > tiny, jnp.log(pivots).sum(-1), -jnp.inf)


def correlation_eigenvalues(rows: Array) -> Array:
    """Eigenvalues `[B]`, ascending, of the Pearson correlation matrix of `rows [B, n]`; NaN where a row is constant."""
    return in_float64(_correlation_eigenvalues)(rows)


def correlation(rows: Array) -> Array:
    """Pearson correlation `[B, B]` of the rows, clipped to [-1, 1]; NaN for constant rows (as numpy.corrcoef)."""
    centred = rows - rows.mean(1, keepdims=True)
    covariance = centred @ centred.T
    deviation = jnp.sqrt(jnp.diagonal(covariance))
    return jnp.clip(covariance / deviation[:, None] / deviation[None, :], -1, 1)


def _correlation_eigenvalues(rows: Array) -> Array:
    matrix = correlation(rows)
    finite = jnp.isfinite(matrix).all()
    values = jnp.linalg.eigvalsh(jnp.where(finite, matrix, 0))
    return jnp.where(finite, values, jnp.nan)
