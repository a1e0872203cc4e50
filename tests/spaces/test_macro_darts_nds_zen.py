"""Vectors and strings of NAS-Bench-Macro, DARTS, NDS and the chains of super blocks: numpy only."""

import itertools
import json
from typing import Any

import numpy as np
import pytest
from jaxzc_spaces.darts.space import Darts
from jaxzc_spaces.genotypes.counts import network_tally
from jaxzc_spaces.genotypes.encoding import Cell, Genotype
from jaxzc_spaces.nasbench_macro import NasBenchMacro
from jaxzc_spaces.nds import DEPTHS, WIDTHS, NdsAmoeba, NdsDarts, NdsEnas, NdsNasnet, NdsPnas
from jaxzc_spaces.superblocks.blocks import parse_blocks, round8
from jaxzc_spaces.superblocks.mobilenetv2_zen import MobileNetV2Zen
from jaxzc_spaces.superblocks.mutation import SLOTS, SPLIT, scaled
from jaxzc_spaces.superblocks.resnet_zen import ResNetZen

from jaxzc.search import Problem, parse_budget
from jaxzc.types import InputSpec, JaxzcError

GENOTYPES = (Darts(), Darts(zero=True, repeats=True), NdsDarts(), NdsEnas(), NdsPnas(), NdsNasnet(), NdsAmoeba())
CHAINS = (MobileNetV2Zen(), ResNetZen())
SPACES: tuple[Any, ...] = (NasBenchMacro(), *GENOTYPES, *CHAINS)

DARTS_V2 = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 1), "
    "('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), "
    "('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
ZICO_600M = (
    "SuperConvK3BNRELU(3,24,2,1)SuperResIDWE1K7(24,48,2,48,1)SuperResIDWE2K7(48,72,2,72,1)SuperResIDWE6K5(72,160,2,96,1)"
    "SuperResIDWE6K7(160,200,2,112,5)SuperResIDWE6K7(200,168,1,168,4)SuperConvK1BNRELU(168,2048,1,1)"
)


@pytest.fixture(params=SPACES, ids=lambda space: space.name)
def space(request: pytest.FixtureRequest) -> Any:
    return request.param


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_strings_and_vectors_are_inverse(space: Any) -> None:
    archs = space.sample(rng(), 30)
    assert archs.dtype == np.int32
    assert archs.shape == (30, len(space.choices))
    assert (archs >= 0).all()
    assert (archs < np.array(space.choices)).all()
    for arch in archs:
        np.testing.assert_array_equal(space.parse(space.to_string(arch)), arch)
    np.testing.assert_array_equal(space.sample(rng(), 30), archs)


def test_every_architecture_has_a_program_of_its_own(space: Any) -> None:
    archs = space.sample(rng(), 5)
    keys = space.program_keys(archs)
    assert keys.dtype == np.int32
    np.testing.assert_array_equal(keys, archs[:, :0] if space.name == "darts" else archs)


def test_canonical_keeps_counts_and_is_idempotent(space: Any) -> None:
    archs = space.sample(rng(), 30)
    made = space.canonical(archs)
    np.testing.assert_array_equal(space.canonical(made), made)
    for before, after in zip(space.counts(archs)[:3], space.counts(made)[:3], strict=True):
        assert before.dtype == np.int64
        np.testing.assert_array_equal(before, after)


def test_mutation_changes_every_row_into_a_neighbour_or_another_network(space: Any) -> None:
    archs = space.sample(rng(), 30)
    copy = archs.copy()
    made = space.mutate(rng(), archs)
    np.testing.assert_array_equal(archs, copy)
    assert (made != archs).any(axis=1).all()
    for arch in made:
        np.testing.assert_array_equal(space.parse(space.to_string(arch)), arch)
    np.testing.assert_array_equal(space.mutate(rng(), archs), made)


def test_neighbours_differ_in_one_gene_and_are_distinct(space: Any) -> None:
    arch = space.sample(rng(), 1)[0]
    around = space.neighbours(arch)
    assert ((around != arch).sum(axis=1) == 1).all()
    assert len(np.unique(around, axis=0)) == len(around)
    for one in around:
        space.to_string(one)


