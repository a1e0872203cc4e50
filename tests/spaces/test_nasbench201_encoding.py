import csv
import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
from jaxzc_spaces.nasbench201.encoding import CHOICES, EDGES, OPS, canonical, dead_edges, macs_params_layers, parse, to_string

from jaxzc.spacekit.vectors import enumerate_vectors, neighbours_of
from jaxzc.types import JaxzcError

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT / os.environ.get("JAXZC_SHARED", "../shared")
GOLDEN = ROOT / os.environ.get("JAXZC_GOLDEN", "../shared/golden/dev")
SPACE = enumerate_vectors(CHOICES)
ALL_NONE = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


@pytest.fixture(scope="module")
def benchmark():
    path = SHARED / "data" / "nb201.csv.gz"
    if not path.exists():
        pytest.skip(f"the NAS-Bench-201 table is not at {path}; set JAXZC_SHARED")
    with gzip.open(path, "rt") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def golden():
    if not (GOLDEN / "scores.json").exists():
        pytest.skip(f"the golden values are not at {GOLDEN}; set JAXZC_GOLDEN")
    scores = json.loads((GOLDEN / "scores.json").read_text())
    return scores, [np.load(GOLDEN / "networks" / f"{i:02d}.npz") for i in range(len(scores["metadata"]["networks"]))]


def genes(digits):
    return np.array([[int(digit) for digit in digits]], np.int32)


def classes():
    representatives = canonical(SPACE)
    return representatives, np.ravel_multi_index(tuple(representatives.T), CHOICES)


# Strings


def test_parse_reads_edges_in_string_order():
    arch = parse("|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_3x3~0|none~1|skip_connect~2|")
    assert arch.dtype == np.int32
    assert arch.tolist() == [4, 2, 1, 3, 0, 1]
    assert EDGES == ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


def test_print_and_parse_are_inverse_over_the_whole_space():
    strings = [to_string(arch) for arch in SPACE]
    assert len(set(strings)) == 15_625
    np.testing.assert_array_equal([parse(text) for text in strings], SPACE)


def test_strings_are_the_benchmarks(benchmark):
    assert len(benchmark) == 15_625
    for row in benchmark:
        assert to_string(genes(row["ops"])[0]) == row["arch"]


def test_parse_ignores_white_space_around():
    np.testing.assert_array_equal(parse(f"  {ALL_NONE}\n"), 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"it has 1 nodes separated by '\+'; expected 3"),
        ("|none~0|+|none~0|none~1|", r"it has 2 nodes separated by '\+'; expected 3, as in \|op~0\|\+\|op~0\|op~1\|\+"),
        (ALL_NONE + "+|none~0|", r"it has 4 nodes"),
        (
            ALL_NONE.replace("|none~0|+", "none~0|+", 1),
            r"node 1, 'none~0\|', lacks a '\|' at its beginning or end; expected the form \|op~0\|",
        ),
        (ALL_NONE[:-1], r"node 3, '.*none~2', lacks a '\|'"),
        ("|+|none~0|none~1|+|none~0|none~1|none~2|", r"node 1, '\|', lacks"),
        ("|none~0|+|none~0|+|none~0|none~1|none~2|", r"node 2, '\|none~0\|', has 1 edges; expected 2, as in \|op~0\|op~1\|$"),
        ("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|none~3|", r"node 3, .*, has 4 edges; expected 3"),
        ("|none~0|+|none~0|none|+|none~0|none~1|none~2|", r"edge 'none' of node 2 has no '~'; expected an operation and its input, op~1"),
        ("||+|none~0|none~1|+|none~0|none~1|none~2|", r"edge '' of node 1 has no '~'"),
        (
            "|conv~0|+|none~0|none~1|+|none~0|none~1|none~2|",
            r"edge 'conv~0' of node 1 has the unknown operation 'conv'; expected one of none, ",
        ),
        (ALL_NONE.replace("none~2", " none~2"), r"unknown operation ' none'"),
        ("|none~0|+|none~0|none~1|+|none~1|none~0|none~2|", r"edge 'none~1' of node 3 has the input '1'; expected 0: inputs come in order"),
        (ALL_NONE.replace("none~2", "none~x"), r"edge 'none~x' of node 3 has the input 'x'; expected 2"),
        (ALL_NONE.replace("none~2", "none~2~2"), r"has the input '2~2'; expected 2"),
    ],
)
def test_a_malformed_string_is_quoted_and_explained(text, message):
    with pytest.raises(JaxzcError, match=message) as error:
        parse(text)
    assert str(error.value).startswith(f"{text!r} is no NAS-Bench-201 architecture: ")


