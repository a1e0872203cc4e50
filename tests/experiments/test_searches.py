"""Searches that train networks in a table: none twice, seeds apart, and a good proxy helps."""

import numpy as np
import pytest
from scipy import stats

from jaxzc.experiments import sample_efficiency, searches
from jaxzc.experiments.searches import SearchSettings

CONFIGURATIONS = [(m, h) for m, helps in sample_efficiency.HELPS.items() if m != "predictor" for h in helps]


MADE = {}
SEEDS = 24
"""As many as the comparisons of methods need: one program of a search serves all tests."""


def rows(land, method, help_, seeds=SEEDS, **settings):
    """Compiled once for equal arguments."""
    key = (land.proxy.tobytes(), method, help_, seeds, *sorted(settings.items()))
    if key not in MADE:
        MADE[key] = made(land, method, help_, seeds, **settings)
    return MADE[key]


def made(land, method, help_, seeds, **settings):
    warmup, moves = help_ in ("warmup", "both"), help_ in ("moves", "both")
    chosen = SearchSettings(**{"models": 80, "scored": 400, "pool": 20, "tournament": 5, **settings})
    return searches.trained_rows(method, land, chosen, seeds, warmup=warmup, moves=moves)


@pytest.mark.parametrize(("method", "help_"), CONFIGURATIONS)
def test_no_network_is_trained_twice_and_seeds_differ(land, method, help_):
    trained = rows(land, method, help_)
    assert trained.shape == (SEEDS, 80)
    assert all(len(set(r)) == 80 for r in trained.tolist())
    assert len({tuple(r) for r in trained.tolist()}) == SEEDS


def test_a_seed_decides_whatever_the_others(land):
    np.testing.assert_array_equal(rows(land, "evolution", "both", seeds=2), rows(land, "evolution", "both")[:2])


@pytest.mark.parametrize("method", ["random", "evolution"])
def test_a_perfect_proxy_finds_the_best_at_once(land, method):
    perfect = land._replace(proxy=np.argsort(np.argsort(land.accuracy)).astype(np.float32) + 1)
    assert (rows(perfect, method, "warmup", scored=land.size)[:, 0] == land.accuracy.argmax()).all()


def areas(land, method, help_):
    """The mean over the run of the best accuracy so far, float `[seeds]`."""
    return np.maximum.accumulate(land.accuracy[rows(land, method, help_)], axis=1).mean(1)


@pytest.mark.parametrize(("method", "help_"), [("random", "warmup"), ("random", "moves"), ("evolution", "both"), ("reinforce", "both")])
def test_a_good_proxy_helps(land, method, help_):
    test = stats.mannwhitneyu(areas(land, method, help_), areas(land, method, "none"), alternative="greater")
    assert np.asarray(test)[1] < 1e-3  # the p-value


def test_a_proxy_that_knows_nothing_does_not_help(land):
    blind = land._replace(proxy=np.ones(land.size, np.float32))
    test = stats.mannwhitneyu(areas(blind, "evolution", "both"), areas(land, "evolution", "none"))
    assert np.asarray(test)[1] > 1e-3


def test_evolution_without_a_proxy_trains_neighbours_of_the_living(land):
    trained = rows(land, "evolution", "none")[0]
    for number in range(20, 80):
        alive = trained[number - 20 : number]
        assert trained[number] in land.neighbours[alive]


def test_moves_take_the_best_untrained_neighbour(land):
    (trained,) = rows(land, "evolution", "moves", seeds=1, random_move=0.0)
    for number in range(20, 80):
        options = []
        for parent in trained[number - 20 : number]:
            free = [r for r in land.neighbours[parent] if r >= 0 and r not in trained[:number]]
            options.append(max(free, key=lambda r: land.proxy[r]))
        assert trained[number] in options


def test_warmup_begins_with_the_best_of_those_scored(land):
    (trained,) = rows(land, "evolution", "warmup", seeds=1, scored=land.size)
    np.testing.assert_array_equal(np.sort(land.proxy[trained[:20]])[::-1], land.proxy[trained[:20]])
    assert set(trained[:20]) == set(np.argsort(-land.proxy)[:20])


def test_more_models_than_scored(land):
    (trained,) = rows(land, "random", "warmup", seeds=1, scored=30)
    assert len(set(trained.tolist())) == 80
    assert (np.diff(land.proxy[trained[:30]]) <= 0).all()
