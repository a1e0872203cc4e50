"""Dominance, crowding and hypervolume against pymoo and against their definitions."""

import numpy as np
import pytest
from pymoo.indicators.hv import HV
from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from jaxzc.search import pareto
from jaxzc.types import JaxzcError


def points(seed: int, n: int, k: int, levels: int | None) -> np.ndarray:
    """Random points; with few levels many are equal in some objective, or altogether."""
    rng = np.random.default_rng(seed)
    return rng.random((n, k)) if levels is None else rng.integers(levels, size=(n, k)).astype(float)


CASES = [(n, k, levels) for n in (1, 2, 7, 60) for k in (1, 2, 3) for levels in (None, 3, 12)]


@pytest.mark.parametrize(("n", "k", "levels"), CASES)
def test_fronts_are_pymoos(n, k, levels):
    given = points(n + k, n, k, levels)
    expected = np.full(n, -1)
    for number, members in enumerate(NonDominatedSorting().do(given)):
        expected[members] = number
    np.testing.assert_array_equal(pareto.fronts(given), expected)
    np.testing.assert_array_equal(pareto.non_dominated(given), expected == 0)


@pytest.mark.parametrize(("n", "k", "levels"), CASES)
def test_dominance_is_the_definition(n, k, levels):
    given = points(7 * n + k, n, k, levels)
    expected = [[all(a <= b) and any(a < b) for b in given] for a in given]
    np.testing.assert_array_equal(pareto.dominates(given, given), expected)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("n", [2, 3, 25])
def test_crowding_is_pymoos(n, k):
    given = points(n, n, k, None)
    expected = calc_crowding_distance(given)
    ours = pareto.crowding(given)
    np.testing.assert_array_equal(np.isinf(ours), np.isinf(expected))
    # pymoo gives the mean over objectives, NSGA-II's paper the sum.
    finite = np.isfinite(ours)
    np.testing.assert_allclose(ours[finite], k * expected[finite], rtol=1e-12)


def test_crowding_of_an_objective_that_is_constant():
    flat = np.array([[0.0, 5], [1, 5], [3, 5]])
    np.testing.assert_array_equal(pareto.crowding(flat), [np.inf, 1.0, np.inf])
    np.testing.assert_array_equal(pareto.crowding(flat[:1]), [np.inf])
    assert pareto.crowding(flat[:0]).shape == (0,)


@pytest.mark.parametrize(("n", "k", "levels"), CASES)
def test_hypervolume_is_pymoos(n, k, levels):
    given = points(3 * n + k, n, k, levels)
    for reference in (np.full(k, 1.1 if levels is None else levels), np.full(k, 0.6 if levels is None else 0.6 * levels)):
        # pymoo keeps points beyond the reference out itself.
        assert pareto.hypervolume(given, reference) == pytest.approx(HV(ref_point=reference)(given), rel=1e-9)


def test_hypervolume_by_hand():
    assert pareto.hypervolume(np.array([[1.0, 2], [2, 1]]), np.array([3, 3])) == 3.0
    assert pareto.hypervolume(np.array([[1.0, 1, 1], [0, 2, 2]]), np.array([3, 3, 3])) == 9.0
    assert pareto.hypervolume(np.array([[3.0, 0]]), np.array([3, 3])) == 0.0


def test_blocks_do_not_change_the_front(monkeypatch):
    given = points(0, 200, 3, 6)
    whole = pareto.non_dominated(given)
    monkeypatch.setattr(pareto, "BLOCK_PAIRS", 1000)
    np.testing.assert_array_equal(pareto.non_dominated(given), whole)


@pytest.mark.parametrize("function", [pareto.non_dominated, pareto.fronts, pareto.crowding])
@pytest.mark.parametrize(("given", "word"), [([[np.nan, 1.0]], "NaN"), ([[np.inf, 1.0]], "infinite"), ([1.0, 2.0], r"shape \[2\]")])
def test_points_must_be_finite_rows(function, given, word):
    with pytest.raises(JaxzcError, match=word):
        function(np.array(given))


def test_hypervolume_of_four_objectives_is_refused():
    with pytest.raises(JaxzcError, match="k = 1, 2 or 3"):
        pareto.hypervolume(np.zeros((2, 4)), np.ones(4))