def test_an_unknown_operation_comes_with_all_known_ones():
    with pytest.raises(JaxzcError, match=", ".join(OPS)):
        parse(ALL_NONE.replace("none~1|+", "sep_conv~1|+"))


def test_parse_explains_what_is_no_string():
    with pytest.raises(JaxzcError, match=r"421211 is no NAS-Bench-201 architecture: it is a int; expected a string \|op~0\|"):
        parse(421211)  # type: ignore[arg-type]


@pytest.mark.parametrize("function", [canonical, dead_edges, lambda archs: macs_params_layers(archs, 16, 5, 10)])
def test_functions_of_many_check_their_genes(function):
    with pytest.raises(JaxzcError, match=r"gene 5 of architecture 0 is 5; expected 0 \.\. 4"):
        function(genes("000005"))


def test_to_string_checks_its_genes():
    with pytest.raises(JaxzcError, match=r"shape \[5\]; expected \[6\]"):
        to_string([0, 0, 0, 0, 0])


def test_an_architecture_has_24_neighbours():
    neighbours = neighbours_of(CHOICES, genes("421211")[0])
    assert len(np.unique(neighbours, axis=0)) == 24
    np.testing.assert_array_equal((neighbours != genes("421211")).sum(axis=1), 1)


# Isomorphism classes


def test_the_space_has_6466_classes():
    assert len(np.unique(classes()[1])) == 6466


def test_canonical_is_the_smallest_member_and_idempotent():
    representatives, ids = classes()
    assert representatives.dtype == np.int32
    np.testing.assert_array_equal(canonical(representatives), representatives)
    assert (ids <= np.arange(len(SPACE))).all()
    assert canonical(SPACE[:0]).shape == (0, 6)


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("300410", "400310", "the operands of a sum have no order"),
        ("200010", "000200", "a skip passes the convolution on"),
        ("102003", "120003", "node 1 is the input, so node 2 may read from either"),
        ("310010", "320010", "node 2 feeds nothing"),
        ("002301", "003301", "what leaves a node 1 that is zero is zero"),
        ("301011", "300311", "one convolution used twice and two convolutions read the same"),
    ],
)
def test_merged_pairs(one, other, why):
    assert to_string(canonical(genes(one))[0]) == to_string(canonical(genes(other))[0]), why


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("300010", "200010", "another operation"),
        ("200030", "300020", "another order of operations"),
        ("113002", "300220", "a convolution of a sum, and a sum of convolutions"),
        ("100300", "100310", "a residual path more"),
        ("000303", "000300", "the rule does not know that a node 2 without inputs is zero"),
        ("320043", "230034", "the rule keeps the zero operand of node 2, so nodes 1 and 2 cannot change places"),
    ],
)
def test_pairs_kept_apart(one, other, why):
    assert (canonical(genes(one)) != canonical(genes(other))).any(), why


def outputs(archs, weights):
    """The output node [n] of cells whose values are numbers and whose edge `e` has the "kernels" `weights[e]` (nonlinear, zero at zero)."""
    nodes = [np.full(len(archs), 0.8), *np.zeros((3, len(archs)))]
    for edge, (source, target) in enumerate(EDGES):
        x, w = nodes[source], weights[edge]
        nodes[target] = nodes[target] + np.select(
            list(archs.T[edge] == np.arange(5)[:, None]), [0 * x, x, np.sin(w * x), np.tanh(2 * w * x), 0.6 * x]
        )
    return nodes[3]


def test_members_of_a_class_compute_the_same_function_of_equal_weights():
    representatives, _ = classes()
    for weight in (0.9, 1.7):
        values = outputs(SPACE, np.full(6, weight))
        np.testing.assert_allclose(values, outputs(representatives, np.full(6, weight)), rtol=1e-12)
        assert len(np.unique(values.round(9))) > 4000  # the check tells most functions apart


def test_members_of_a_class_have_the_same_kinds_of_convolutions_that_matter():
    def kinds(archs):
        return np.stack([((archs == op) & ~dead_edges(archs)).any(axis=1) for op in (2, 3)])

    np.testing.assert_array_equal(kinds(SPACE), kinds(classes()[0]))


def test_members_of_a_class_may_differ_in_parameters():
    params = macs_params_layers(np.concatenate([genes("002301"), genes("003301")]), 16, 5, 10).params
    assert params[0] != params[1]


# Dead edges


@pytest.mark.parametrize(
    ("arch", "dead"),
    [
        ("000000", []),
        ("333333", []),
        ("111111", []),
        ("300000", [0]),  # node 1 feeds nothing
        ("303000", [0, 2]),  # node 2 feeds nothing
        ("310010", [1]),
        ("003301", [2, 5]),  # node 1 is zero, hence node 2 as well
        ("000003", [5]),
        ("000030", [4]),
        ("042013", [2, 4]),
        ("301000", [0, 2]),
    ],
)
def test_dead_edges_by_hand(arch, dead):
    assert np.flatnonzero(dead_edges(genes(arch))[0]).tolist() == dead


