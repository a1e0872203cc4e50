"""Discrete networks: parameters, groups, norm modes and taps. Shapes are traced, little is compiled."""

from operator import attrgetter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.core.passes import Recorder
from jaxzc_spaces.darts.space import Darts
from jaxzc_spaces.nasbench_macro import NasBenchMacro
from jaxzc_spaces.nds import NdsEnas, NdsNasnet
from jaxzc_spaces.superblocks.mobilenetv2_zen import MobileNetV2Zen
from jaxzc_spaces.superblocks.resnet_zen import ResNetZen

from jaxzc.training import Settings, Trainer, split
from jaxzc.types import InputSpec, JaxzcError, Tap

SPACES: tuple[Any, ...] = (
    NasBenchMacro(2, 8, inputs=InputSpec((8, 8, 3))),
    Darts(2, 3, inputs=InputSpec((8, 8, 3))),
    Darts(2, 3, affine=False, inputs=InputSpec((8, 8, 3))),
    Darts(2, 3, stem="imagenet", inputs=InputSpec((32, 32, 3))),
    Darts(2, 3, auxiliary=True),
    NdsNasnet("imagenet", 4, 3, inputs=InputSpec((36, 28, 3))),
    NdsEnas(width=2, depth=4, inputs=InputSpec((9, 7, 1))),
    MobileNetV2Zen(head=16, inputs=InputSpec((16, 16, 3)), residual=True),
    ResNetZen(inputs=InputSpec((8, 8, 3)), residual=True),
)


@pytest.fixture(params=SPACES, ids=lambda space: f"{space.name}{space.inputs.shape}")
def space(request: pytest.FixtureRequest) -> Any:
    return request.param


READ = Tap(layer=lambda y, _: (y, y), activation=lambda x: x, norm=lambda x: x, cell=lambda y, _: (y, y))


def traced(space: Any, network: Any, batch: int) -> tuple[Any, Any]:
    """Shapes of the parameters, and of what taps see."""
    params = jax.eval_shape(lambda: network.init(jax.random.key(0)))
    x = jax.ShapeDtypeStruct((batch, *space.inputs.shape), jnp.float32)
    return params, jax.eval_shape(lambda p, x: network.forward(p, x, norm="batch", tap=READ), params, x)


def test_parameters_and_layers_are_those_counted(space: Any) -> None:
    arch = space.sample(np.random.default_rng(0), 1)[0]
    network, counts = space.network(arch), space.counts(arch)
    params, out = traced(space, network, 1)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == counts.params.item()
    assert sum(len(group.cells) for group in network.groups) == counts.layers.item()
    positions = [int(np.prod(kept.shape[2:-1])) for kept in out.layers.values()]
    macs = [len(g.cells) * int(np.prod(g.kernel)) * n for g, n in zip(network.groups, positions, strict=True)]
    assert sum(macs) == counts.flops.item()


def test_cells_are_numbered_in_depth_order(space: Any) -> None:
    network = space.network(space.sample(np.random.default_rng(0), 1)[0])
    cell_of = {
        name: cell for m, g in zip(network.blueprint.layers, network.groups, strict=True) for name, cell in zip(m, g.cells, strict=True)
    }
    recorders = []

    def run(params: Any, x: Any) -> Any:
        module = network.module(params)
        recorders.append(Recorder(module))
        return module(x, recorders[0])

    params = jax.eval_shape(lambda: network.init(jax.random.key(0)))
    jax.eval_shape(run, params, jax.ShapeDtypeStruct((2, *space.inputs.shape), jnp.float32))
    in_order = [cell_of[name] for name, *_ in recorders[0].kernels]
    cells = [cell for cell in in_order if cell >= 0]
    assert cells == sorted(cells)
    assert min(cells) == 0
    assert in_order[-1] == -1, "the classifier is in no cell"


