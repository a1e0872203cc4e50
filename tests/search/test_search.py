"""The algorithms on landscapes whose optimum is known: what every search must keep to, and what each one is."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import stats

import jaxzc
from jaxzc.search import (
    ALGORITHMS,
    NSGA2,
    AgingEvolution,
    Limit,
    LocalSearch,
    Problem,
    RandomSearch,
    Search,
    SteadyState,
    lineage,
    load,
    log_rank,
    parse_budget,
    run,
    save,
)
from jaxzc.search import state as states
from jaxzc.spacekit.vectors import neighbours_of
from jaxzc.types import JaxzcError

SPACE = jaxzc.space("nasbench201", classes=10, inputs=(8, 8, 1), channels=4, cells=1)
WORTH = np.random.default_rng(11).normal(size=(6, 5))
SMALL = {
    "random": RandomSearch(batch=7),
    "evolution": AgingEvolution(population=12, tournament=4, batch=3),
    "evolution-2": AgingEvolution(population=12, tournament=4, genes=2, batch=1),
    "steady-state": SteadyState(population=15, initial=10, genes=2, batch=4),
    "local": LocalSearch(batch=5),
    "nsga2": NSGA2(population=12, batch=8),
}
every_algorithm = pytest.mark.parametrize("name", list(SMALL))


def additive(archs):
    """The sum of every gene's own worth: one optimum, which single changes reach from everywhere."""
    return WORTH[np.arange(6), archs].sum(1)


def patchy(archs):
    """Two scores; a quarter of the architectures has none, and some are infinite."""
    scores = np.stack([additive(archs), -np.abs(archs.sum(1) - 11.0)], axis=1)
    scores[archs.sum(1) % 4 == 1, 0] = np.nan
    scores[(archs[:, 0] == 3) & (archs[:, 1] == 3), 1] = np.inf
    return scores


def problem(**options: Any) -> Problem:
    return Problem(SPACE, **{"constraints": parse_budget("flops<=60000,params>3000"), **options})


def finish(search, evaluations=90, seed=5, score=additive, state=None, chunk=None):
    state = search.init(seed) if state is None else state
    return [state, *run(search, state, score, evaluations, chunk)][-1]


def equal(a, b):
    for name, left, right in zip(a._fields, a, b, strict=True):
        assert left.dtype == right.dtype, name
        assert left.tobytes() == right.tobytes(), name


@every_algorithm
def test_nothing_twice_nothing_beyond_the_budget(name):
    search = Search(problem(), SMALL[name])
    state = finish(search)
    assert state.evaluated == 90
    assert len(np.unique(SPACE.canonical(state.archs), axis=0)) == 90
    counts = SPACE.counts(state.archs)
    assert (counts.flops <= 60000).all()
    assert (counts.params > 3000).all()
    np.testing.assert_array_equal(state.scores[:, 0], additive(state.archs))
    np.testing.assert_array_equal(state.costs[:, 0], counts.flops)


@every_algorithm
def test_exact_duplicates_only_differ_in_their_class(name):
    state = finish(Search(problem(duplicates="exact", constraints=()), SMALL[name]), 200)
    assert len(np.unique(state.archs, axis=0)) == 200
    assert len(np.unique(SPACE.canonical(state.archs), axis=0)) < 200


@every_algorithm
def test_the_seed_decides(name):
    search = Search(problem(), SMALL[name])
    equal(finish(search), finish(search))
    assert not np.array_equal(finish(search).archs, finish(search, seed=6).archs)


@every_algorithm
@pytest.mark.parametrize("scores", [("a",), ("a", "b")])
def test_resumed_is_uninterrupted(name, scores, tmp_path):
    score = additive if len(scores) == 1 else patchy
    search = Search(problem(scores=scores), SMALL[name])
    whole = finish(search, score=score)
    for stop in (1, 10, 37, 89):
        save(tmp_path / "state.npz", finish(search, stop, score=score, chunk=3))
        state = load(tmp_path / "state.npz")
        assert state.evaluated == stop
        equal(finish(search, score=score, state=state, chunk=2), whole)
    assert [p.name for p in tmp_path.iterdir()] == ["state.npz"]


