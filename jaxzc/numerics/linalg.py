"""Linear algebra that survives float32: matrices of at most batch x batch are decomposed in float64 where the platform has it."""

from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc._compile.float64 import in_float64
from jaxzc._compile.platforms import by_platform
from jaxzc.types import Array

SHORT = 16
"""Longest axis whose sum, maximum or minimum is written out."""


def binary_exponent(x: Array) -> Array:
    """floor(log2 x) as int32; 0 where x is 0, negative or not finite."""
    usable = (x > 0) & jnp.isfinite(x)
    return jnp.where(usable, jnp.floor(jnp.log2(jnp.where(usable, x, 1))), 0).astype(jnp.int32)


def power_of_two(exponent: Array, dtype: Any) -> Array:
    """2**exponent, exactly, limited to the normal numbers of `dtype` (from a table, which is simpler than setting bits of two formats)."""
    limit = int(jnp.finfo(dtype).maxexp) - 2
    table = np.ldexp(np.ones(2 * limit + 1), np.arange(-limit, limit + 1)).astype(dtype)
    return jnp.asarray(table)[jnp.clip(exponent, -limit, limit) + limit]


def each_matrix(function: Callable[[Array], Array], matrices: Array) -> Array:
    """`function` of each of `[..., n, m]`; on a CPU one after another.

    LAPACK's batched calls of jaxlib 0.10 hand their matrices to the pool of threads on one of which they run, and wait: with as many
    such calls under way as the pool has threads, all of them wait for ever.
    """
    if matrices.ndim == 2:
        return function(matrices)

    def in_turn(matrices: Array) -> Array:
        results = jax.lax.map(function, matrices.reshape(-1, *matrices.shape[-2:]))
        return results.reshape(*matrices.shape[:-2], *results.shape[1:])

    return by_platform(function, matrices, cpu=in_turn)


def eigenvalues(matrices: Array) -> Array:
    """Eigenvalues `[..., n]`, ascending, of symmetric matrices `[..., n, n]`."""
    return each_matrix(jnp.linalg.eigvalsh, matrices)


def singular_values(matrices: Array) -> Array:
    """Singular values `[..., min(n, m)]`, descending, of matrices `[..., n, m]`."""
    return each_matrix(partial(jnp.linalg.svd, compute_uv=False), matrices)


def log_determinant(gram: Array) -> Array:
    """log det of positive semi-definite integer matrices `[..., B, B]` (held as floats); -inf where singular, NaN where an entry is NaN.

    Singular means a pivot below rounding: elimination of a rank-deficient matrix leaves a pivot of the size of rounding errors, not an
    exact zero, and its logarithm would be an arbitrary large negative number.
    """
    return in_float64(_log_determinant)(gram)


def _log_determinant(gram: Array) -> Array:
    pivots = jnp.abs(each_matrix(lambda one: jnp.diagonal(jax.lax.linalg.lu(one)[0], axis1=-2, axis2=-1), gram))
    # Ill-conditioned leading blocks amplify rounding: in random rank-deficient kernels (B <= 64) the last pivot reached 5e-12 of the
    # largest entry. A regular matrix has pivots of about 1 (its entries are integers), so 1e-8 tells them apart up to some 1e7 units.
    relative = 1e-8 if gram.dtype == jnp.float64 else jnp.finfo(gram.dtype).eps * gram.shape[-1]
    singular = pivots.min(-1) <= relative * jnp.abs(gram).max((-2, -1))
    return jnp.where(singular, -jnp.inf, jnp.log(jnp.where(singular[..., None], 1, pivots)).sum(-1))


def total(values: Array, axis: int) -> Array:
    """Sum along `axis`, which keeps the size 1."""
    return _reduced(jnp.add, jnp.sum, values, axis)


def largest(values: Array, axis: int) -> Array:
    """Maximum along `axis`, which keeps the size 1; NaN where one is."""
    return _reduced(jnp.maximum, jnp.max, values, axis)


def smallest(values: Array, axis: int) -> Array:
    """Minimum along `axis`, which keeps the size 1; NaN where one is."""
    return _reduced(jnp.minimum, jnp.min, values, axis)


def _reduced(of_two: Callable[..., Array], of_many: Callable[..., Array], values: Array, axis: int) -> Array:
    # A short axis is written out: XLA's CPU compiler gives a reduction over two of them a twentieth of the memory's speed.
    if values.shape[axis] > SHORT:
        return of_many(values, axis, keepdims=True)
    return reduce(of_two, jnp.split(values, values.shape[axis], axis))


def deviation(values: Array, axis: int, ddof: int = 0) -> Array:
    """Standard deviation along `axis`, of any magnitude: float32 squares of values below 1e-19 would be 0, above 1e19 infinite."""
    size = values.shape[axis]
    centred = values - total(values, axis) / size
    centred = centred - total(centred, axis) / size  # the first mean is rounded, which shows where values are nearly equal
    most = largest(jnp.abs(centred), axis)
    scale = jnp.where(most == 0, 1, most)
    variance = total(jnp.square(centred / scale), axis) / max(size - ddof, 1)
    return (jnp.sqrt(variance) * scale).squeeze(axis)


def correlation_eigenvalues(rows: Array) -> Array:
    """Eigenvalues `[B]`, ascending, of the Pearson correlation matrix of `rows [B, n]`; NaN where a row is constant."""
    return in_float64(_correlation_eigenvalues)(rows)


def correlation(rows: Array) -> Array:
    """Pearson correlation `[B, B]` of the rows, clipped to [-1, 1]; NaN for constant rows (as numpy.corrcoef)."""
    # The mean of a constant row may miss the constant by rounding, and what is left would correlate like noise.
    varies = rows.max(1, keepdims=True) > rows.min(1, keepdims=True)
    centred = jnp.where(varies, rows - rows.mean(1, keepdims=True), 0)
    covariance = centred @ centred.T
    deviation = jnp.sqrt(jnp.diagonal(covariance))
    return jnp.clip(covariance / deviation[:, None] / deviation[None, :], -1, 1)


def mean_cosine_root(rows: Array, root: float) -> Array:
    """Mean over pairs of different rows `[B, n]` of the root of the absolute cosine between them; NaN where a row is zero."""
    unit = rows / jnp.linalg.norm(rows, axis=1, keepdims=True)
    cosines = jnp.abs(unit @ unit.T)
    others = ~jnp.eye(len(rows), dtype=bool)
    return jnp.where(others, jnp.where(others, cosines, 1) ** (1 / root), 0).sum() / (len(rows) * (len(rows) - 1))


def _correlation_eigenvalues(rows: Array) -> Array:
    matrix = correlation(rows)
    finite = jnp.isfinite(matrix).all()
    values = eigenvalues(jnp.where(finite, matrix, 0))
    return jnp.where(finite, values, jnp.nan)
