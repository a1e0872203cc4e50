"""NAS-Bench-201's strings: printed as the benchmark's, read back, and explained where they are none."""

import numpy as np
import pytest
from jaxzc_spaces.nasbench201.encoding import CHOICES, EDGES, OPS, canonical, dead_edges, macs_params_layers, parse, to_string

from jaxzc.spacekit.vectors import neighbours_of
from jaxzc.types import JaxzcError
from tests.support.nasbench201_cells import SPACE, TABLE, genes
from tests.support.reference_tables import reference_table

ALL_NONE = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


def test_parse_reads_edges_in_string_order():
    arch = parse("|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_3x3~0|none~1|skip_connect~2|")
    assert arch.dtype == np.int32
    assert arch.tolist() == [4, 2, 1, 3, 0, 1]
    assert EDGES == ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


def test_print_and_parse_are_inverse_over_the_whole_space():
    strings = [to_string(arch) for arch in SPACE]
    assert len(set(strings)) == 15_625
    np.testing.assert_array_equal([parse(text) for text in strings], SPACE)


def test_strings_are_the_benchmarks():
    benchmark = reference_table(TABLE)
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
