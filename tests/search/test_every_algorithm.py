"""What every search keeps to: the budget, the seed, its state between asking and telling, invalid networks."""

import numpy as np
import pytest

from jaxzc.search import ALGORITHMS, Problem, Search, SteadyState, lineage, load, run, save
from tests.support.landscapes import SMALL, SPACE, additive, every_algorithm, finish, patchy, problem


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


def test_starting_architectures_come_first():
    start = SPACE.enumerate()[[15624, 15624, 300, 7]]
    search = Search(Problem(SPACE), SteadyState(population=20, initial=3))
    state = finish(search, 10, state=search.init(0, start))
    np.testing.assert_array_equal(state.archs[:3], start[1:])
    assert (state.parents[:3] == -1).all()
    assert (state.parents[3:] >= 0).all()


@every_algorithm
def test_a_budget_that_leaves_few_ends_early(name):
    """All that keep to the budget are found, by listing the space where drawing fails, and then the search is over."""

    def rare(archs):
        return (np.asarray(archs) == 3).sum(1) >= 5

    everything = SPACE.enumerate()
    allowed = np.unique(SPACE.canonical(everything[rare(everything)]), axis=0)
    state = finish(Search(Problem(SPACE, constraints=[rare]), SMALL[name]), 100)
    np.testing.assert_array_equal(np.unique(SPACE.canonical(state.archs), axis=0), allowed)


def test_lower_is_better_is_turned():
    state = finish(Search(problem(scores=("a",), higher=(False,)), SMALL["evolution"]))
    np.testing.assert_array_equal(state.fitness, -additive(state.archs))


def test_all_algorithms_have_a_name():
    assert {type(a) for a in SMALL.values()} == set(ALGORITHMS.values())
