"""Integers in programs that run in float64 stay as narrow as they were, whether or not 64-bit types exist: counters, indices, bits."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxzc._compile.float64 import in_float64
from jaxzc.networks import as_network

RNG = np.random.default_rng(0)
W, X = RNG.normal(size=(4, 4)).astype(np.float32), RNG.normal(size=(3, 4)).astype(np.float32)
INDEX = np.array([2, 0, 1], np.int32)


@jax.custom_jvp
def counted(h: Any) -> Any:
    """Three times h, by a counter inside a function with a derivative of its own."""
    return lax.fori_loop(0, 3, lambda i, total: total + h * (i >= 0), jnp.zeros_like(h))


counted.defjvp(lambda primals, tangents: (counted(*primals), 3 * tangents[0]))


@jax.custom_vjp
def picked(h: Any) -> Any:
    return h[:, lax.while_loop(lambda i: i < 2, lambda i: i + 1, 0)]


picked.defvjp(lambda h: (picked(h), h), lambda h, g: (jnp.zeros_like(h).at[:, jnp.arange(h.shape[1])[2]].set(g),))

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "argmax": lambda h: jnp.take_along_axis(h, jnp.argmax(h, 1)[:, None], 1),
    "argmin of a row": lambda h: h[jnp.arange(3), jnp.argmin(h, 1)],
    "iota": lambda h: h * lax.iota(jnp.int32, 4) + jnp.arange(3)[:, None],
    "sums of integers": lambda h: h * jnp.cumsum(jnp.arange(4)) * jnp.arange(4).sum() / jnp.maximum(jnp.cumprod(INDEX + 1).max(), 1),
    "one hot": lambda h: jax.nn.one_hot(jnp.argmax(h, 1), 4, dtype=h.dtype) * h,
    "dynamic slice": lambda h: lax.dynamic_slice(h, (jnp.argmax(h[0]) % 2, 0), (2, 4)),
    "dynamic update": lambda h: lax.dynamic_update_slice(h, h[:1], (jnp.argmax(h[:, 0]), 0)),
    "rows at indices": lambda h: jax.vmap(lambda row, i: lax.dynamic_index_in_dim(row, i))(h, jnp.argmin(h, 1)),
    "gather": lambda h: h[:, INDEX] + jnp.take(h, INDEX, axis=0, mode="clip")[:, :3],
    "negative indices": lambda h: h[jnp.asarray(INDEX) - 3],
    "scatter": lambda h: jnp.zeros((5, 4), h.dtype).at[INDEX].add(h).at[jnp.argmax(h[:, 0])].multiply(2),
    "segments": lambda h: jax.ops.segment_sum(h, INDEX // 2, num_segments=2),
    "sort": lambda h: jnp.take_along_axis(h, jnp.argsort(h, 1), 1),
    "keys and values": lambda h: lax.sort((jnp.asarray(INDEX), h[:, 0]), num_keys=1)[1],
    "top k": lambda h: lax.top_k(h, 2)[0] * (1 + lax.top_k(h, 2)[1]),
    "searched": lambda h: h * jnp.searchsorted(jnp.arange(3.0), jnp.arange(4.0)),
    "fori": lambda h: lax.fori_loop(0, 3, lambda i, total: total + i * h[i], jnp.zeros(4, h.dtype)),
    "fori to a computed end": lambda h: lax.fori_loop(0, jnp.argmax(h[0]) + 1, lambda i, total: total + i, h),
    "while": lambda h: lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, jnp.tanh(s[1]) + s[0]), (0, h))[1],
    "carry": lambda h: lax.scan(lambda s, row: ((s[0] + 1, s[1] * row + s[0]), s[0] * row), (0, h[0]), h)[1],
    "over integers": lambda h: lax.scan(lambda s, i: (s + h[i] * i, i), h[0], jnp.arange(3))[0],
    "reversed and unrolled": lambda h: lax.scan(lambda s, i: (s * h[i], None), h[0], jnp.arange(3), reverse=True, unroll=2)[0],
    "map in parts": lambda h: lax.map(lambda i: h[i] * i, jnp.arange(3), batch_size=2),
    "associative scan": lambda h: lax.associative_scan(jnp.add, h) + lax.cummax(jnp.asarray(INDEX))[:, None],
    "switch": lambda h: lax.switch(jnp.argmax(h[0]) % 2, [lambda h: h, lambda h: 2 * h], h),
    "rolled": lambda h: jnp.roll(h, jnp.argmax(h[0]), 1) * jnp.tri(3, 4, dtype=h.dtype),
    "bits": lambda h: h * ((lax.iota(jnp.uint32, 4) << 1) ^ 3) + lax.population_count(jnp.asarray(INDEX))[:, None],
    "rounded": lambda h: h[jnp.clip(jnp.floor(jnp.abs(h[0])).astype(jnp.int32), 0, 2)],
    "sizes": lambda h: h[jnp.nonzero(h[0] > -9, size=3)[0]] * jnp.bincount(INDEX, length=4),
    "mask": lambda h: jnp.where(jax.random.bits(jax.random.key(0), h.shape, jnp.uint32) % 2 == 0, h, 0),
    "shuffled": lambda h: h[jax.random.permutation(jax.random.key(0), 3)],
    "own jvp": counted,
    "own vjp": picked,
}
"""Of h `[3, 4]`. Integers that the program makes of numbers are the same in both precisions."""
FORWARD_ONLY = {"fori to a computed end", "while"}


def model(p: Any, x: Any) -> Any:
    h = x @ p
    return {name: function(lax.stop_gradient(h) if name in FORWARD_ONLY else h) for name, function in FUNCTIONS.items()}


def total(outputs: Any) -> Any:
    return sum(jnp.square(value).sum() for value in outputs.values())


@pytest.mark.parametrize("x64", [False, True], ids=["32-bit types", "64-bit types"])
def test_integers_are_left_alone(x64: bool) -> None:
    with jax.enable_x64(x64):
        network, _ = as_network(model, jnp.asarray(W), jnp.asarray(X))

        def outputs(p: Any, x: Any) -> Any:
            return network.forward(p, x, norm="none").outputs

        run = jax.jit(lambda p, x: (in_float64(outputs)(p, x), in_float64(jax.grad(lambda p, x: total(outputs(p, x))))(p, x)))
        values, slopes = run(jnp.asarray(W), jnp.asarray(X))
    with jax.enable_x64(True):
        wide = jnp.asarray(W, jnp.float64), jnp.asarray(X, jnp.float64)
        right, derivatives = jax.jit(lambda p, x: (model(p, x), jax.grad(lambda p: total(model(p, x)))(p)))(*wide)
    for name, value in values.items():
        np.testing.assert_allclose(value, right[name], rtol=1e-6, atol=1e-6, err_msg=name)
    np.testing.assert_allclose(slopes, derivatives, rtol=1e-6, atol=1e-5)
