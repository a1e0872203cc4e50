"""Float64 inside 32-bit programs: only there, in every transformation, and through operations that are traced again when lowered."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxzc._compile.float64 import in_float64

TINY = 2.0**-40
"""Lost beside 1 in float32, kept in float64."""


def lost_in_float32(x: jax.Array) -> jax.Array:
    return (x + TINY) - x


def test_only_what_is_widened_is_float64() -> None:
    seen: list[Any] = []

    def look(a: Any, b: Any) -> Any:
        seen.extend([a.dtype, b.dtype])
        return {"sum": a.sum(), "index": b}

    made = jax.jit(lambda a: in_float64(look)(a, jnp.arange(3)))(jnp.ones(2, jnp.float32))
    assert seen == [np.float64, np.int32, np.float32, np.int32]  # and once as it is, for TPUs
    assert (made["sum"].dtype, made["index"].dtype) == (np.float32, np.int32)
    assert jnp.ones(2).dtype == np.float32


@pytest.mark.parametrize(
    "transform", [lambda f: f, jax.jit, jax.vmap, lambda f: jax.jit(jax.vmap(f)), lambda f: lambda x: jax.lax.map(f, x)]
)
def test_precision_in_every_transformation(transform: Any) -> None:
    x = jnp.ones(3, jnp.float32)
    assert not np.asarray(transform(lost_in_float32)(x)).any()
    np.testing.assert_array_equal(transform(in_float64(lost_in_float32))(x), np.full(3, TINY, np.float32))


def test_a_traced_array_that_the_function_closes_over() -> None:
    def outer(x: jax.Array, index: jax.Array) -> jax.Array:
        return in_float64(lambda a: lost_in_float32(a) * index.astype(a.dtype))(x)

    np.testing.assert_array_equal(jax.jit(outer)(jnp.ones(2), jnp.asarray(3)), np.full(2, 3 * TINY, np.float32))
    both = jax.jit(jax.vmap(outer, in_axes=(None, 0)))(jnp.ones(2), jnp.arange(4))
    np.testing.assert_array_equal(both, np.arange(4)[:, None] * np.full(2, TINY, np.float32))


@pytest.mark.parametrize("batched", [False, True])
def test_the_gradient_of_max_pooling(batched: bool) -> None:
    def pooled(x: jax.Array) -> jax.Array:
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (2, 2), (2, 2), "VALID").sum()

    x = jax.random.normal(jax.random.key(0), (3, 4, 4))
    x, gradient = (x, jax.vmap(jax.grad(pooled))) if batched else (x[0], jax.grad(pooled))
    widened = jax.vmap(in_float64(jax.grad(pooled))) if batched else in_float64(jax.grad(pooled))
    np.testing.assert_array_equal(jax.jit(widened)(x), gradient(x))
