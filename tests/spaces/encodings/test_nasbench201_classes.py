"""NAS-Bench-201's cells that compute the same function, and their edges that have no effect."""

import numpy as np
import pytest
from jaxzc_spaces.nasbench201.encoding import CHOICES, EDGES, canonical, dead_edges, macs_params_layers, to_string

from tests.support.nasbench201_cells import SPACE, genes


def classes():
    representatives = canonical(SPACE)
    return representatives, np.ravel_multi_index(tuple(representatives.T), CHOICES)


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
