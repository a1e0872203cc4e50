"""Blocks that are traced once (`core.repeated`), and layers that are told apart (`DiscreteNetwork.apart`), are the same network."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxzc_spaces.core.discrete import DiscreteNetwork, discrete_network
from jaxzc_spaces.core.layers import BatchNorm, Linear, NetworkModule, ReLU, conv, kernel
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.core.repeated import repeated

from jaxzc.catalogue.selection import select
from jaxzc.ingredients import Roots
from jaxzc.scoring.compute import compute_values
from jaxzc.tasks import classification
from jaxzc.types import Array, Batch, Forward, Norm, Tap


class Bottle(nnx.Module):
    """Two convolutions; what is between them is a map, and so is the output, and the block itself is what attends."""

    def __init__(self, width: int):
        self.narrow, self.wide, self.bn, self.relu = kernel(1, 1, 2, width), kernel(1, 1, width, 2), BatchNorm(width), ReLU()

    @repeated
    def __call__(self, x: Array, p: Pass, name: str) -> Array:
        y = p.map(f"{name}/inside", self.relu(self.bn(conv(x, self.narrow, p), p), p))
        (y,) = p.rescale(p.attending(self, x + conv(y, self.wide, p)))
        return p.map(name, y)


class Deep(NetworkModule):
    """Blocks of two kinds; with twelve of them, `blocks/1` and `blocks/10` begin alike."""

    def __init__(self, depth: int):
        self.blocks, self.head = nnx.List([Bottle(2 + number % 2) for number in range(depth)]), Linear(2, 3)

    def logits(self, x: Array, p: Pass) -> Array:
        for number, block in enumerate(self.blocks):
            p.cell = number
            x = block(x, p, f"blocks/{number}")
        p.cell = -1
        return self.head(x.mean((1, 2)), p)


@pytest.fixture(scope="module")
def network() -> DiscreteNetwork:
    return discrete_network(partial(Deep, 12), (4, 4, 2))


def passed(network: DiscreteNetwork, params: Any, norm: Norm) -> tuple[Forward, Any]:
    """A pass that reads and shifts everything, each layer and map by its own number, and its gradients."""
    layers = {group.name: 0.1 * jnp.cos(jnp.arange(len(group.cells)) + number) for number, group in enumerate(network.groups)}
    maps = {names[0]: 0.1 * jnp.sin(jnp.arange(len(names)) + number) for number, names in enumerate(network.blueprint.maps)}
    images = jnp.sin(jnp.arange(2 * 4 * 4 * 2.0)).reshape(2, 4, 4, 2)

    def run(weights: Any) -> Any:
        tap = Tap(
            layer=lambda y, d: (y + d, y.mean()),
            activation=lambda x: x.max(),
            perturb=layers,
            cell=lambda x, d: (x * (1 + d), x.mean()),
            cell_perturb=maps,
            attention=lambda x: x.mean(),
        )
        out = network.forward(network.with_weights(params, weights), images, norm=norm, tap=tap)
        return jnp.square(out.outputs).sum(), out._replace(exponent=jnp.asarray(out.exponent))

    (_, out), grads = jax.jit(jax.value_and_grad(run, has_aux=True))(network.weights(params))
    return out, grads


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_a_block_that_is_traced_once_keeps_what_it_keeps_when_it_is_called(
    network: DiscreteNetwork, norm: Norm, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = network.init(jax.random.key(0))
    once = passed(network, params, norm)
    monkeypatch.setattr(Bottle, "__call__", Bottle.__call__.__wrapped__)  # type: ignore[attr-defined]
    each = passed(network, params, norm)
    assert list(each[0].attentions or ()) == [f"blocks/{number}" for number in range(12)]
    for kept in ("layers", "activations", "cells", "attentions"):
        assert list(getattr(once[0], kept)) == list(getattr(each[0], kept)), kept
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), once, each)


def test_layers_that_are_told_apart_have_the_weights_and_values_of_stacked_ones(network: DiscreteNetwork) -> None:
    apart, key = network.apart, jax.random.key(1)
    params = network.init(key, "torch")
    jax.tree.map(np.testing.assert_array_equal, apart.init(key, "torch"), params)
    rows = [row for group in network.weights(params) for row in group]
    assert all(len(group) == 1 for group in apart.weights(params))
    assert [group.cells for group in apart.groups] == [(cell,) for group in network.groups for cell in group.cells]
    for one, row in zip(apart.weights(params), rows, strict=True):
        np.testing.assert_array_equal(one[0], row)
    names = [name for members in network.blueprint.activated for name in members]
    assert [group.name for group in apart.activations] == names


def test_stacked_and_separate_layers_have_the_same_scores() -> None:
    """Sampled channels (meco_opt) too."""
    network = discrete_network(partial(Deep, 3), (4, 4, 2))
    rng = np.random.default_rng(1)
    batches = tuple(Batch(rng.standard_normal((3, 4, 4, 2)).astype(np.float32), np.arange(3, dtype=np.int32)) for _ in range(2))
    params, proxies = network.init(jax.random.key(2)), select("snip,zico,naswot,meco_opt,tcet_snip")

    def scores(one: DiscreteNetwork, params: Any) -> Any:
        return compute_values(proxies, Roots(one, params, batches, classification, "batch", jax.random.key(3)))

    stacked, separate = (jax.jit(partial(scores, one))(params) for one in (network, network.apart))
    for label in stacked:
        np.testing.assert_allclose(float(separate[label]), float(stacked[label]), rtol=1e-4, err_msg=label)