@every_algorithm
def test_resumed_between_ask_and_tell(name, tmp_path):
    search = Search(problem(), SMALL[name])
    state = finish(search, 40)
    asked, waiting = search.ask(state)
    save(tmp_path / "state.npz", waiting)
    again, still = search.ask(load(tmp_path / "state.npz"))
    np.testing.assert_array_equal(again, asked)
    equal(finish(search, state=still), finish(search, state=state))


@every_algorithm
def test_invalid_networks_are_kept_and_never_selected(name):
    search = Search(problem(scores=("a", "b")), SMALL[name])
    log = list(run(search, search.init(1), patchy, 120))
    invalid = np.zeros(0, bool)
    for state in log:
        invalid = np.asarray(~np.isfinite(patchy(state.archs)).all(axis=1))
        np.testing.assert_array_equal(np.isnan(state.fitness), invalid)
        assert not invalid[state.population].any()
        assert not invalid[state.parents[state.parents >= 0]].any()
    assert invalid.any()
    state = log[-1]
    np.testing.assert_array_equal(state.scores, patchy(state.archs))
    assert not invalid[search.best(state)]
    assert not invalid[search.front(state)].any()


@every_algorithm
def test_children_differ_from_their_parents_in_the_mutated_genes(name):
    state = finish(Search(problem(), SMALL[name]))
    children = np.flatnonzero(state.parents >= 0)
    assert (len(children) > 20) == (name != "random")
    assert (state.parents[children] < children).all()
    changed = (state.archs[children] != state.archs[state.parents[children]]).sum(1)
    genes = getattr(SMALL[name], "genes", 1)
    assert changed.min(initial=1) >= 1
    assert changed.max(initial=genes) == genes
    row = int(np.argmax(state.fitness))
    ancestors = lineage(state, row)
    assert ancestors[-1] == row
    assert state.parents[ancestors[0]] == -1
    assert [int(state.parents[r]) for r in ancestors[1:]] == ancestors[:-1]


@every_algorithm
def test_a_state_is_never_changed_in_place(name):
    search = Search(problem(), SMALL[name])
    state = finish(search, 30)
    before = [a.copy() for a in state]
    asked, asking = search.ask(state)
    search.tell(asking, asked, additive(asked))
    for array, copy in zip(state, before, strict=True):
        np.testing.assert_array_equal(array, copy)


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


def test_starting_architectures_come_first():
    start = SPACE.enumerate()[[15624, 15624, 300, 7]]
    search = Search(Problem(SPACE), SteadyState(population=20, initial=3))
    state = finish(search, 10, state=search.init(0, start))
    np.testing.assert_array_equal(state.archs[:3], start[1:])
    assert (state.parents[:3] == -1).all()
    assert (state.parents[3:] >= 0).all()


def test_start_beyond_the_budget_is_refused():
    with pytest.raises(JaxzcError, match="given to start from, breaks flops<=60000"):
        Search(problem(), RandomSearch()).init(0, np.full((1, 6), 3))


def test_a_budget_that_leaves_nothing():
    search = Search(Problem(SPACE, constraints=parse_budget("params<100")), RandomSearch())
    smallest = f"{SPACE.counts(SPACE.enumerate()).params.min():,}"
    with pytest.raises(JaxzcError, match=rf"nasbench201 keeps to params<100 \(the nearest has params {smallest}\): loosen"):
        search.ask(search.init())


@every_algorithm
def test_a_budget_that_leaves_few_ends_early(name):
    """All that keep to the budget are found, by listing the space where drawing fails, and then the search is over."""

    def rare(archs):
        return (np.asarray(archs) == 3).sum(1) >= 5

    everything = SPACE.enumerate()
    allowed = np.unique(SPACE.canonical(everything[rare(everything)]), axis=0)
    state = finish(Search(Problem(SPACE, constraints=[rare]), SMALL[name]), 100)
    np.testing.assert_array_equal(np.unique(SPACE.canonical(state.archs), axis=0), allowed)


def test_functions_as_constraint_and_cost():
    def latency(archs):
        return 0.5 * (archs == 3).sum(1)

    search = Search(
        Problem(SPACE, constraints=[lambda a: latency(a) < 1.6, Limit("layers", "<=", 13)], costs=(latency, "params")), NSGA2(10)
    )
    state = finish(search, 60)
    assert latency(state.archs).max() <= 1.5
    assert SPACE.counts(state.archs).layers.max() <= 13
    np.testing.assert_array_equal(state.costs, np.stack([latency(state.archs), SPACE.counts(state.archs).params], axis=1))


