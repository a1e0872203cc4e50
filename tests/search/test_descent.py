"""Budgets that random networks miss: a descent finds what keeps to them, or says how near it came."""

import numpy as np
import pytest

import jaxzc
from jaxzc.search import AgingEvolution, Limit, LocalSearch, Problem, Search, parse_budget, run
from jaxzc.types import JaxzcError

DARTS = jaxzc.space("darts", classes=10, inputs=(8, 8, 3), channels=2)
"""About 1e18 architectures: none is found by listing."""


def total(archs):
    """Least for the one architecture whose genes are all the least."""
    return np.asarray(archs).sum(1)


def least() -> int:
    """A bound from below that exhausts nothing: single steps down from a random architecture until none is left."""
    arch = DARTS.sample(np.random.default_rng(5), 1)[0]
    while (near := DARTS.neighbours(arch)) is not None and total(near).min() < total(arch[None])[0]:
        arch = near[np.argmin(total(near))]
    return int(total(arch[None])[0])


def tight(limit: float) -> Problem:
    return Problem(DARTS, constraints=[Limit("total", "<=", limit)], costs=(total,))


@pytest.mark.parametrize("algorithm", [AgingEvolution(population=16, tournament=4, batch=4), LocalSearch(batch=8)])
def test_a_tight_budget_is_walked_down_to(algorithm):
    bound = least() + 3
    assert (total(DARTS.sample(np.random.default_rng(0), 500)) > bound + 10).all()
    search, said = Search(tight(bound), algorithm), []
    asked, pending = search.ask(search.init(3), said.append)
    assert len(asked) == algorithm.wanted(search.init(3))
    assert (total(asked) <= bound).all()
    assert len(np.unique(search.problem.keys(asked))) == len(asked)
    assert said
    assert all(f"miss total<={bound}" in text and "steps down towards it, at total " in text for text in said)
    again, _ = search.ask(search.init(3))
    np.testing.assert_array_equal(asked, again)
    other, _ = search.ask(search.init(4))
    assert not np.array_equal(asked, other)
    *_, state = run(search, pending, lambda archs: -total(archs).astype(float), 40)
    assert state.evaluated == 40
    assert (total(state.archs) <= bound).all()


def test_a_stalled_descent_says_how_near_it_came():
    search = Search(tight(least() - 1), AgingEvolution())
    said = rf"darts keeps to total<={least() - 1} \(the nearest has total {least()}\): loosen"
    with pytest.raises(JaxzcError, match=said):
        search.ask(search.init())


def test_of_several_limits_and_functions():
    """A limit from above and one from below, and a function that only forbids."""
    rng = np.random.default_rng(1)
    limit = int(0.85 * DARTS.counts(DARTS.sample(rng, 200)).params.min())
    budget = [*parse_budget(f"params<={limit},layers>=10"), lambda archs: archs[:, 1] == 1]
    search = Search(Problem(DARTS, constraints=budget), AgingEvolution(population=8))
    asked, _ = search.ask(search.init())
    counts = DARTS.counts(asked)
    assert len(asked) == 8
    assert counts.params.max() <= limit
    assert counts.layers.min() >= 10
    assert (asked[:, 1] == 1).all()


def test_the_excess_is_a_multiple_of_the_limit_and_zero_where_it_holds():
    counted = np.array([5.0, 10.0, 15.0, np.nan])
    np.testing.assert_array_equal(Limit("n", "<=", 10).excess(counted), [0, 0, 0.5, np.inf])
    np.testing.assert_array_equal(Limit("n", ">=", 10).excess(counted), [0.5, 0, 0, np.inf])
    below = Limit("n", "<", 10).excess(counted)
    assert below[0] == 0 < below[1] < 1e-300
    np.testing.assert_array_equal(Limit("n", "<=", 0).excess(np.array([0.0, 3.0])), [0, 3])
    archs = DARTS.sample(np.random.default_rng(2), 50)
    problem = tight(float(np.median(total(archs))))
    np.testing.assert_array_equal(problem.excess(archs) == 0, problem.feasible(archs))


def test_two_cost_functions_of_one_name_stay_two():
    problem = Problem(DARTS, costs=(lambda archs: archs[:, 0] * 1.0, lambda archs: archs[:, 1] * 1.0))
    archs = DARTS.sample(np.random.default_rng(3), 6)
    np.testing.assert_array_equal(problem.cost(archs), archs[:, :2])


def test_what_a_cost_function_may_not_do():
    archs = DARTS.sample(np.random.default_rng(3), 6)
    with pytest.raises(JaxzcError, match=r"returned float64 \[\]: expected one number per architecture, \[6\]"):
        Problem(DARTS, costs=(lambda archs: np.float64(1),)).cost(archs)  # type: ignore[arg-type]

    def flops(archs):
        return archs[:, 0]

    with pytest.raises(JaxzcError, match="named as what darts counts"):
        Problem(DARTS, costs=(flops,))
