"""What each algorithm is, on landscapes whose optimum is known."""

from functools import cache

import numpy as np
import pytest
from scipy import stats

from jaxzc.search import NSGA2, AgingEvolution, LocalSearch, Problem, RandomSearch, Search, SteadyState, lineage, log_rank
from jaxzc.spacekit.vectors import neighbours_of
from tests.support.landscapes import SMALL, SPACE, WORTH, additive, finish, problem


@cache
def best_at_random():
    """Of 600 random architectures, for ten seeds."""
    return [finish(Search(Problem(SPACE, duplicates="exact"), RandomSearch()), 600, seed).fitness.max() for seed in range(10)]


@pytest.mark.parametrize("name", ["evolution", "steady-state", "local", "nsga2"])
def test_optimum_of_an_additive_landscape_found_sooner_than_at_random(name):
    chosen = {
        "evolution": AgingEvolution(),
        "steady-state": SteadyState(population=32, initial=32),
        "local": LocalSearch(),
        "nsga2": NSGA2(32),
    }
    free = Problem(SPACE, duplicates="exact")
    found = [finish(Search(free, chosen[name]), 600, seed).fitness.max() for seed in range(10)]
    random = best_at_random()
    optimum = WORTH.max(1).sum()
    # Under "no better than random" each of the ten pairs is a coin toss: nine wins have probability .01.
    assert sum(a > b for a, b in zip(found, random, strict=True)) >= 9
    assert sum(np.isclose(found, optimum)) >= (8 if name != "nsga2" else 5)
    assert sum(np.isclose(random, optimum)) <= 3  # 600 of 15,625


def test_local_search_climbs_to_a_local_optimum():
    search = Search(Problem(SPACE, duplicates="exact"), LocalSearch(batch=64))
    state = finish(search, 400)
    top = search.best(state)
    assert (additive(neighbours_of(SPACE.choices, state.archs[top])) < state.fitness[top]).all()
    assert len(lineage(state, top)) > 2
    # It began again: more than one architecture has no parent.
    assert (state.parents < 0).sum() > 1


def test_aging_evolution_keeps_the_youngest_and_breeds_from_winners():
    state = finish(Search(problem(), SMALL["evolution"]))
    np.testing.assert_array_equal(state.population, np.arange(78, 90))
    everyone = AgingEvolution(population=12, tournament=12)
    search = Search(problem(), everyone)
    state = finish(search, 60)
    _, asking = search.ask(state)
    alive = np.arange(48, 60)
    assert asking.pending_parents.tolist() == [alive[np.argmax(state.fitness[alive])]]


def test_steady_state_breeds_from_the_best():
    state = finish(Search(problem(), SteadyState(population=15, initial=10)))
    np.testing.assert_array_equal(state.fitness[state.population], np.sort(state.fitness)[::-1][:15])


def test_nsga2_keeps_the_front_and_approaches_the_true_one():
    search = Search(Problem(SPACE, costs=("flops",), duplicates="exact"), NSGA2(population=40))
    state = finish(search, 1500)
    front = search.front(state)
    assert (np.diff(state.costs[front, 0]) >= 0).all()
    assert (np.diff(state.fitness[front]) >= 0).all()
    everything = SPACE.enumerate()
    fitness, flops = additive(everything), SPACE.counts(everything).flops
    reached = 0
    for cost in np.unique(flops):
        best = fitness[flops <= cost].max()
        reached += state.fitness[state.costs[:, 0] <= cost].max(initial=-np.inf) > best - 0.3
    assert reached >= 0.9 * len(np.unique(flops))


def test_log_rank_is_the_formula():
    rng = np.random.default_rng(0)
    scores = rng.integers(6, size=(40, 3)).astype(float)
    scores[[3, 8], [0, 2]] = np.nan
    valid = ~np.isnan(scores).any(1)
    expected = sum(np.log(stats.rankdata(column) / 38) for column in scores[valid].T)
    np.testing.assert_allclose(log_rank(scores)[valid], expected, rtol=1e-12)
    assert np.isnan(log_rank(scores)[~valid]).all()
    assert np.isnan(log_rank(np.full((2, 2), np.nan))).all()
