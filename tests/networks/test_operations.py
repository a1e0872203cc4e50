"""Networks of models: which operations are layers, activations and normalisation."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from jax import lax

from jaxzc.networks import as_network
from jaxzc.types import JaxzcError, Tap
from tests.support.models import BATCH, CLASSES, IMAGES, KEY, ZEROS, LinenViT, initial
from tests.support.network_checks import READ, close, everything


class NNXViT(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.patch = nnx.Conv(3, 4, (3, 3), 3, use_bias=False, kernel_init=ZEROS, rngs=rngs)
        self.position = nnx.Param(jnp.zeros((1, 4, 4)))
        self.norm = nnx.LayerNorm(4, rngs=rngs)
        self.attend = nnx.MultiHeadAttention(2, 4, dropout_rate=0.3, decode=False, kernel_init=ZEROS, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        linear = partial(nnx.Linear, kernel_init=ZEROS, rngs=rngs)
        self.up, self.down, self.head = linear(4, 8), linear(8, 4), linear(4, CLASSES)

    def __call__(self, x: Any) -> Any:
        x = self.patch(x).reshape(x.shape[0], 4, 4) + self.position
        x = self.dropout(x + self.attend(self.norm(x)))
        x = x + self.down(nnx.gelu(self.up(x)))
        return self.head(x.mean(1))


def test_attention_in_linen_and_nnx() -> None:
    variables = initial(LinenViT())
    module = NNXViT(nnx.Rngs(0))
    state = nnx.state(module, nnx.Param)
    nnx.replace_by_pure_dict(state, variables["params"])
    pairs = [as_network(LinenViT(), variables, IMAGES), as_network(module, state, IMAGES)]
    one, other = (everything(*pair, norms=()) for pair in pairs)
    close(one, other)
    assert one["relus"] == []
    assert all(
        float(jnp.abs(g).max()) > 0 for group, g in zip(pairs[0][0].groups, one["gradients"], strict=True) if "key" not in group.name
    )
    for network, params in pairs:
        names = [group.name.split("/")[-2] for group in network.groups]
        assert names == ["patch", "query", "key", "value", "out", "up", "down", "head"]
        assert [group.channels for group in network.groups] == [4, 4, 4, 4, 4, 8, 4, CLASSES]
        # scores and their product with the values have no weights and are not counted
        assert network.counts(params).flops == 4 * 27 * 4 + 4 * 4 * 16 + 2 * 4 * 32 + 20
    assert one["layers"][1].shape == (1, BATCH, 4, 4)
    patch = lax.conv_general_dilated(
        IMAGES, variables["params"]["patch"]["kernel"], (3, 3), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    close(one["layers"][0][0], patch)  # the position embedding is no bias


class Scanned(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        def block(layer: Any, x: Any, _: Any) -> Any:
            return nn.relu(layer(x)), None

        x = nn.Dense(4, name="stem")(x.reshape(x.shape[0], -1))
        scan = nn.scan(block, variable_axes={"params": 0}, split_rngs={"params": True}, length=3)
        x, _ = scan(nn.Dense(4, name="blocks"), x, None)
        return nn.Dense(CLASSES, name="head")(x)


def test_scanned_layers_are_one_stacked_group() -> None:
    network, params = as_network(Scanned(), initial(Scanned()), IMAGES, cells=lambda name: 1 if "blocks" in name else -1)
    stem, blocks, head = network.groups
    assert (blocks.name, blocks.kernel, blocks.fan_in, blocks.channels, blocks.cells) == ("blocks/kernel", (4, 4), 4, 4, (1, 1, 1))
    assert stem.cells == head.cells == (-1,)
    assert network.weights(params)[1].shape == (3, 4, 4)
    assert network.counts(params)[1:] == (108 * 4 + 3 * 16 + 20, 5, 0)

    def total(weights: Any) -> Any:
        return network.forward(network.with_weights(params, weights), IMAGES, norm="batch").outputs.sum()

    gradients = jax.jit(jax.grad(total))(network.weights(params))
    own = jax.jit(jax.grad(lambda p: Scanned().apply({"params": p}, IMAGES).sum()))(params)  # type: ignore[union-attr]
    close(gradients[1], own["blocks"]["kernel"])
    read = network.forward(params, IMAGES, norm="batch", tap=Tap(layer=lambda y, p: (y, y), activation=lambda x: x))
    assert read.layers is not None
    assert read.activations is not None
    h = IMAGES.reshape(len(IMAGES), -1) @ params["stem"]["kernel"] + params["stem"]["bias"]
    for step in range(3):
        h = h @ params["blocks"]["kernel"][step] + params["blocks"]["bias"][step]
        close(read.layers["blocks/kernel"][step], h)
        close(read.activations["relu0"][step], h)
        h = jax.nn.relu(h)
    assert network.activation_counts()["relu0"].shape == (3, 1)


def test_tied_weights_have_one_entry_for_each_call() -> None:
    params, x = {"w": jnp.asarray([[1.0, 2], [3, -4]]), "h": jnp.ones((2, 3))}, jnp.asarray([[1.0, 1], [1, -1]])
    network, _ = as_network(lambda p, x: jax.nn.relu(x @ p["w"]) @ p["w"] @ p["h"], params, x)
    assert [group.name for group in network.groups] == ["w", "h"]
    assert network.counts(params) == (10, 4 + 4 + 6, 2, 0)
    first = x @ params["w"]
    second = jax.nn.relu(first) @ params["w"]
    read = network.forward(params, x, norm="batch", tap=Tap(layer=lambda y, p: (y if p is None else y + p, y)))
    assert read.layers is not None
    close(read.layers["w"], jnp.stack([first, second]))
    shift = {"w": jnp.stack([0 * first, second]), "h": jnp.zeros((1, 2, 3))}
    moved = network.forward(params, x, norm="batch", tap=Tap(layer=lambda y, p: (y + p, None), perturb=shift))
    close(moved.outputs, 2 * read.outputs)
    shapes, _ = as_network(lambda p, x: (x @ p["w"]).mean(1) @ p["w"] @ p["h"], params, x[:, None].repeat(3, 1))
    with pytest.raises(JaxzcError, match=r"layer w is used 2 times .* on values of several shapes"):
        shapes.forward(params, x[:, None].repeat(3, 1), norm="batch", tap=Tap(layer=lambda y, p: (y, y)))


@jax.custom_vjp
def own_relu(x: Any) -> Any:
    return jnp.maximum(x, 0)


own_relu.defvjp(lambda x: (own_relu(x), x), lambda x, g: (jnp.where(x > 0, g, 0),))


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (jax.nn.relu, 1),
        (lambda x: jnp.where(x > 0, x, 0), 1),
        (lambda x: x * (x > 0), 1),
        (lambda x: jnp.maximum(x, 0), 1),
        (jax.checkpoint(jax.jit(jax.nn.relu)), 1),
        (lambda x: jax.nn.relu(x.astype(jnp.bfloat16)), 1),
        (lambda x: jnp.maximum(x.astype(jnp.bfloat16), 0), 1),
        (lambda x: own_relu(x), 1),
        (partial(jax.nn.standardize, epsilon=1e-5), 0),
    ],
)
def test_what_is_a_relu(act: Any, expected: int) -> None:
    params, x = jnp.arange(6.0).reshape(3, 2) - 2, jnp.ones((2, 3))
    network, _ = as_network(lambda p, x: act(x @ p), params, x)
    kept = network.forward(params, x, norm="batch", tap=Tap(activation=lambda x: x)).activations
    assert kept is not None
    assert list(kept) == list(network.activation_counts()) == [group.name for group in network.activations] == ["relu0"][:expected]
    if expected:
        close(kept["relu0"][0], x @ params)


def test_relu_keeps_its_derivative_at_zero() -> None:
    params = jnp.zeros((3, 2))
    network, _ = as_network(lambda p, x: jax.nn.relu(x @ p), params, jnp.ones((2, 3)))
    gradient = jax.grad(lambda p: network.forward(p, jnp.ones((2, 3)), norm="batch").outputs.sum())(params)
    assert float(jnp.abs(gradient).max()) == 0.0


def test_layouts_batch_first_channels_last() -> None:
    params = {
        "conv": jnp.ones((4, 3, 3, 3)),
        "mix": jnp.ones((16, 7)),
        "left": jnp.ones((6, 4)),
        "heads": jnp.ones((6, 2, 5)),
        "b": jnp.ones(10),
    }

    def model(p: Any, x: Any) -> Any:
        x = lax.conv(x, p["conv"] - p["conv"].mean((1, 2, 3), keepdims=True), (1, 1), "VALID")  # NCHW, standardised kernels
        x = jnp.einsum("bct,ts->bcs", x.reshape(x.shape[0], 4, 16), p["mix"])
        x = jnp.einsum("oc,bct->bot", p["left"], x)
        x = jnp.einsum("rc,chd->rhd", x.transpose(0, 2, 1).reshape(-1, 6), p["heads"])
        return (x.reshape(-1, 10) + p["b"]).reshape(-1, 7, 10).mean(1)

    x = jax.random.normal(KEY, (2, 3, 6, 6))
    network, _ = as_network(model, params, x)
    out = jax.jit(partial(network.forward, norm="batch", tap=Tap(layer=lambda y, p: (2 * y, y))))(params, x)
    assert out.layers is not None
    assert [y.shape for y in out.layers.values()] == [(1, 2, 4, 4, 4), (1, 2, 4, 7), (1, 2, 7, 6), (1, 2, 7, 10)]
    assert [(group.name, group.fan_in) for group in network.groups] == [("conv", 27), ("mix", 16), ("left", 4), ("heads", 6)]
    plain = jax.jit(model)({**params, "b": jnp.zeros(10)}, x)
    close(out.outputs, 16 * plain + 1, 1e-4)


@pytest.mark.parametrize("lift", [nn.jit, nn.remat], ids=["jit", "remat"])
def test_lifted_linen_modules_know_the_norm_mode(lift: Any) -> None:
    class Block(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            return nn.BatchNorm(use_running_average=True, use_bias=False)(nn.Dense(4, name="dense")(x))

    class Model(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            return lift(Block)(name="block")(x)

    x = jnp.asarray(np.random.default_rng(2).normal(size=(4, 3)).astype(np.float32))
    network, params = as_network(Model(), Model().init(KEY, x), x)
    inside = jax.jit(lambda: network.forward(params, x, norm="none", tap=READ))()  # first traced inside another trace
    y = x @ params["block"]["dense"]["kernel"]
    close(inside.outputs, y)
    close(network.forward(params, x, norm="none").outputs, y)
    close(network.forward(params, x, norm="init").outputs, y / np.sqrt(1 + 1e-5))
    close(network.forward(params, x, norm="batch").outputs, (y - y.mean(0)) / jnp.sqrt(y.var(0) + 1e-5), 1e-4)
    assert inside.layers is not None
    close(inside.layers["block/dense/kernel"][0], y)
