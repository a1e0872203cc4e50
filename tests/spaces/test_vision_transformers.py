"""AutoFormer's and PiT's spaces: strings, what varies, counts of every network of the tables, and what attention's layers are."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxzc_spaces.autoformer.space import AutoFormer
from jaxzc_spaces.pit.space import Pit
from jaxzc_spaces.transformers.blocks import relative_places

from jaxzc.types import InputSpec, JaxzcError, WithDoubts
from tests.support.reference_tables import reference_table

SMALL = AutoFormer(widths=(8, 12), depths=(1, 3), heads=(1, 2), ratios=(1.0, 2.5), patch=4, classes=3, inputs=InputSpec((8, 8, 3)))
TINY_PIT = Pit((2,), ("111", "211"), ("124", "222"), (1, 2), 4, 2, 3, InputSpec((12, 12, 3)))
NETWORK = "E192-H3.4.3.3.4.4.3.4.4.3.4.3-M40.35.35.35.40.35.40.40.35.40.35.35"


def test_genes_and_strings() -> None:
    space = AutoFormer()
    arch = space.parse(NETWORK)
    assert arch[:8].tolist() == [0, 0, 0, 1, 1, 0, 0, 0]
    assert len(arch) == 2 + 2 * 14
    assert not arch[-4:].any()
    assert space.to_string(arch) == NETWORK
    assert [AutoFormer(size).menu.vectors.size for size in ("tiny", "small", "base")] == [
        1_056_964_608,
        3 * (9**12 + 9**13 + 9**14),
        3 * (6**14 + 6**15 + 6**16),
    ]
    assert len(Pit().enumerate()) == 1600
    assert Pit().to_string(np.array([1, 9, 3, 0])) == "B24-D3.8.2-H2.4.4-M20"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("E192", "expected width, heads and ten times the ratios"),
        (NETWORK.replace("E192", "E200"), "has a width of 200: expected one of 192, 216, 240"),
        ("E192-H3.4-M40.35", "has a depth of 2: expected one of 12, 13, 14"),
        ("E192-H3.4-M40", "has 2 layers by its heads and 1 by its ratios"),
        (NETWORK.replace("H3", "H5"), "has in layer 0 heads 5: expected one of 3, 4"),
        (NETWORK.replace("M40", "M30"), "has in layer 0 a ratio times ten of 30: expected one of 35, 40"),
    ],
)
def test_wrong_strings(text: str, message: str) -> None:
    with pytest.raises(JaxzcError, match=message):
        AutoFormer().parse(text)


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (AutoFormer, {"size": "huge"}, "size='huge': expected one of tiny, small, base"),
        (AutoFormer, {"widths": (192, 192)}, r"widths=\(192, 192\): expected one or more different positive integers"),
        (AutoFormer, {"ratios": (3.55,)}, "expected tenths, such as 3.5"),
        (AutoFormer, {"size": "small", "variant": "autoprox"}, "6 heads share a width of 320"),
        (AutoFormer, {"variant": "autoprox", "fixed_width": 64}, "fixed_width=64: expected 0 with variant='autoprox'"),
        (AutoFormer, {"inputs": (30, 32, 3)}, "divisible by 16, because a patch is that large"),
        (AutoFormer, {"distance": -1}, "expected no negative numbers"),
        (Pit, {"heads": ("24",)}, "'24': expected a digit from 1 to 9 for each of three stages"),
        (Pit, {"heads": ("242",)}, "heads=242: expected numbers that divide the next stage's"),
        (Pit, {"inputs": (8, 8, 3)}, "expected a height and width of at least a patch, 16"),
    ],
)
def test_wrong_settings(make: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(JaxzcError, match=message):
        make(**settings)


def test_wrong_strings_of_pit() -> None:
    with pytest.raises(JaxzcError, match=r"the heads of this space are .* and .2, 4, 6. is none of them"):
        Pit().parse("B16-D2.8.4-H2.4.6-M60")
    with pytest.raises(JaxzcError, match=r"as in B16-D2\.8\.4-H2\.4\.4-M60"):
        Pit().parse("B16-D2.8-H2.4.4-M60")


def test_what_varies_is_what_the_depth_has() -> None:
    every = SMALL.enumerate()
    assert len(every) == SMALL.menu.vectors.size == 2 * (4 + 64) == len(np.unique(every, axis=0))
    np.testing.assert_array_equal(SMALL.canonical(every), every)
    rng = np.random.default_rng(0)
    sample = SMALL.sample(rng, 100)
    assert len(np.unique(sample, axis=0)) == 100
    shallow = SMALL.parse("E8-H2-M25")
    near = {SMALL.to_string(row) for row in SMALL.neighbours(shallow)}
    assert near == {"E12-H2-M25", "E8-H1-M25", "E8-H2-M10", "E8-H2.2.2-M25.25.25"}
    mutants = {SMALL.to_string(row) for row in SMALL.mutate(rng, np.tile(shallow, (60, 1)))}
    assert mutants == near
    deep = SMALL.parse("E8-H2.1.2-M25.10.25")
    assert "E8-H2-M25" in {SMALL.to_string(row) for row in SMALL.neighbours(deep)}
    assert len(SMALL.neighbours(deep)) == 8


def test_counts_of_every_autoformer_of_the_table() -> None:
    for letter, size in (("T", "tiny"), ("S", "small"), ("B", "base")):
        space = AutoFormer(size)
        rows = [row for row in reference_table("autoformer_3003.csv.gz") if row["size"] == letter]
        archs = np.stack([space.parse(row["arch"]) for row in rows])
        assert [space.to_string(arch) for arch in archs] == [row["arch"] for row in rows]
        np.testing.assert_array_equal(space.counts(archs).params, [int(row["params"]) for row in rows])
        np.testing.assert_array_equal(space.own_counts["cream_flops"](archs), [int(row["flops"]) for row in rows])


def test_counts_of_every_network_of_auto_prox() -> None:
    for name, space in (("autoformer", AutoFormer(variant="autoprox", classes=100)), ("pit", Pit(classes=100))):
        rows = [row for row in reference_table("vitbench101.csv.gz") if row["space"] == name]
        counts = space.counts(np.stack([space.parse(row["arch"]) for row in rows]))
        np.testing.assert_array_equal(counts.params, [int(row["params_c100"]) for row in rows])
        np.testing.assert_array_equal(counts.flops + counts.products, [int(row["macs_c100"]) for row in rows])


def test_relative_places() -> None:
    """Of 2 x 3 patches and the class token, limited to one row or column: the fourth patch stands one row below the first."""
    rows, columns = map(np.array, relative_places((2, 3), 1))
    assert rows.shape == (7, 7)
    assert not rows[0].any()
    assert not columns[:, 0].any()
    assert (rows[1, 4], columns[1, 4]) == (3, 2)
    assert (rows[4, 1], columns[1, 3], columns[3, 1]) == (1, 3, 1)


def test_attention_is_told_and_queries_are_apart_from_a_layer_of_their_shape() -> None:
    """With a ratio of 3 the feed-forward part's first kernel is as that of queries, keys and values."""
    space = AutoFormer("tiny", "autoprox", (4,), (1,), (2,), (3.0,), 4, classes=3, inputs=InputSpec((8, 8, 3)))
    roles = {group.name: group.role for group in space.network(space.enumerate()[0]).groups}
    block = {"qkv": "attention", "proj": "join", "fc1": "feed_forward", "fc2": "feed_forward"}
    assert roles == {"patch/kernel": "", **{f"block0/{name}/kernel": role for name, role in block.items()}, "head/kernel": ""}