@pytest.mark.parametrize("text", ["", "no architecture", "{}", "Genotype()", "01201203", "0120120", 7, None])
def test_what_is_no_architecture_is_quoted(space: Any, text: Any) -> None:
    with pytest.raises(JaxzcError) as error:
        space.parse(text)
    assert repr(text) in str(error.value)
    assert "expected" in str(error.value)


def test_large_spaces_cannot_be_listed() -> None:
    for space in SPACES[1:]:
        with pytest.raises(JaxzcError, match="sample it instead"):
            space.enumerate()


# NAS-Bench-Macro.


def test_macro_is_6561_chains_and_their_classes() -> None:
    space = NasBenchMacro()
    everything = space.enumerate()
    assert everything.shape == (6561, 8)
    # Stages of 2, 3 and 3 layers: the first is fixed, of the others the order of those that are no identity: 3 and 7 ways.
    assert len(np.unique(space.canonical(everything), axis=0)) == (3 * 3) * (3 * 7) ** 2
    counts = space.counts(everything)
    assert counts.params.min() == space.counts(space.parse("00000000")).params.item() == 387882
    assert counts.params.max() == space.counts(space.parse("22222222")).params.item() == 2932586
    assert space.to_string(space.canonical(space.parse("10020010")[None])[0]) == "10020010"
    assert space.to_string(space.canonical(space.parse("10002001")[None])[0]) == "10020010"


# Genotypes.


def test_darts_v2_has_the_published_size() -> None:
    space = Darts(36, 20)
    counts = space.counts(space.parse(DARTS_V2))
    assert counts.params.item() == 3_349_342
    assert counts.flops.item() == 528_359_040
    assert space.to_string(space.parse(DARTS_V2)) == DARTS_V2
    np.testing.assert_array_equal(space.parse(DARTS_V2.replace("[2, 3, 4, 5]", "range(2, 6)")), space.parse(DARTS_V2))
    auxiliary = Darts(36, 20, auxiliary=True)
    assert auxiliary.counts(auxiliary.parse(DARTS_V2)).params.item() == 3_349_342 + 476_426


def test_nasbench301_leaves_scale_and_bias_of_operations_out() -> None:
    """Separable convolutions have two normalisations, dilated ones and factorized reductions one; C channels, 2 parameters each."""
    with_affine, without = Darts(), Darts(affine=False)
    arch = with_affine.parse(DARTS_V2)
    widths = [32, 32, 64, 64, 64, 128, 128, 128]
    # The reduction cells of DARTS_V2 have skips from nodes only, which are identities.
    normal = sum(5 * 2 * 2 * c + 2 * c for i, c in enumerate(widths) if i not in (2, 5))
    assert with_affine.counts(arch).params.item() - without.counts(arch).params.item() == normal
    for both in zip(with_affine.counts(arch)[1:], without.counts(arch)[1:], strict=True):
        np.testing.assert_array_equal(*both)


