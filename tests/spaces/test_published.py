"""Published networks: each has the parameters and operations that PyTorchCV's list states, and runs on small images."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.core.units import Activation, hard_sigmoid
from jaxzc_spaces.published.mobile import Shuffle
from jaxzc_spaces.published.parts import measure, pool
from jaxzc_spaces.published.space import Published, maker
from jaxzc_spaces.published.table import NETWORKS

import jaxzc
from jaxzc.types import Batch, InputSpec, JaxzcError
from tests.support.reference_tables import reference_table

FAMILIES = (
    *(
        "resnet10",
        "preresnet10",
        "resnext14_16x4d",
        "seresnet10",
        "sepreresnet10",
        "vgg11",
        "bn_vgg11",
        "squeezenet_v1_0",
        "squeezenet_v1_1",
    ),
    *("mobilenet_wd4", "fdmobilenet_wd4", "mobilenetv2_wd4", "mobilenetv3_large_w1", "shufflenetv2_wd2", "mnasnet_a1", "efficientnet_b0"),
)
SMALL = Published(3, InputSpec((32, 32, 3)))


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in FAMILIES else pytest.mark.slow) for n in NETWORKS])
def test_size_is_that_of_the_list(name: str) -> None:
    entry = NETWORKS[name]
    (row,) = [r for r in reference_table("pytorchcv.csv.gz") if (r["section"], r["model"]) == ("ImageNet-1K", entry.title)]
    space = Published(inputs=InputSpec((entry.resolution, entry.resolution, 3)))
    arch = space.parse(entry.title)
    assert space.to_string(arch) == name
    assert space.counts(arch).params.item() == int(row["params"])
    assert f"{space.own_counts['pytorchcv_flops'](arch).item() / 2e6:.2f}" == row["macs_M"]


def test_names() -> None:
    assert len(NETWORKS) == len({entry.title for entry in NETWORKS.values()}) >= 60
    assert Published().to_string(Published().parse("ResNet-18 x0.25")) == "resnet18_wd4"
    with pytest.raises(JaxzcError, match="unknown published network 'resnet19': did you mean 'resnet1"):
        Published().parse("resnet19")
    with pytest.raises(JaxzcError, match="expected a height and width of at least 32"):
        Published(inputs=InputSpec((16, 32, 3)))


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_runs_on_small_images(name: str) -> None:
    space = Published(3, InputSpec((48, 33, 3)))
    images = jax.ShapeDtypeStruct((2, 48, 33, 3), jnp.float32)
    assert jax.eval_shape(lambda x: maker(space, name)()(x, Pass()), images).shape == (2, 3)


def test_layers_by_hand() -> None:
    """SqueezeNet 1.1 at 224 pixels: 26 convolutions, and the multiply-accumulates of the first, without padding, are known."""
    counts = Published().counts(Published().parse("squeezenet_v1_1"))
    assert counts.layers.item() == 26
    assert measure(maker(SMALL, "squeezenet_v1_1"), (32, 32, 3)).layers == 26
    group = Published().network(Published().parse("squeezenet_v1_1")).groups[0]
    assert (group.name, group.kernel, group.cells) == ("stem/conv", (3, 3, 3, 64), (-1,))


def test_cells_and_maps_are_the_units() -> None:
    network = SMALL.network(SMALL.parse("resnet10"))
    assert {cell for group in network.groups for cell in group.cells} == {-1, 0, 1, 2, 3}
    assert [name for names in network.blueprint.maps for name in names] == ["stem", "units/0", "units/1", "units/2", "units/3"]


@pytest.mark.parametrize(("size", "stride", "padding", "ceil"), [(2, 2, 0, False), (3, 2, 1, False), (3, 2, 0, True), (3, 2, 0, False)])
@pytest.mark.parametrize("pixels", [7, 8])
@pytest.mark.parametrize("mean", [False, True])
def test_pools(size: int, stride: int, padding: int, ceil: bool, pixels: int, mean: bool) -> None:
    if mean and ceil:
        pytest.skip("no network has one")
    x = jnp.asarray(np.random.default_rng(0).standard_normal((2, pixels, pixels, 3)), jnp.float32)
    beyond = -(pixels - size) % stride if ceil else 0
    start, combine = (0.0, lax.add) if mean else (-jnp.inf, lax.max)
    window, strides, pads = (1, size, size, 1), (1, stride, stride, 1), ((0, 0), *((padding, padding + beyond),) * 2, (0, 0))
    expected = lax.reduce_window(x, start, combine, window, strides, pads) / (size * size if mean else 1)
    np.testing.assert_allclose(pool(x, Pass(), size, stride, padding=padding, ceil=ceil, mean=mean), expected, rtol=1e-6, atol=1e-7)


def test_shuffles_interleave_the_halves() -> None:
    """The half that passes is every second channel."""
    x = jnp.asarray(np.random.default_rng(0).standard_normal((2, 5, 5, 8)), jnp.float32)
    np.testing.assert_array_equal(Shuffle(8, 8, 1)(x, Pass())[..., ::2], x[..., :4])
    assert Shuffle(8, 12, 2)(x, Pass()).shape == (2, 3, 3, 12)


X = np.array([-7.0, -3, -1, 0, 0.5, 2.9, 5, 8, 30], np.float32)
TRUE: dict[str, Any] = {
    "relu": np.maximum(X, 0),
    "relu6": np.clip(X, 0, 6),
    "hard_sigmoid": np.clip(X + 3, 0, 6) / 6,
    "hard_swish": X * np.clip(X + 3, 0, 6) / 6,
    "sigmoid": 1 / (1 + np.exp(-X)),
    "silu": X / (1 + np.exp(-X)),
}


@pytest.mark.parametrize("kind", TRUE)
def test_activations_are_those_of_the_true_values(kind: str) -> None:
    """Also where a network without normalisation takes a power of two out of its activations."""
    np.testing.assert_allclose(Activation(kind)(jnp.asarray(X), Pass()), TRUE[kind], rtol=1e-6, atol=1e-7)
    p = Pass("none", exponent=jnp.int32(3))
    scale = 1 if "sigmoid" in kind else 8
    np.testing.assert_allclose(scale * Activation(kind)(jnp.asarray(X / 8), p), TRUE[kind], rtol=1e-6, atol=1e-7)


def test_saturated_gates_have_finite_derivatives() -> None:
    p = Pass("none", exponent=jnp.int32(400))
    for kind in ("sigmoid", "hard_sigmoid"):
        assert jax.grad(lambda x, kind=kind: Activation(kind)(x, p))(0.5) == 0
    assert jax.grad(hard_sigmoid)(0.5) == pytest.approx(1 / 6)
    with pytest.raises(JaxzcError, match="activation 'gelu': expected one of relu"):
        Activation("gelu")


@pytest.mark.slow
def test_synflow_of_a_network_with_relu6_is_its_classifier() -> None:
    """Every value before the global mean is 6, which is the gradient of the classifier's kernel; the space says so."""
    arch, batch = SMALL.parse("mobilenetv2_wd4"), Batch(jnp.zeros((2, 32, 32, 3)), jnp.array([0, 1]))
    scorer = jaxzc.SpaceScorer(SMALL, batch, "synflow")
    network = SMALL.network(arch)
    params = scorer.programs(arch).draw(jax.random.key(0), jnp.asarray(arch))
    (head,) = (w for group, w in zip(network.groups, network.weights(params), strict=True) if group.name == "head/scores/conv")
    with pytest.warns(jaxzc.DoubtWarning, match=r"^published: synflow: the networks mobilenetv2_\* .* cut activations off at 6"):
        scores = scorer.one(arch)
    assert scores["synflow"] == pytest.approx(6 * float(jnp.abs(head).sum()), rel=1e-6)
