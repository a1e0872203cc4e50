"""Layers of discrete networks against XLA's own windows and convolutions, and against numbers written by hand."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax
from jaxzc_spaces.core.layers import BatchNorm, FactorizedReduce, Linear, ReLU, conv, depthwise
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.core.pools import avg_pool, max_pool

from jaxzc.types import JaxzcError, Tap

RNG = np.random.default_rng(0)


def images(*shape: int) -> jax.Array:
    return jnp.asarray(RNG.standard_normal(shape), jnp.float32)


def window(x: jax.Array, size: int, stride: int, init: float, op: Any) -> jax.Array:
    p = size // 2
    return lax.reduce_window(x, init, op, (1, size, size, 1), (1, stride, stride, 1), ((0, 0), (p, p), (p, p), (0, 0)))


@pytest.mark.parametrize("size", [3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("height", [5, 8])
def test_pools_equal_xla_windows(size: int, stride: int, height: int) -> None:
    x = images(2, height, 6, 3)
    np.testing.assert_array_equal(max_pool(x, size, stride), window(x, size, stride, -jnp.inf, lax.max))
    total, inside = (window(a, size, stride, 0.0, lax.add) for a in (x, jnp.ones_like(x)))
    np.testing.assert_allclose(avg_pool(x, size, stride), total / inside, rtol=1e-5, atol=1e-6)


def test_gradients_of_pools_are_finite_at_the_borders() -> None:
    x = jnp.zeros((1, 4, 4, 1))
    for pool in (max_pool, avg_pool):
        gradient = jax.jit(jax.grad(lambda x, pool=pool: pool(x, 3, 2).sum()))(x)
        np.testing.assert_allclose(gradient.sum(), 4, rtol=1e-6)


@pytest.mark.parametrize(("size", "stride", "dilation"), [(3, 1, 1), (3, 2, 1), (5, 2, 1), (3, 1, 2), (5, 2, 2)])
def test_depthwise_is_one_filter_per_channel(size: int, stride: int, dilation: int) -> None:
    x, w = images(2, 9, 8, 3), nnx.Param(images(size, size, 1, 3))
    made = depthwise(x, w, Pass(), stride, dilation)
    each = [conv(x[..., c : c + 1], nnx.Param(_dilated(w[...][..., c : c + 1], dilation)), Pass(), stride) for c in range(3)]
    np.testing.assert_allclose(made, jnp.concatenate(each, -1), rtol=1e-5, atol=1e-5)


def _dilated(w: jax.Array, dilation: int) -> jax.Array:
    """The kernel with zeros between its taps."""
    size = dilation * (w.shape[0] - 1) + 1
    return jnp.zeros((size, size, *w.shape[2:])).at[::dilation, ::dilation].set(w)


def test_strided_convolutions_pad_both_sides() -> None:
    """At even sizes "SAME" would pad the end only."""
    x, w = jnp.arange(16.0).reshape(1, 4, 4, 1), nnx.Param(jnp.zeros((3, 3, 1, 1)).at[0, 0].set(1))
    np.testing.assert_array_equal(conv(x, w, Pass(), 2)[0, ..., 0], [[0, 0], [0, 5]])


def test_factorized_reduction_reads_even_and_odd_pixels() -> None:
    module = FactorizedReduce(1, 2)
    module.conv1[...] = module.conv2[...] = jnp.ones((1, 1, 1, 1))
    x = jnp.arange(1.0, 26).reshape(1, 5, 5, 1)
    y = module(x, Pass("none"))
    np.testing.assert_array_equal(y[0, ..., 0], x[0, ::2, ::2, 0])
    np.testing.assert_array_equal(y[0, ..., 1], jnp.pad(x[0, 1::2, 1::2, 0], ((0, 1), (0, 1))))


def test_batch_normalisation_in_every_mode() -> None:
    x, bn = images(4, 3, 3, 2) * 3 + 1, BatchNorm(2, eps=1e-3)
    assert bn.scale is not None
    assert bn.bias is not None
    bn.scale[...], bn.bias[...] = jnp.array([2.0, 3.0]), jnp.array([-1.0, 1.0])
    batch = np.asarray(x, np.float64)
    centred = (batch - batch.mean((0, 1, 2))) / np.sqrt(batch.var((0, 1, 2)) + 1e-3)
    np.testing.assert_allclose(bn(x, Pass("batch")), centred * [2, 3] + [-1, 1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(bn(x, Pass("init")), batch / np.sqrt(1 + 1e-3) * [2, 3] + [-1, 1], rtol=1e-5, atol=1e-5)
    assert bn(x, Pass("none")) is x
    plain = BatchNorm(2, eps=1e-3, affine=False)
    np.testing.assert_allclose(plain(x, Pass("batch")), centred, rtol=1e-4, atol=1e-5)
    assert not jax.tree.leaves(nnx.state(plain, nnx.Param))


class Chain(nnx.Module):
    """Everything that a tap can read, once."""

    def __init__(self) -> None:
        self.linear, self.bn, self.relu = Linear(3, 2), BatchNorm(3), ReLU()

    def __call__(self, x: jax.Array, p: Pass) -> jax.Array:
        return self.linear(p.map("stem", self.relu(self.bn(x, p), p)), p)


def test_a_pass_hands_everything_to_the_tap_by_name() -> None:
    x, chain = images(2, 3), Chain()
    tap = Tap(
        layer=lambda y, shift: (y + shift, y.mean()),
        activation=lambda x: x.min(),
        norm=lambda x: x.max(),
        cell=lambda y, shift: (y + shift, y.sum()),
        perturb={"linear/kernel": jnp.array([10.0])},
        cell_perturb={"stem": jnp.array([100.0])},
    )
    p = Pass("batch", tap, chain)
    y = chain(x, p)
    kept = p.forward(y)
    assert [list(k) for k in (kept.layers, kept.activations, kept.norms, kept.cells) if k is not None] == [
        ["linear/kernel"],
        ["relu"],
        ["bn"],
        ["stem"],
    ]
    assert all(value.shape == (1,) for value in jax.tree.leaves([p.layers, p.activations, p.norms, p.maps]))
    np.testing.assert_array_equal(p.norms["bn"], x.max())
    np.testing.assert_array_equal(y, jnp.full((2, 2), 10.0))
    with pytest.raises(JaxzcError, match="two layers of one network are named 'bn'"):
        chain.bn(x, p)
    with pytest.raises(JaxzcError, match="needs the network whose layers it names"):
        chain(x, Pass("batch", tap))


def test_rescaling_is_exact_and_keeps_biases_on_scale() -> None:
    x = images(2, 3) * 2.0**40
    linear = Linear(3, 2)
    linear.kernel[...], linear.bias[...] = images(3, 2), images(2) * 2.0**40
    p = Pass("none")
    (scaled,) = p.rescale(x)
    assert float(jnp.max(jnp.abs(scaled))) <= 2
    np.testing.assert_allclose(linear(scaled, p) * 2.0 ** int(p.exponent), x @ linear.kernel[...] + linear.bias[...][None], rtol=1e-5)
    free = Pass("batch")
    assert free.rescale(x)[0] is x
