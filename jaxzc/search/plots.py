"""Pictures of a search in the report's style: each function draws on new axes, or on those that it is given, and returns them."""

import difflib
import itertools
import re

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from jaxzc.report.columns import compact
from jaxzc.report.look import ACCENT, DOT, FG, MUTED, TWO_COLUMNS, WARM, axes, style
from jaxzc.search.state import State
from jaxzc.search.stepping import Search, lineage
from jaxzc.types import Space

COSTS = {
    "params": "parameters",
    "flops": "FLOPs (multiply-accumulates)",
    "layers": "layers (convolution and linear)",
}


GENERATIONS = 41
"""Networks that the lineage shows at most, the last ones: more lines would not fit on a page."""


LONGEST = 90
"""Characters of a change that the lineage shows at most: longer ones would leave no room for the axis."""


def plot_best_so_far(search: Search, state: State, *, width: float = TWO_COLUMNS) -> list[Axes]:
    """Every evaluation and the best so far, one axes per score of the problem.

    With several scores the best is the one of the highest fitness (the sum of the logarithms of its ranks among all evaluations), and each
    score's line is what that network has of it: a score may fall where the others gain more.
    """
    names, higher = search.problem.scores, search.problem.signs > 0
    with style():
        figure = Figure((width, 1.2 + 1.4 * len(names)), layout="constrained")
        grid = np.ravel(figure.subplots(len(names), 1, sharex=True, squeeze=False)).tolist()
        leader = leaders(state.fitness)
        number = np.arange(1, state.evaluated + 1)
        for place, panel in enumerate(grid):
            score = np.where(np.isfinite(state.scores[:, place]), state.scores[:, place], np.nan)
            floor = _floor(score, leader)
            low = score < floor
            panel.plot(number[~low], score[~low], ".", color=DOT, markersize=3, label="evaluated")
            if low.any():
                panel.plot(number[low], np.full(low.sum(), floor), "v", color=DOT, markersize=3, clip_on=False, label="further below")
            panel.plot(number[leader >= 0], score[leader[leader >= 0]], color=ACCENT, drawstyle="steps-post", label="best so far")
            panel.set_ylabel(names[place] if higher[place] else f"{names[place]} (lower is better)")
            panel.grid(axis="y")
        entries = {text: line for panel in grid for line, text in zip(*panel.get_legend_handles_labels(), strict=True)}
        grid[0].legend(entries.values(), entries, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.2)
        grid[-1].set_xlabel("evaluations")
        grid[-1].xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return grid


def plot_fitness_against_cost(search: Search, state: State, cost: int = 0, on: Axes | None = None, *, width: float = TWO_COLUMNS) -> Axes:
    """Fitness against one cost (its number among the problem's), the front and the winner marked."""
    front, winner = search.front(state), search.best(state)
    with style():
        on = on or axes(width, 0.5 * width)
        on.plot(state.costs[:, cost], state.fitness, ".", color=DOT, markersize=3, label="evaluated")
        joined = "-" if state.costs.shape[1] == 1 else "none"
        look = {"color": ACCENT, "markersize": 4, "linewidth": 0.9}
        on.plot(state.costs[front, cost], state.fitness[front], marker="o", linestyle=joined, label="not dominated", **look)
        on.plot(state.costs[winner, cost], state.fitness[winner], "*", color=WARM, markersize=12, label="winner")
        on.set_xlabel(cost_label(search.problem.cost_names[cost]))
        on.set_ylabel(fitness_label(search))
        on.xaxis.set_major_locator(MaxNLocator(6))
        on.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
        on.grid()
        on.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.2)
    return on


def plot_lineage(search: Search, state: State, on: Axes | None = None, *, width: float = TWO_COLUMNS) -> Axes:
    """The fitness of the winner and its last 40 ancestors, one below the other, each with the operations that its mutation changed."""
    every = lineage(state, search.best(state))
    rows = every[-GENERATIONS:]
    space = search.problem.space
    with style():
        on = on or axes(width, 1.0 + 0.24 * len(rows))
        place = np.arange(len(rows))
        on.plot(state.fitness[rows], place, "-", color=ACCENT, linewidth=0.9)
        on.plot(state.fitness[rows[:-1]], place[:-1], "o", color=ACCENT, markersize=4)
        on.plot(state.fitness[rows[-1]], place[-1], "*", color=WARM, markersize=11)
        said = ["at random" if len(every) == len(rows) else f"after {len(every) - len(rows)} mutations"]
        told = [", ".join(changes(space, state.archs[a], state.archs[b])) for a, b in itertools.pairwise(rows)]
        said += [text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…" for text in told]
        on.set_yticks(place, [f"{text}   {row + 1}" for text, row in zip(said, rows, strict=True)])
        on.tick_params(axis="y", labelcolor=FG, labelsize=6.5)
        on.set_ylim(len(rows) - 0.5, -0.5)
        on.set_xlabel(fitness_label(search))
        # Above the rows: beside a few of them it would be longer than the axis.
        on.set_title("Change, and number of the evaluation", loc="left", color=MUTED, fontsize=7)
        on.xaxis.set_major_locator(MaxNLocator(5))
        on.grid(axis="x")
    return on


def _floor(score: np.ndarray, leader: np.ndarray) -> float:
    """Where an axis of scores `[n]` ends below: a few failed networks far down must not flatten the line of the best into a rule."""
    known = np.sort(score[np.isfinite(score)])
    if not len(known):
        return -np.inf
    usual = known[len(known) // 10]
    best = score[leader[leader >= 0]]
    far = usual - (known[-1] - usual)
    return float(min(far, np.nanmin(best))) if known[0] < far else -np.inf


def leaders(fitness: np.ndarray) -> np.ndarray:
    """For each of the first n evaluations, the row of the best among them, int `[n]`; -1 before any has a fitness."""
    best, rows = -1, np.full(len(fitness), -1)
    for row, value in enumerate(fitness):
        if np.isfinite(value) and (best < 0 or value > fitness[best]):
            best = row
        rows[row] = best
    return rows


def changes(space: Space, old: np.ndarray, new: np.ndarray) -> list[str]:
    """What a mutation changed, in the words of the space's own strings: `nor_conv_1x1~0 → skip_connect~0`."""
    before, after = (re.findall(r"[^\s|+,;:()\[\]{}'\"-]+", space.to_string(arch)) for arch in (old, new))
    spans = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return [f"{' '.join(before[a:b]) or 'nothing'} → {' '.join(after[c:d]) or 'nothing'}" for kind, a, b, c, d in spans if kind != "equal"]


def cost_label(name: str) -> str:
    """A cost as an axis says it: `flops` in full, any other name as it is."""
    return COSTS.get(name, name.replace("_", " "))


def fitness_label(search: Search) -> str:
    """The fitness as an axis says it."""
    names, higher = search.problem.scores, search.problem.signs > 0
    if len(names) == 1:
        return names[0] if higher[0] else f"\u2212{names[0]} (lower is better)"
    return f"log-rank sum of {', '.join(names)}"