def test_dead_edges_are_those_without_an_effect():
    weights = np.random.default_rng(0).uniform(0.5, 1.5, 6)
    dead = dead_edges(SPACE)
    assert dead.dtype == bool
    assert dead.shape == (15_625, 6)
    for edge in range(6):
        without = SPACE.copy()
        without[:, edge] = 0
        no_effect = np.abs(outputs(SPACE, weights) - outputs(without, weights)) < 1e-12
        np.testing.assert_array_equal(dead[:, edge], no_effect & (SPACE[:, edge] != 0))


# Counts


@pytest.mark.parametrize(("classes", "column"), [(10, "c10_params_M"), (100, "c100_params_M")])
def test_parameters_of_the_whole_benchmark(benchmark, classes, column):
    archs = np.concatenate([genes(row["ops"]) for row in benchmark])
    params = macs_params_layers(archs, 16, 5, classes).params
    assert params.dtype == np.int64
    assert params.tolist() == [round(float(row[column]) * 1e6) for row in benchmark]


@pytest.mark.parametrize("size", [16, 32])
def test_counts_of_the_golden_networks(golden, size):
    scores, networks = golden
    for i, network in enumerate(networks):
        arch = parse(str(network["arch"]))[None]
        counts = macs_params_layers(arch, int(network["C"]), int(network["N"]), 10, (size, size, 3))
        assert counts.flops[0] == scores["variants"][f"macs_conv_linear_{size}x{size}"]["values"][i]
        assert counts.flops[0] == scores["proxies"][f"flops_xautodl_{size}x{size}"]["ref_f64"][i] - 10  # theirs includes the linear bias
        assert counts.params[0] == scores["proxies"]["params"]["ref_f64"][i]
        assert counts.layers[0] == len(network["layers"])


def test_counts_by_hand():
    # Stem 9; edges 1 + 9, 4 + 36, 16 + 144; reductions 18 + 36 + 2, 72 + 144 + 8; linear 8: at 16, 4 and 1 positions.
    flops = (9 + 10) * 16 + (56 + 40) * 4 + (224 + 160) + 8
    norms = 2 + 4 + (4 + 4) + 8 + (8 + 8) + 16 + 8
    counts = macs_params_layers(genes("203010"), channels=1, cells=1, classes=2, image_shape=(4, 4, 1))
    assert [int(count[0]) for count in counts[:3]] == [9 + 10 + 56 + 40 + 224 + 160 + 8 + norms + 2, flops, 14]


def test_flops_grow_with_the_area_of_the_image():
    small, wide = (macs_params_layers(SPACE, 4, 2, 7, shape) for shape in ((8, 4, 3), (8, 12, 3)))
    linear = 4 * 4 * 7
    np.testing.assert_array_equal(wide.flops - linear, 3 * (small.flops - linear))
    np.testing.assert_array_equal(wide.params, small.params)


def test_counts_beyond_int32_are_exact():
    counts = macs_params_layers(genes("333333"), 2**12, 2**10, 10, (224, 224, 3))
    c = 2**12
    params = 27 * c + 2 * c + 8 * c + 40 * c + 10 + sum(6 * 1024 * (9 * w * w + 2 * w) for w in (c, 2 * c, 4 * c))
    params += sum(9 * w * 2 * w + 9 * 4 * w * w + 2 * w * w + 8 * w for w in (c, 2 * c))
    assert int(counts.params[0]) == params > 2**31


def test_counts_of_no_architectures_are_empty():
    assert macs_params_layers(SPACE[:0], 16, 5, 10).flops.shape == (0,)
    assert dead_edges(SPACE[:0]).shape == (0, 6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((0, 5, 10), r"channels = 0; expected at least 1"),
        ((16, -1, 10), r"cells = -1; expected at least 1"),
        ((16, 5, 0), r"classes = 0; expected"),
        ((16, 5, 10, (32, 32, 0)), r"image channels = 0; expected"),
        ((16, 5, 10, (32, 30, 3)), r"images are 32 x 30; expected multiples of 4: .* Resize or crop them"),
        ((16, 5, 10, (0, 32, 3)), r"images are 0 x 32; expected multiples of 4"),
        ((2**30, 5, 10), r"a network of the space counts \d+, more than int64 holds; expected fewer channels"),
    ],
)
def test_unusable_settings_are_named(settings, message):
    with pytest.raises(JaxzcError, match=message):
        macs_params_layers(SPACE[:3], *settings)