@pytest.mark.parametrize("space", GENOTYPES, ids=lambda space: space.name)
def test_canonical_is_the_smallest_of_all_relabelled_cells(space: Any) -> None:
    """Against every order of nodes and of edges, written out."""

    def relabelled(edges: list[tuple[int, int]]) -> list[list[int]]:
        found = []
        nodes = [edges[2 * n : 2 * n + 2] for n in range(len(edges) // 2)]
        for order in itertools.permutations(range(len(nodes))):
            names = {0: 0, 1: 1} | {2 + node: 2 + order.index(node) for node in range(len(nodes))}
            made = [sorted((op, names[state]) for op, state in nodes[node]) for node in order]
            if all(state < 2 + n for n, node in enumerate(made) for _, state in node):
                found.append([number for node in made for edge in node for number in edge])
        return found

    start = len(space.encoding.leading)
    for arch in space.sample(rng(), 8):
        cells = arch[start:].reshape(2, -1, 2).tolist()
        expected = [*arch[:start], *itertools.chain(*(min(relabelled([tuple(e) for e in cell])) for cell in cells))]
        np.testing.assert_array_equal(space.canonical(arch[None])[0], expected)


def test_darts_draws_no_zero_and_different_states() -> None:
    space = Darts()
    archs = space.sample(rng(), 200)
    for _ in range(5):
        archs = space.mutate(np.random.default_rng(1), archs)
    pairs = archs.reshape(200, 8, 2, 2)
    assert (pairs[..., 0] > 0).all()
    assert (pairs[:, :, 0, 1] != pairs[:, :, 1, 1]).all()
    free = Darts(zero=True, repeats=True).sample(rng(), 200).reshape(200, 8, 2, 2)
    assert (free[..., 0] == 0).any()
    assert (free[:, :, 0, 1] == free[:, :, 1, 1]).any()


def test_nds_networks_have_widths_depths_and_loose_ends() -> None:
    space = NdsEnas()
    archs = space.sample(rng(), 300)
    assert {space.size(arch) for arch in archs} == set(itertools.product(WIDTHS, DEPTHS))
    for arch in archs[:20]:
        for cell in space.genotype(arch):
            assert set(cell.concat) == {2, 3, 4, 5, 6} - {state for _, state in cell.edges}
    net = json.loads(space.to_string(archs[0])) | {"aux": False}
    np.testing.assert_array_equal(space.parse(json.dumps(net)), archs[0])
    net["genotype"]["normal_concat"] = [2]
    with pytest.raises(JaxzcError, match="the nodes that no other reads"):
        space.parse(json.dumps(net))
    with pytest.raises(JaxzcError, match="one of 16, 24, 32"):
        space.parse(json.dumps(net | {"width": 17}))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("'skip_connect', 0", "'skip', 0"), "an operation of none, max_pool_3x3"),
        (("'dil_conv_3x3', 2", "'dil_conv_3x3', 5"), "one of 0 .. 4"),
        (("normal_concat=[2, 3, 4, 5]", "normal_concat=[2, 3, 4]"), "all nodes"),
        (("('max_pool_3x3', 1)], reduce", "], reduce"), "8 pairs"),
        (("[2, 3, 4, 5]", "print()"), "Genotype(normal="),
        (("[2, 3, 4, 5]", "range(10**9)"), "Genotype(normal="),
    ],
)
def test_wrong_genotypes_are_named(change: tuple[str, str], expected: str) -> None:
    with pytest.raises(JaxzcError) as error:
        Darts().parse(DARTS_V2.replace(*change))
    assert expected in str(error.value)


def test_factored_convolutions_count_the_middle_map() -> None:
    """1 x 7 then 7 x 1 in a reduction of a 6 x 10 map: the first halves the width only."""
    cell = Cell((("conv_7x1_1x7", 0), ("none", 0)), (2,))
    empty = Cell((("none", 0), ("none", 0)), (2,))
    made, base = (network_tally(Genotype(empty, c), 2, 1, 3, (6, 10, 3), "cifar") for c in (cell, empty))
    assert made.flops - base.flops == 7 * 4 * 4 * (6 * 5 + 3 * 5)
    assert made.params - base.params == 2 * 7 * 4 * 4 + 2 * 4
    assert made.layers - base.layers == 2


# Chains of super blocks.


def test_published_chains_are_of_the_space() -> None:
    assert MobileNetV2Zen().to_string(MobileNetV2Zen().parse(ZICO_600M)) == ZICO_600M
    for space in CHAINS:
        assert space.to_string(space.initial) == space.initial_string
        space.to_string(np.zeros(len(space.choices), np.int32))


def test_budgets_are_those_of_the_authors_code() -> None:
    """The 600M network of ZiCo keeps to its budget by the authors' count."""
    space: Any = MobileNetV2Zen(classes=1000, inputs=InputSpec((224, 224, 3)))
    macro: Any = NasBenchMacro()
    counts = space.code_counts(space.parse(ZICO_600M))
    assert counts == (590_293_588, 9_653_777, 14)
    archs = np.stack([space.initial, space.parse(ZICO_600M)])
    kept = {
        budget: Problem(space, constraints=parse_budget(budget)).feasible(archs).tolist()
        for budget in ("code_flops<=590293588", "code_flops<590293588,flops>0", "code_layers>6", "code_model_size>9653777")
    }
    assert list(kept.values()) == [[True, True], [True, False], [False, True], [False, False]]
    with pytest.raises(JaxzcError, match="nasbench_macro does not count 'code_flops'"):
        Problem(macro, constraints=parse_budget("code_flops<=1"))


