"""Determinants and correlations against numpy's float64 and against exact integers."""

import subprocess
import sys
from fractions import Fraction
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxzc.ingredients.passes.patterns import pattern_kernel, relu_code
from jaxzc.numerics.linalg import correlation_eigenvalues, deviation, largest, log_determinant, smallest, total


def kernel(codes: np.ndarray) -> np.ndarray:
    """Hamming kernel of codes `[..., B, units]`, exact."""
    x = codes.astype(np.float64)
    return x @ np.swapaxes(x, -1, -2) + (1 - x) @ np.swapaxes(1 - x, -1, -2)


def determinant(matrix: np.ndarray) -> Fraction:
    """Exact, by elimination in fractions."""
    rows, result = [[Fraction(int(n)) for n in row] for row in matrix], Fraction(1)
    for k in range(len(rows)):
        pivot = next((i for i in range(k, len(rows)) if rows[i][k]), None)
        if pivot is None:
            return Fraction(0)
        if pivot != k:
            rows[k], rows[pivot], result = rows[pivot], rows[k], -result
        result *= rows[k][k]
        for i in range(k + 1, len(rows)):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    return result


def logdets(kernels: np.ndarray) -> np.ndarray:
    """Ours, in float32 and compiled."""
    return np.asarray(jax.jit(log_determinant)(jnp.asarray(kernels, jnp.float32)))


@pytest.mark.parametrize("batch", [2, 16, 64])
def test_log_determinant_equals_numpy(batch: int) -> None:
    rng = np.random.default_rng(batch)
    kernels = np.stack([kernel(rng.random((batch, units)) < 0.5) for units in (2 * batch, 5 * batch, 10_000)])
    sign, expected = np.linalg.slogdet(kernels)
    assert (sign > 0).all()
    made = logdets(kernels)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, expected, rtol=1e-7)
    with jax.enable_x64(True):
        double = jax.jit(log_determinant)(jnp.asarray(kernels, np.float64))
        assert double.dtype == np.float64
        np.testing.assert_allclose(double, expected, rtol=1e-12)


def test_log_determinant_of_nearly_singular_matrices_needs_float64() -> None:
    """Two codes that differ in one unit of 4000: float32 elimination would lose the pivot."""
    codes = np.random.default_rng(0).random((32, 4000)) < 0.5
    codes[7] = codes[3]
    codes[7, 0] ^= True
    np.testing.assert_allclose(logdets(kernel(codes)), np.linalg.slogdet(kernel(codes))[1], rtol=1e-7)


def test_singular_exactly_where_the_integers_say_so() -> None:
    rng = np.random.default_rng(1)
    kernels = kernel(rng.random((300, 8, 8)) < 0.5)
    exact = np.array([determinant(k) for k in kernels])
    assert 20 < (exact == 0).sum() < 280
    made = logdets(kernels)
    np.testing.assert_array_equal(made == -np.inf, exact == 0)
    np.testing.assert_allclose(np.exp(made[exact != 0].astype(float)), [float(d) for d in exact if d], rtol=1e-5)


def deficient(rng: np.random.Generator, batch: int) -> np.ndarray:
    """A random rank-deficient sum of Hamming kernels: duplicates, or too few distinct neurons, copied and weighted."""
    match rng.integers(4):
        case 0:  # equal examples among many neurons
            codes = rng.random((batch, int(rng.integers(batch, 4000)))) < rng.uniform(0.1, 0.9)
            twins = rng.choice(batch, 2, replace=False)
            codes[twins[0]] = codes[twins[1]]
        case 1:  # fewer neurons than examples
            codes = rng.random((batch, int(rng.integers(1, batch - 1)))) < 0.5
        case 2:  # many neurons, few of them different
            few = rng.random((batch, int(rng.integers(1, batch - 1)))) < 0.5
            codes = few[:, rng.integers(0, few.shape[1], 5000)]
        case _:  # one neuron that counts thousands of times among few
            few = rng.random((batch, batch - 2)) < 0.5
            codes = np.concatenate([few, np.repeat(few[:, :1], 3000, 1)], 1)
    return kernel(codes) * int(rng.integers(1, 4))


@pytest.mark.parametrize("batch", [16, 32, 64])
def test_rank_deficient_matrices_are_always_singular(batch: int) -> None:
    rng = np.random.default_rng(batch)
    kernels = np.stack([deficient(rng, batch) for _ in range(100)])
    assert (logdets(kernels) == -np.inf).all()


def test_log_determinant_of_one_example_and_of_nan() -> None:
    np.testing.assert_allclose(log_determinant(jnp.array([[5.0]])), np.log(5), rtol=1e-7)
    assert log_determinant(jnp.zeros((1, 1))) == -np.inf
    assert jnp.isnan(log_determinant(jnp.full((2, 2), jnp.nan)))