def test_log_rank_is_the_formula():
    rng = np.random.default_rng(0)
    scores = rng.integers(6, size=(40, 3)).astype(float)
    scores[[3, 8], [0, 2]] = np.nan
    valid = ~np.isnan(scores).any(1)
    expected = sum(np.log(stats.rankdata(column) / 38) for column in scores[valid].T)
    np.testing.assert_allclose(log_rank(scores)[valid], expected, rtol=1e-12)
    assert np.isnan(log_rank(scores)[~valid]).all()
    assert np.isnan(log_rank(np.full((2, 2), np.nan))).all()


def test_lower_is_better_is_turned():
    state = finish(Search(problem(scores=("a",), higher=(False,)), SMALL["evolution"]))
    np.testing.assert_array_equal(state.fitness, -additive(state.archs))


def test_budget_text():
    assert parse_budget("flops<=100e6, params < 1_000") == (Limit("flops", "<=", 100e6), Limit("params", "<", 1000.0))
    for text in ("flops", "flops<=", "flops<=1e"):
        with pytest.raises(JaxzcError, match="cannot be read"):
            parse_budget(text)
    with pytest.raises(JaxzcError, match="does not count 'watts'; expected one of params, flops, layers"):
        problem(constraints=parse_budget("watts<=3"))


def test_bad_input():
    cases: list[tuple[dict[str, Any], str]] = [
        ({"scores": ()}, "at least one score"),
        ({"scores": ("a",), "higher": (True, False)}, "a direction for each"),
        ({"duplicates": "none"}, "duplicates='none'"),
        ({"costs": ("watts",)}, "watts"),
    ]
    for options, word in cases:
        with pytest.raises(JaxzcError, match=word):
            Problem(SPACE, **options)
    for make in (lambda: RandomSearch(0), lambda: AgingEvolution(tournament=0), lambda: SteadyState(genes=0), lambda: NSGA2(population=0)):
        with pytest.raises(JaxzcError, match="expected a whole number of at least 1"):
            make()
    with pytest.raises(JaxzcError, match="nothing to weigh"):
        finish(Search(Problem(SPACE, costs=()), NSGA2()))
    with pytest.raises(JaxzcError, match="expected one bool per architecture"):
        finish(Search(Problem(SPACE, constraints=[lambda a: a]), RandomSearch()))
    search = Search(Problem(SPACE), RandomSearch())
    with pytest.raises(JaxzcError, match="seed -1"):
        search.init(-1)
    asked, state = search.ask(search.init())
    with pytest.raises(JaxzcError, match="not those asked for"):
        search.tell(state, asked[::-1], np.zeros(64))
    with pytest.raises(JaxzcError, match=r"have shape \[64, 2\]: expected \[64, 1\]"):
        search.tell(state, asked, np.zeros((64, 2)))
    with pytest.raises(JaxzcError, match="chunk=0"):
        next(run(search, state, additive, 5, chunk=0))
    with pytest.raises(JaxzcError, match="none of the 64"):
        search.best(search.tell(state, asked, np.full(64, np.nan)))


def test_damaged_and_missing_states(tmp_path):
    with pytest.raises(JaxzcError, match="there is no search state"):
        load(tmp_path / "none.npz")
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(JaxzcError, match="cannot be read"):
        load(tmp_path / "bad.npz")
    with pytest.raises(JaxzcError, match="cannot be written"):
        save(tmp_path / "no" / "state.npz", Search(Problem(SPACE), RandomSearch()).init())


def test_sorted_keys():
    keys = np.zeros(0, "S4")
    assert not states.contains(keys, np.array([b"a"])).any()
    keys = states.insert(states.insert(keys, np.array([b"c", b"a"])), np.array([b"b", b"d"]))
    assert keys.tolist() == [b"a", b"b", b"c", b"d"]
    assert states.contains(keys, np.array([b"e", b"a", b"d", b""])).tolist() == [False, True, True, False]


def test_all_algorithms_have_a_name():
    assert {type(a) for a in SMALL.values()} == set(ALGORITHMS.values())
