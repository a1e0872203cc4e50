"""Pictures of a search, each drawn on the matplotlib `Axes` it is given."""

import itertools
from typing import Any

import numpy as np

from jaxzc.search.folder import cost_names
from jaxzc.search.state import State
from jaxzc.search.stepping import Search, lineage


def best_so_far(axes: Any, search: Search, state: State) -> None:
    """The best fitness among the first n evaluations, and every evaluation as a point (with several scores: ranks among all of them)."""
    number = np.arange(1, state.evaluated + 1)
    axes.plot(number, state.fitness, ".", color="0.7", markersize=3, label="evaluated")
    axes.plot(number, np.fmax.accumulate(state.fitness), color="C0", drawstyle="steps-post", label="best so far")
    axes.set(xlabel="evaluations", ylabel=fitness_label(search))
    axes.legend(loc="lower right")


def fitness_against_cost(axes: Any, search: Search, state: State, cost: int = 0) -> None:
    """Fitness against one cost, the front and the winner marked."""
    front, winner = search.front(state), search.best(state)
    axes.plot(state.costs[:, cost], state.fitness, ".", color="0.7", markersize=3, label="evaluated")
    axes.plot(state.costs[front, cost], state.fitness[front], ".-" if state.costs.shape[1] == 1 else ".", color="C0", label="not dominated")
    axes.plot(state.costs[winner, cost], state.fitness[winner], "*", color="C3", markersize=12, label="winner")
    axes.set(xlabel=cost_names(search)[cost], ylabel=fitness_label(search))
    axes.legend(loc="lower right")


def winner_lineage(axes: Any, search: Search, state: State) -> None:
    """The fitness of the winner and its ancestors, and the genes that each mutation changed."""
    rows = lineage(state, search.best(state))
    axes.plot(range(len(rows)), state.fitness[rows], "o-", color="C0")
    for number, (parent, child) in enumerate(itertools.pairwise(rows), start=1):
        old, new = state.archs[parent], state.archs[child]
        changes = "\n".join(f"gene {g}: {old[g]}→{new[g]}" for g in np.flatnonzero(old != new))
        place = (number, state.fitness[child])
        axes.annotate(changes, place, textcoords="offset points", xytext=(0, -8), ha="right", va="top", rotation=30, fontsize=7)
    axes.set(xlabel=f"mutations since row {rows[0]} of the log", ylabel=fitness_label(search), xticks=range(len(rows)))
    axes.margins(x=0.1, y=0.2)


def fitness_label(search: Search) -> str:
    names = search.problem.scores
    return names[0] if len(names) == 1 else f"log-rank sum of {', '.join(names)}"