def test_rounding_to_eight_is_half_to_even() -> None:
    assert [round8(n) for n in (1, 11, 12, 13, 20, 28)] == [8, 8, 16, 16, 16, 32]
    assert [8 * (w + 1) for w in scaled(3)] == [16, 24, 32, 40, 48, 64, 80]
    assert scaled(127)[-1] == 127


@pytest.mark.parametrize("space", CHAINS, ids=lambda space: space.name)
def test_mutations_replace_one_block_and_split_long_ones(space: Any) -> None:
    generator, archs = rng(), np.tile(space.initial, (300, 1))
    splits = 0
    for _ in range(12):
        made = space.mutate(generator, archs)
        for before, after in zip(archs, made, strict=True):
            old, new = space.blocks(before), space.blocks(after)
            if len(new) > len(old):
                splits += 1
                assert len(new) == len(old) + 1
            else:
                # The block after the changed one may read other channels.
                same = [a.kind == b.kind and a[2:] == b[2:] for a, b in zip(old, new, strict=True)]
                assert same.count(False) == 1
            if space.name == "mobilenetv2_zen":
                assert new[-1].c_out == 2048
        archs = made
    assert splits > 10
    stages = archs[:, 1 : 1 + 16 * SLOTS].reshape(300, 4, SLOTS, 4)
    free = (stages[:, :, -1, 0] == 0)[:, :, None]
    assert not ((stages[..., 3] + 1 >= SPLIT) & free).any(), "long blocks are split where there is room"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ZICO_600M.replace("(24,48,2", "(32,48,2"), "expected 24, what comes before it"),
        (ZICO_600M.replace("IDWE6K5", "IDWE3K5"), "expected a block such as"),
        (ZICO_600M.replace("2048", "1024"), "which the option head sets"),
        (ZICO_600M.replace("(200,168,1", "(200,168,2"), "only the first of them strided"),
        (ZICO_600M.replace(",168,4)", ",172,4)"), "multiples of 8"),
        (ZICO_600M.replace(",168,4)", ",168,40)"), "at most 16"),
        ("SuperConvK3BNRELU(3,24,2)", "expected 4 positive numbers"),
        (ZICO_600M.replace("SuperResIDWE6K5(72,160,2,96,1)", "SuperResK3K3(72,160,2,96,1)"), "one of SuperResIDWE1K3"),
    ],
)
def test_wrong_chains_are_named(text: str, expected: str) -> None:
    with pytest.raises(JaxzcError) as error:
        MobileNetV2Zen().parse(text)
    assert expected in str(error.value)


def test_blocks_follow_the_images_colours() -> None:
    assert parse_blocks("SuperConvK3BNRELU(1,8,1,1)", 1)[0].c_in == 1
    grey = ResNetZen(inputs=InputSpec((8, 8, 1)))
    assert grey.blocks(grey.initial)[0].c_in == 1


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: NasBenchMacro(channels=0), "channels=0"),
        (lambda: Darts(stem="mnist"), "'cifar' or 'imagenet'"),
        (lambda: Darts(inputs=InputSpec((30, 32, 3))), "divisible by 4"),
        (lambda: Darts(stem="imagenet", inputs=InputSpec((48, 48, 3))), "divisible by 32"),
        (lambda: Darts(auxiliary=True, inputs=InputSpec((64, 64, 3))), "images of 32 x 32"),
        (lambda: NdsEnas(width=-1), "width=-1"),
        (lambda: MobileNetV2Zen(head=0), "head=0"),
        (lambda: ResNetZen(classes=0), "classes=0"),
    ],
)
def test_networks_that_cannot_be_built_are_refused(make: Any, expected: str) -> None:
    with pytest.raises(JaxzcError) as error:
        make()
    assert expected in str(error.value)