def test_weights_go_out_and_back() -> None:
    space = SPACES[0]
    network = space.network(space.parse("10000002"))

    def run(key: Any) -> Any:
        params = network.init(key)
        weights = network.weights(params)
        doubled = network.weights(network.with_weights(params, [2 * w for w in weights]))
        return params, network.with_weights(params, weights), weights, doubled

    params, back, weights, doubled = jax.device_get(jax.jit(run)(jax.random.key(0)))
    jax.tree.map(np.testing.assert_array_equal, back, params)
    for group, one, two in zip(network.groups, weights, doubled, strict=True):
        assert one.shape == (len(group.cells), *group.kernel)
        np.testing.assert_array_equal(2 * one, two)
        assert 0.5 < np.abs(one).max() * group.fan_in**0.5 < 1.001


def test_taps_see_every_layer_relu_and_normalisation_by_group(space: Any) -> None:
    network = space.network(space.sample(np.random.default_rng(0), 1)[0])
    params, out = traced(space, network, 2)
    assert list(out.layers) == [group.name for group in network.groups]
    for group, kept in zip(network.groups, out.layers.values(), strict=True):
        assert kept.shape[:2] == (len(group.cells), 2)
        assert kept.shape[-1] == group.channels
    counts = network.activation_counts()
    assert [(name, kept.shape[0]) for name, kept in out.activations.items()] == [(name, len(count)) for name, count in counts.items()]
    assert all((count.sum(1) == 1).all() for count in counts.values())
    scales = [path for path, _ in jax.tree_util.tree_leaves_with_path(params) if path[-1].key == "scale"]
    if getattr(space, "affine", True):
        assert sum(kept.shape[0] for kept in out.norms.values()) == len(scales)
    assert [(name, kept.shape[0]) for name, kept in out.cells.items()] == [(run[0], len(run)) for run in network.blueprint.maps]


def test_perturbations_of_the_wrong_number_are_refused() -> None:
    space = SPACES[0]
    network = space.network(space.sample(np.random.default_rng(3), 1)[0])
    params = jax.eval_shape(lambda: network.init(jax.random.key(0)))
    tap = Tap(layer=lambda y, p: (y, p), perturb={"stem/conv": 1.0})
    with pytest.raises(JaxzcError, match=r"tap.perturb has no entry 'layer0/"):
        jax.eval_shape(lambda p, x: network.forward(p, x, norm="batch", tap=tap), params, jax.ShapeDtypeStruct((2, 8, 8, 3), jnp.float32))


def test_without_normalisation_the_power_of_two_is_exact() -> None:
    """Kernels 2**20 times as large: the logits of a chain without biases grow by that for each layer, far beyond float32."""
    space = ResNetZen(inputs=InputSpec((8, 8, 3)))
    arch = space.initial
    network = space.network(arch)
    params = jax.jit(network.init)(jax.random.key(0))
    params = jax.tree_util.tree_map_with_path(lambda path, a: a * 0 if "bias" in str(path[-1].key) else a, params)
    large = network.with_weights(params, [w * 2.0**20 for w in network.weights(params)])
    images = jax.random.normal(jax.random.key(1), (2, *space.inputs.shape))
    run = jax.jit(lambda p: attrgetter("outputs", "exponent")(network.forward(p, images, norm="none")))
    (small, first), (huge, second) = (jax.device_get(run(p)) for p in (params, large))
    depth = (int(second) + np.log2(np.abs(huge).max()) - int(first) - np.log2(np.abs(small).max())) / 20
    np.testing.assert_allclose(huge / np.abs(huge).max(), small / np.abs(small).max(), rtol=1e-4, atol=1e-6)
    assert np.isfinite(huge).all()
    np.testing.assert_allclose(depth, len([layer for group in network.groups for layer in group.cells]), atol=1e-4)


def test_networks_that_are_programs_of_their_own_are_trained() -> None:
    space: Any = NasBenchMacro(4, 8, inputs=InputSpec((8, 8, 1)))
    arch = space.parse("00000000")
    trainer = Trainer(space, arch, split("digits", images=200), Settings(epochs=3, batch_size=32, crop=0, flip=False))
    state, losses = trainer.init(), []
    assert sum(leaf.size for leaf in jax.tree.leaves(state.params)) == space.counts(arch).params.item()
    for _ in range(3):
        state, epoch = trainer.epoch(state)
        losses.append(epoch.loss)
    assert losses[-1] < losses[0] - 0.1
