"""Discrete networks: what one run of a module says about its layers and ReLUs, and what taps see of them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxzc_spaces.cells import ops as edge_ops
from jaxzc_spaces.core.discrete import DiscreteNetwork, discrete_network
from jaxzc_spaces.core.layers import BatchNorm, ReLU, kernel, layer
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.nasbench101.network import max_pool2x2, max_pool3x3
from jaxzc_spaces.transnas101.network import BasicBlock

from jaxzc.networks import as_network
from jaxzc.types import ActivationGroup, Tap


class Toy(nnx.Module):
    """Three convolutions, of which the first and the last have equal shapes, and a linear head."""

    def __init__(self) -> None:
        self.first, self.wide, self.last = kernel(1, 1, 2, 2), kernel(3, 3, 2, 2), kernel(1, 1, 2, 2)
        self.relu_a, self.relu_b = ReLU("ReLUConvBN"), ReLU()
        self.bns = nnx.List([BatchNorm(2), BatchNorm(2, eps=1.0)])
        self.head, self.head_bias = kernel(2, 3), nnx.Param(jnp.zeros(3))

    def __call__(self, x: jax.Array, p: Pass) -> jax.Array:
        p.cell = 0
        x = self.bns[0](layer(edge_ops.conv1x1, x, self.first, p), p)
        x = self.bns[1](layer(edge_ops.conv3x3, self.relu_a(x, p), self.wide, p), p)
        p.cell = 1
        (x,) = p.rescale(layer(edge_ops.conv1x1, self.relu_b(x, p), self.last, p))
        p.cell = -1
        return layer(jnp.matmul, x.mean((1, 2)), self.head, p, self.head_bias)


IMAGES = jax.random.normal(jax.random.key(1), (2, 4, 4, 2))


@pytest.fixture(scope="module")
def toy() -> tuple[DiscreteNetwork, Any]:
    network = discrete_network(Toy, (4, 4, 2))
    return network, network.init(jax.random.key(0))


def test_layers_of_equal_shapes_are_one_group(toy: Any) -> None:
    network, params = toy
    assert [(g.name, g.kernel, g.fan_in, g.channels, g.cells) for g in network.groups] == [
        ("first", (1, 1, 2, 2), 2, 2, (0, 1)),
        ("wide", (3, 3, 2, 2), 18, 2, (0,)),
        ("head", (2, 3), 2, 3, (-1,)),
    ]
    assert network.activations == (ActivationGroup("relu_a", "relu", (("ReLU", "ReLUConvBN"), ("ReLU",))),)
    assert {name: count.tolist() for name, count in network.activation_counts().items()} == {"relu_a": [[1, 0], [0, 1]]}
    weights = network.weights(params)
    np.testing.assert_array_equal(weights[0], jnp.stack([params["first"], params["last"]]))
    doubled = network.with_weights(params, [2 * w for w in weights])
    np.testing.assert_array_equal(doubled["last"], 2 * params["last"])
    np.testing.assert_array_equal(doubled["head_bias"], params["head_bias"])
    assert [w.shape for w in weights] == [(2, 1, 1, 2, 2), (1, 3, 3, 2, 2), (1, 2, 3)]


def test_initialisation(toy: Any) -> None:
    network, params = toy
    assert np.abs(params["head_bias"]).max() <= 2**-0.5
    assert np.ptp(params["head_bias"]) > 0
    for bn in params["bns"].values():
        np.testing.assert_array_equal(bn["scale"], 1)
        np.testing.assert_array_equal(bn["bias"], 0)
    assert all(np.abs(w).max() <= g.fan_in**-0.5 for w, g in zip(network.weights(params), network.groups, strict=True))


def test_taps_reach_every_layer_at_its_place(toy: Any) -> None:
    network, params = toy
    plain = network.forward(params, IMAGES, norm="batch")
    shifts = {"first": jnp.zeros((2, 2, 4, 4, 2)), "wide": jnp.zeros((1, 2, 4, 4, 2)), "head": jnp.zeros((1, 2, 3))}
    tap = Tap(layer=lambda y, p: (y + p, y), activation=lambda x: x.min(), perturb=shifts)
    read = network.forward(params, IMAGES, norm="batch", tap=tap)
    np.testing.assert_array_equal(read.outputs, plain.outputs)
    assert read.layers is not None
    assert [(name, a.shape) for name, a in read.layers.items()] == [(name, s.shape) for name, s in shifts.items()]
    np.testing.assert_allclose(read.layers["first"][0], IMAGES @ params["first"][0, 0], rtol=1e-6)
    assert read.activations is not None
    assert {name: a.shape for name, a in read.activations.items()} == {"relu_a": (2,)}
    # A shift of the last convolution's output moves the logits by the shift times the head; of the first, normalisation removes it.
    moved = network.forward(params, IMAGES, norm="batch", tap=tap._replace(perturb=shifts | {"first": shifts["first"].at[1].set(1)}))
    np.testing.assert_allclose(moved.outputs - plain.outputs, jnp.broadcast_to(params["head"].sum(0), (2, 3)), atol=1e-5)
    still = network.forward(params, IMAGES, norm="batch", tap=tap._replace(perturb=shifts | {"first": shifts["first"].at[0].set(1)}))
    np.testing.assert_allclose(still.outputs, plain.outputs, atol=1e-5)


def test_norm_modes(toy: Any) -> None:
    network, params = toy

    def expected(params: Any, first: float, second: float) -> jax.Array:
        y = IMAGES @ params["first"][0, 0] * first
        y = edge_ops.conv3x3(jax.nn.relu(y), params["wide"]) * second
        return (jax.nn.relu(y) @ params["last"][0, 0]).mean((1, 2)) @ params["head"] + params["head_bias"][None]

    init = network.forward(params, IMAGES, norm="init").outputs
    np.testing.assert_allclose(init, expected(params, (1 + 1e-5) ** -0.5, 2**-0.5), rtol=1e-5)  # the second eps is 1
    free = network.forward(params, IMAGES, norm="none")
    np.testing.assert_allclose(np.ldexp(free.outputs, int(free.exponent)), expected(params, 1, 1), rtol=1e-5)
    big = network.forward(jax.tree.map(lambda a: a * 1e12, params), IMAGES, norm="none")
    assert np.isfinite(big.outputs).all()
    assert int(big.exponent) > int(free.exponent) + 100


def test_the_adapter_for_anybodys_function_sees_the_same_layers(toy: Any) -> None:
    network, params = toy
    other, flat = as_network(lambda p, x: network.forward(p, x, norm="batch").outputs, params, IMAGES)
    assert sorted(g.kernel for g in other.groups) == sorted(g.kernel for g in network.groups for _ in g.cells)
    np.testing.assert_allclose(other.forward(flat, IMAGES, norm="batch").outputs, network.forward(params, IMAGES, norm="batch").outputs)


def test_a_shortcut_exists_where_width_or_size_changes() -> None:
    assert [BasicBlock(c_in, 4, stride).downsample is not None for c_in, stride in ((4, 1), (2, 1), (4, 2))] == [False, True, True]


def test_max_pooling_is_that_of_a_window() -> None:
    x = jnp.asarray(np.random.default_rng(0).standard_normal((2, 5, 6, 3)))
    window = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 1, 1, 1), ((0, 0), (1, 1), (1, 1), (0, 0)))
    np.testing.assert_array_equal(max_pool3x3(x), window)
    np.testing.assert_array_equal(max_pool2x2(x[:, :4]), x[:, :4].reshape(2, 2, 2, 3, 2, 3).max((2, 4)))
    for pool, count in ((max_pool3x3, x.size), (lambda x: max_pool2x2(x[:, :4]), x[:, ::2][:, :2, ::2].size)):
        gradient = jax.jit(jax.grad(lambda x, pool=pool: pool(x).sum()))
        assert float(gradient(x).sum()) == count
        assert float(gradient(jnp.zeros_like(x)).sum()) == count, "ties share"