@pytest.mark.parametrize("space", [SMALL, TINY_PIT])
def test_class_token_and_positions_are_drawn(space: Any) -> None:
    arch = space.sample(np.random.default_rng(0), 1)[0]
    params = space.network(arch).init(jax.random.key(0), "kaiming_normal_fan_in")
    assert 0.002 < np.std(params["cls"]) < 0.05
    assert 0.01 < np.std(params["pos"]) < 0.03
    assert (np.asarray(params["norm"]["scale"]) == 1).all()
    assert not np.any(params["head"]["bias"])


def test_without_normalisation_it_is_the_identity() -> None:
    """SynFlow's network: a linear function of the head's kernel, of positive numbers."""
    network = SMALL.network(SMALL.parse("E8-H2-M25"))
    params = jax.tree.map(jnp.abs, network.init(jax.random.key(0)))
    images = jnp.ones((1, 8, 8, 3))
    outputs = network.forward(params, images, norm="none").outputs
    assert (np.asarray(outputs) > 0).all()
    halved = {**params, "norm": jax.tree.map(jnp.zeros_like, params["norm"])}
    np.testing.assert_array_equal(network.forward(halved, images, norm="none").outputs, outputs)


def test_large_products_of_attention_are_compiled_as_they_are_computed() -> None:
    """As in synflow's pass, where they exceed 1e19: a compiler that fuses scaling into the softmax's difference makes them NaN."""
    space = AutoFormer(variant="autoprox", widths=(24,), depths=(4,), heads=(3,), patch=4, classes=3, inputs=InputSpec((8, 8, 1)))
    with jax.enable_x64(True):
        network = space.network(space.sample(np.random.default_rng(0), 1)[0])
        params = jax.tree.map(lambda a: jnp.abs(a.astype(jnp.float64)), network.init(jax.random.key(0), "torch"))
        images = jnp.full((1, 8, 8, 1), 1e6)

        def outputs(params: Any) -> Any:
            return network.forward(params, images, norm="none").outputs

        with jax.disable_jit():
            expected = outputs(params)
        np.testing.assert_allclose(jax.jit(outputs)(params), expected, rtol=1e-6)
        assert jnp.isfinite(expected).all()


def test_synflow_of_autoformer_is_doubted_and_of_pit_is_not() -> None:
    assert AutoFormer().doubts(AutoFormer().sample(np.random.default_rng(0), 1)).keys() == {"synflow_grads"}
    assert not isinstance(Pit(), WithDoubts)
