"""Pictures of a search: axes and operations by name, and a best so far that several fitnesses share."""

import numpy as np
import pytest

import jaxzc
from jaxzc.search import AgingEvolution, Problem, Search, plots
from jaxzc.search.state import State

SPACE = jaxzc.space("nasbench201", classes=10, inputs=(8, 8, 1), channels=4, cells=1)


@pytest.fixture(scope="module")
def searched() -> tuple[Search, State]:
    search = Search(Problem(SPACE, ("mine", "other"), (True, False), costs=("flops", "params")), AgingEvolution(population=8, tournament=3))
    state = search.init(0)
    while state.evaluated < 40:
        archs, state = search.ask(state)
        scores = np.stack([archs.sum(1), np.cos(archs @ np.arange(archs.shape[1]))], 1).astype(float)
        scores[archs[:, 0] == 0, 0] = np.nan
        state = search.tell(state, archs, scores)
    return search, state


def test_best_so_far_has_axes_for_each_score(searched: tuple[Search, State]) -> None:
    search, state = searched
    mine, other = plots.plot_best_so_far(search, state)
    assert (mine.get_ylabel(), other.get_ylabel()) == ("mine", "other (lower is better)")
    assert other.get_xlabel() == "evaluations"
    line = next(line for line in mine.lines if line.get_label() == "best so far")
    assert np.asarray(line.get_ydata())[-1] == state.scores[search.best(state), 0]


def test_leaders() -> None:
    assert plots.leaders(np.array([np.nan, 1.0, 0.5, np.inf, 2.0, 2.0])).tolist() == [-1, 1, 1, 1, 4, 4]


def test_lineage_names_operations() -> None:
    old = SPACE.sample(np.random.default_rng(0), 1)[0]
    new = old.copy()
    new[2] = (old[2] + 1) % SPACE.choices[2]
    (change,) = plots.changes(SPACE, old, new)
    before, after = change.split(" → ")
    assert before in SPACE.to_string(old)
    assert after in SPACE.to_string(new)
    assert before != after
    assert plots.changes(SPACE, old, old) == []


def test_costs_have_names(searched: tuple[Search, State]) -> None:
    search, state = searched
    assert plots.plot_fitness_against_cost(search, state, 1).get_xlabel() == "parameters"
    axes = plots.plot_lineage(search, state)
    assert axes.get_xlabel() == "log-rank sum of mine, other"
    assert any("→" in text.get_text() for text in axes.get_yticklabels()) or len(axes.get_yticks()) == 1


def test_changes_of_a_space_whose_strings_are_blocks() -> None:
    space = jaxzc.space("mnasnet", classes=10, inputs=(32, 32, 3))
    old = space.parse("e1k3l1s1-e4k3l3s0-e4k5l1s1-e1k3l2s0-e6k3l2s1-e6k5l3s1-e6k5l3s1")
    new = space.parse("e1k3l1s1-e4k3l3s0-e4k3l1s1-e1k3l2s0-e6k3l2s1-e6k5l3s1-e6k5l3s1")
    assert plots.changes(space, old, new) == ["e4k5l1s1 → e4k3l1s1"]