def test_log_determinant_under_vmap_and_scan() -> None:
    kernels = jnp.asarray(kernel(np.random.default_rng(2).random((3, 2, 6, 40)) < 0.5), jnp.float32)
    expected = np.linalg.slogdet(np.asarray(kernels, np.float64))[1]
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.vmap(log_determinant)))(kernels), expected, rtol=1e-7)
    np.testing.assert_allclose(jax.jit(lambda k: jax.lax.map(log_determinant, k))(kernels), expected, rtol=1e-7)


def correlated(batch: int, n: int) -> np.ndarray:
    rng = np.random.default_rng(n)
    return (rng.normal(size=(batch, n)) + 3 * rng.normal(size=n) + 0.5) * 10.0 ** rng.uniform(-12, 12, (batch, 1))


@pytest.mark.parametrize(("batch", "n"), [(4, 30), (16, 200), (8, 5)])
def test_correlation_eigenvalues_equal_numpy(batch: int, n: int) -> None:
    rows = correlated(batch, n).astype(np.float32)
    expected = np.linalg.eigvalsh(np.corrcoef(rows.astype(np.float64)))
    made = jax.jit(correlation_eigenvalues)(rows)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, expected, rtol=1e-7, atol=1e-14 * batch)
    with jax.enable_x64(True):
        np.testing.assert_allclose(
            jax.jit(correlation_eigenvalues)(jnp.asarray(rows, np.float64)), expected, rtol=1e-11, atol=1e-14 * batch
        )


def test_correlation_eigenvalues_of_a_constant_row_are_nan() -> None:
    rows = correlated(3, 10).astype(np.float32)
    rows[1] = 0.1
    assert np.isnan(jax.jit(correlation_eigenvalues)(rows)).all()
    stack = jnp.stack([jnp.asarray(rows), jnp.asarray(correlated(3, 10), jnp.float32)])
    made = jax.jit(jax.vmap(correlation_eigenvalues))(stack)
    assert np.isnan(made).all(1).tolist() == [True, False]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_pattern_kernel_counts_exactly(dtype: Any) -> None:
    x = np.random.default_rng(3).normal(size=(5, 3, 7, 40))
    x[1] = 0  # zero is not active
    x[2] = -x[3]
    code = jax.jit(relu_code)(jnp.asarray(x, dtype))
    np.testing.assert_array_equal(code, (x > 0).reshape(5, -1))
    made = jax.jit(partial(pattern_kernel, dtype=dtype))(code)
    np.testing.assert_array_equal(made, kernel((x > 0).reshape(5, -1)))


CHAINS = """
import jax, jax.numpy as jnp
from jax import lax
from jaxzc.numerics.linalg import eigenvalues, log_determinant

@jax.jit
def chains(x, w):
    found = []
    for shift in range(12):
        y = lax.conv_general_dilated(x + shift, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        columns = y.reshape(32, -1, 64)
        gram = jnp.einsum("bnc,bnd->bcd", columns, columns)
        found += [eigenvalues(gram).sum(), log_determinant(gram).sum()]
    return jnp.stack(found)

x = jax.random.normal(jax.random.key(0), (32, 32, 32, 16))
w = jax.random.normal(jax.random.key(1), (3, 3, 16, 64))
for _ in range(3):
    assert jnp.isfinite(chains(x, w)).all()
"""


def test_decompositions_do_not_wait_for_each_other() -> None:
    """Twelve at the end of convolutions, which end on any thread; as batched calls they stop for ever on a machine of two cores."""
    subprocess.run([sys.executable, "-c", CHAINS], check=True, timeout=240)


@pytest.mark.parametrize("size", [1, 2, 16, 17])
def test_reductions_along_short_and_long_axes(size: int) -> None:
    values = np.random.default_rng(size).standard_normal((3, size, 5)).astype(np.float32)
    for axis, array in ((1, values), (0, values.swapaxes(0, 1)), (2, values.swapaxes(1, 2))):
        np.testing.assert_allclose(total(jnp.asarray(array), axis), array.sum(axis, keepdims=True, dtype=np.float64), atol=1e-5)
        np.testing.assert_array_equal(largest(jnp.asarray(array), axis), array.max(axis, keepdims=True))
        np.testing.assert_array_equal(smallest(jnp.asarray(array), axis), array.min(axis, keepdims=True))
        for ddof in (0, 1):
            expected = array.std(axis, dtype=np.float64, ddof=min(ddof, size - 1))
            np.testing.assert_allclose(deviation(jnp.asarray(array), axis, ddof), expected, rtol=1e-5)
    values[1, size - 1, 2] = np.nan
    for function in (total, largest, smallest):
        assert np.argwhere(np.isnan(function(jnp.asarray(values), 1))).tolist() == [[1, 0, 2]]


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_deviation_of_any_magnitude(scale: float) -> None:
    values = np.asarray([[1, -2], [3, 2], [8, 3]], np.float32)
    np.testing.assert_allclose(deviation(jnp.asarray(values * np.float32(scale)), 0) / np.float32(scale), values.std(0), rtol=1e-6)
