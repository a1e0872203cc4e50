"""Genotypes of DARTS and NDS: strings, sizes, classes of relabelled cells, what is drawn."""

import itertools
import json
from typing import Any

import numpy as np
import pytest
from jaxzc_spaces.darts.space import Darts
from jaxzc_spaces.genotypes.counts import network_tally
from jaxzc_spaces.genotypes.encoding import Cell, Genotype
from jaxzc_spaces.nds import DEPTHS, WIDTHS, NdsEnas

from jaxzc.types import JaxzcError
from tests.support.genotype_spaces import GENOTYPES

DARTS_V2 = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 1), "
    "('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), "
    "('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)


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
    for arch in space.sample(np.random.default_rng(0), 8):
        cells = arch[start:].reshape(2, -1, 2).tolist()
        expected = [*arch[:start], *itertools.chain(*(min(relabelled([tuple(e) for e in cell])) for cell in cells))]
        np.testing.assert_array_equal(space.canonical(arch[None])[0], expected)


def test_darts_draws_no_zero_and_different_states() -> None:
    space = Darts()
    archs = space.sample(np.random.default_rng(0), 200)
    for _ in range(5):
        archs = space.mutate(np.random.default_rng(1), archs)
    pairs = archs.reshape(200, 8, 2, 2)
    assert (pairs[..., 0] > 0).all()
    assert (pairs[:, :, 0, 1] != pairs[:, :, 1, 1]).all()
    free = Darts(zero=True, repeats=True).sample(np.random.default_rng(0), 200).reshape(200, 8, 2, 2)
    assert (free[..., 0] == 0).any()
    assert (free[:, :, 0, 1] == free[:, :, 1, 1]).any()


def test_nds_networks_have_widths_depths_and_loose_ends() -> None:
    space = NdsEnas()
    archs = space.sample(np.random.default_rng(0), 300)
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
