"""Networks of Linen modules, NNX modules and bare functions: the same model in three flavours must be the same network."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from jaxzc.networks import as_network
from tests.support.models import BATCH, CLASSES, IMAGES, LinenModel, initial
from tests.support.network_checks import READ, close, everything, flavours, forward


@pytest.mark.parametrize(
    ("body", "norm"), [("resnet", "batch"), ("resnet", "group"), ("mlp", "no"), ("mlp", "layer")], ids=lambda part: part
)
def test_three_flavours_are_one_network(body: str, norm: str) -> None:
    networks = flavours(body, norm)
    results = {name: everything(*pair) for name, pair in networks.items()}
    for name in ("nnx", "bare"):
        close(results["linen"], results[name])
        (one, p), (other, q) = networks["linen"], networks[name]
        assert one.groups == other.groups
        assert one.counts(p) == other.counts(q)
    network, params = networks["linen"]
    order = ["c0", "c1", "c2", "c3", "cs", "fc"] if body == "resnet" else ["d0", "d1", "d2"]
    assert [group.name for group in network.groups] == [f"{name}/kernel" for name in order]
    result = results["linen"]
    assert len(result["relus"]) == (3 if body == "resnet" else 2)
    for y, shift, scale in zip(result["layers"], result["shifts"], result["scales"], strict=True):
        close((y * shift).reshape(1, BATCH, -1, y.shape[-1]).sum(2), scale, 1e-5)
    assert float(jnp.abs(result["logits batch"] - result["logits none"]).max()) > 1e-3 or norm == "no"
    close(result["layers"][-1][0], result["logits batch"])  # the head's bias is in what the tap sees
    if body == "resnet":
        first = lax.conv_general_dilated(IMAGES, params["c0"]["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        close(result["layers"][0][0], first + params["c0"]["bias"])


def test_groups_and_counts() -> None:
    network, params = flavours("resnet", "batch")["linen"]
    assert [(group.kernel, group.fan_in, group.channels) for group in network.groups] == [
        ((3, 3, 3, 4), 27, 4),
        ((3, 3, 4, 8), 36, 8),
        ((3, 3, 1, 8), 9, 8),
        ((1, 1, 4, 8), 4, 8),
        ((1, 1, 4, 8), 4, 8),
        ((8, 5), 8, 5),
    ]
    counts = network.counts(params)
    assert counts.flops == 36 * 4 * 27 + 9 * 8 * (36 + 9 + 4 + 4) + 8 * 5
    assert counts.params == 108 + 4 + 288 + 72 + 8 + 32 + 32 + 45 + 2 * (4 + 8 + 8)
    assert counts.layers == 6
    assert [np.asarray(number).dtype for number in counts] == [np.int64] * 4
    assert [mask.tolist() for mask in network.active()] == [[True]] * 6
    assert [ones.tolist() for ones in network.activation_counts().values()] == [[[1.0]]] * 3
    assert [weight.shape for weight in network.weights(params)] == [(1, *group.kernel) for group in network.groups]


def test_norm_modes_are_flax_modes_of_an_untrained_model() -> None:
    model = LinenModel("resnet", "batch")
    variables = initial(model)
    evaluated = jax.jit(partial(model.apply, train=False))(variables, IMAGES)
    trained_mode, _ = jax.jit(partial(model.apply, train=True, mutable=["batch_stats"]))(variables, IMAGES)
    trained = {**variables, "batch_stats": jax.tree.map(lambda leaf: leaf + 3.0, variables["batch_stats"])}
    for given in (variables, trained, variables["params"]):
        network, params = as_network(model, given, IMAGES)
        close(forward(network)(params, norm="init"), evaluated, 1e-4)
    close(forward(network)(params, norm="batch"), trained_mode, 1e-4)
    assert float(trained["batch_stats"]["n0"]["mean"][0]) == 3.0


def test_nnx_module_is_not_changed_and_not_followed() -> None:
    class Parts(nnx.Module):
        def __init__(self, rngs: nnx.Rngs):
            self.stem = nnx.Sequential(nnx.Conv(3, 4, (3, 3), rngs=rngs), nnx.BatchNorm(4, rngs=rngs), nnx.relu)
            self.parts = nnx.List([nnx.Dropout(0.5, rngs=rngs), nnx.RMSNorm(4, rngs=rngs), nnx.Linear(4, CLASSES, rngs=rngs)])

        def __call__(self, x: Any) -> Any:
            x = self.stem(x).mean((1, 2))
            for part in self.parts:
                x = part(x)
            return x

    module: Any = Parts(nnx.Rngs(0))
    module.train()
    graph, before = nnx.split(module)
    before = jax.tree.map(jnp.copy, before)
    network, params = as_network(module, None, jax.ShapeDtypeStruct(IMAGES.shape, IMAGES.dtype))
    out = {norm: forward(network)(params, norm=norm) for norm in ("batch", "init", "none")}
    assert network.groups[0].name == "stem/layers/0/kernel"
    after_graph, after = nnx.split(module)
    assert after_graph == graph
    jax.tree.map(np.testing.assert_array_equal, after["stem"], before["stem"])
    np.testing.assert_array_equal(after["parts"][0]["rngs"]["count"][...], before["parts"][0]["rngs"]["count"][...])
    assert type(module.stem.layers[1]) is nnx.BatchNorm
    module.stem.layers[0].kernel[...] = jnp.zeros((3, 3, 3, 4))
    close(forward(network)(params, norm="batch"), out["batch"])
    x = jnp.maximum(network.forward(params, IMAGES, norm="none", tap=READ).layers["stem/layers/0/kernel"][0], 0).mean((1, 2))  # type: ignore[index]
    close(out["none"], x @ module.parts[2].kernel[...] + module.parts[2].bias[...])
    assert float(jnp.abs(out["batch"] - out["init"]).max()) > 1e-3


def test_jit_vmap_other_batch_sizes_and_x64() -> None:
    network, params = flavours("mlp", "layer")["nnx"]
    groups, weights = flavours("resnet", "group")["nnx"]

    def taps(images: Any) -> Any:
        out = groups.forward(weights, images, norm="batch", tap=READ)
        assert out.layers is not None
        return out.outputs, out.layers[groups.groups[1].name][0]

    full = jax.jit(taps)(IMAGES)
    close(jax.jit(taps)(IMAGES[:1]), jax.tree.map(lambda leaf: leaf[:1], full))
    close(jax.jit(jax.vmap(lambda image: jax.tree.map(lambda leaf: leaf[0], taps(image[None]))))(IMAGES), full)
    close(forward(network)(params, norm="batch"), network.forward(params, IMAGES, norm="batch").outputs)
    with jax.enable_x64(True):
        double = jax.tree.map(lambda leaf: leaf.astype(np.float64), params)
        assert network.forward(double, IMAGES.astype(np.float64), norm="batch").outputs.dtype == np.float64


def test_hessian_vector_product_reverse_over_reverse() -> None:
    network, params = flavours("mlp", "layer")["linen"]
    weights = network.weights(params)

    def loss(weights: Any) -> Any:
        return jnp.sum(network.forward(network.with_weights(params, weights), IMAGES, norm="batch").outputs ** 2)

    vector = [jnp.cos(jnp.arange(w.size).reshape(w.shape)) for w in weights]

    def slope(weights: Any) -> Any:
        return sum(jnp.vdot(g, v) for g, v in zip(jax.grad(loss)(weights), vector, strict=True))

    reverse, (_, forward) = jax.jit(lambda w: (jax.grad(slope)(w), jax.jvp(jax.grad(loss), (w,), (vector,))))(weights)
    close(reverse, forward, 1e-3)
    assert all(float(jnp.abs(h).max()) > 0 for h in reverse)
