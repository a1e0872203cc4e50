"""Ask and tell: the steps of a search as pure functions of its state.

>>> search = Search(Problem(space, constraints=parse_budget("flops<=100e6")), AgingEvolution())
>>> state = search.init(seed=0)
>>> while state.evaluated < 500:
...     archs, state = search.ask(state)
...     state = search.tell(state, archs, my_fitness(archs))
>>> search.best(state)
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from jaxzc.search import descent, pareto
from jaxzc.search.algorithms import Algorithm, best_rows, objectives
from jaxzc.search.descent import Progress
from jaxzc.search.problem import Problem
from jaxzc.search.state import State, contains, insert
from jaxzc.types import JaxzcError

DRAWS, PROPOSALS = 32, 6
"""Candidates are drawn until enough of them are new and keep to the constraints: first `DRAWS`, then twice as many, ..., `PROPOSALS` times.
"""

LISTED = 2**20
"""Where drawing finds nothing, a space of at most this many architectures is listed, so that nothing is missed; in a larger one a descent
leads to the constraints (`jaxzc.search.descent`)."""


@dataclass(frozen=True)
class Search:
    """A problem and an algorithm. Every method is a pure function: the same state gives the same answer, now or after a restart."""

    problem: Problem
    algorithm: Algorithm

    def init(self, seed: int = 0, start: np.ndarray | None = None) -> State:
        """The state before anything is evaluated; `seed` (0 .. 2**63 - 1) decides all that is random.

        start: architectures int `[n, genes]` to evaluate first, for example the authors' initial network or those that a proxy likes;
        duplicates are dropped. Raises `JaxzcError` where one of them breaks a constraint.
        """
        if not 0 <= seed < 2**63:
            raise JaxzcError(f"seed {seed}: expected a whole number from 0 to 2**63 - 1")
        problem = self.problem
        none, rows = np.zeros((0, len(problem.space.choices)), np.int32), np.zeros(0, np.int64)
        scores, costs = np.zeros((0, len(problem.scores))), np.zeros((0, len(problem.costs)))
        state = State(np.array(seed), np.array(0), none, rows, rows, scores, costs, scores[:, 0], rows, none, rows, problem.keys(none))
        if start is None or not len(start):
            return state
        wrong = np.flatnonzero(~problem.feasible(start))
        if len(wrong):
            arch = problem.space.to_string(start[wrong[0]])
            raise JaxzcError(f"{arch}, given to start from, breaks {problem.describe()}: leave it out, or loosen the budget")
        keys = problem.keys(start)
        first = np.sort(np.unique(keys, return_index=True)[1])
        pending = np.asarray(start[first], np.int32)
        return state._replace(step=np.array(1), pending=pending, pending_parents=np.full(len(first), -1), keys=np.sort(keys[first]))

    def ask(self, state: State, progress: Progress = lambda text: None) -> tuple[np.ndarray, State]:
        """The architectures int32 `[n, genes]` to evaluate next, and the state in which they are pending.

        None of them breaks a constraint or was asked for before. While some are pending these are returned again. `n` may be smaller than
        the algorithm's generation; 0 means that no new architecture keeps to the constraints, and the search is over.
        progress: told in a sentence what takes long, where few architectures keep to the constraints.
        Raises `JaxzcError` where no architecture at all could be found that keeps to the constraints, with what the nearest one has.
        """
        if len(state.pending):
            return state.pending, state
        rng = np.random.default_rng([int(state.seed), int(state.step)])
        problem = self.problem
        wanted = self.algorithm.wanted(state)
        archs, parents = self._fresh(state, wanted, PROPOSALS, lambda n: self.algorithm.propose(problem, state, rng, n))
        if not len(archs):
            archs = self._rare(state, rng, wanted, progress)
            parents = np.full(len(archs), -1)
        keys = insert(state.keys, problem.keys(archs))
        return archs, state._replace(step=np.asarray(state.step + 1), pending=archs, pending_parents=parents, keys=keys)

    def tell(self, state: State, archs: np.ndarray, scores: np.ndarray) -> State:
        """The state with `scores` (`[n]` or `[n, scores]`, NaN for a network that could not be scored) of the first `n` pending `archs`.

        The population changes when nothing is pending any more. Raises `JaxzcError` for other architectures than were asked for, or scores
        of another shape.
        """
        archs, scores = np.asarray(archs), np.asarray(scores, np.float64)
        n, names = len(archs), self.problem.scores
        if not np.array_equal(archs, state.pending[:n]):
            raise JaxzcError(f"{n} architectures are told, but not those asked for: tell what `ask` returned, in its order")
        if scores.shape == (n,):
            scores = scores[:, None]
        if scores.shape != (n, len(names)):
            raise JaxzcError(f"scores of {n} architectures have shape {list(scores.shape)}: expected [{n}, {len(names)}], columns {names}")
        seen = np.concatenate([state.scores, scores])
        told = state._replace(
            archs=np.concatenate([state.archs, state.pending[:n]]),
            parents=np.concatenate([state.parents, state.pending_parents[:n]]),
            steps=np.concatenate([state.steps, np.full(n, state.step - 1)]),
            scores=seen,
            costs=np.concatenate([state.costs, self.problem.cost(archs)]),
            fitness=self.problem.fitness(seen),
            pending=state.pending[n:],
            pending_parents=state.pending_parents[n:],
        )
        if len(told.pending) or not n:
            return told
        return told._replace(population=self.algorithm.select(self.problem, told).astype(np.int64))

    def best(self, state: State) -> int:
        """The row of the best network. Raises `JaxzcError` where none has a valid score."""
        rows = best_rows(state.fitness, 1)
        if not len(rows):
            raise JaxzcError(
                f"none of the {state.evaluated} networks evaluated has a finite score: check the scores, or choose other proxies"
            )
        return int(rows[0])

    def front(self, state: State) -> np.ndarray:
        """The rows that no other dominates in fitness and costs, by ascending first cost; of several equal ones, all."""
        rows = np.flatnonzero(~np.isnan(state.fitness) & np.isfinite(state.costs).all(axis=1))
        points = objectives(state, rows)
        free = pareto.non_dominated(points)
        return rows[free][np.lexsort(points[free][:, :2].T)]

    def _fresh(
        self, state: State, wanted: int, rounds: int, propose: Callable[[int], tuple[np.ndarray, np.ndarray]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Up to `wanted` architectures that are new and feasible, int32 `[n, genes]`, and their parents int64 `[n]`."""
        keys, children, parents = state.keys, [state.archs[:0]], [state.parents[:0]]
        missing = wanted
        for attempt in range(rounds):
            asked = max(missing, DRAWS << attempt)
            candidates, origins = propose(asked)
            proposed = self.problem.keys(candidates)
            new = np.flatnonzero(~contains(keys, proposed))
            new = new[self.problem.feasible(candidates[new])]
            # The first of several equal candidates, in the order in which they were drawn.
            first = new[np.sort(np.unique(proposed[new], return_index=True)[1])][:missing]
            children.append(candidates[first].astype(np.int32))
            parents.append(np.asarray(origins[first], np.int64))
            keys, missing = insert(keys, proposed[first]), missing - len(first)
            if not missing or len(candidates) < asked:  # the algorithm has no others
                break
        return np.concatenate(children), np.concatenate(parents)

    def _rare(self, state: State, rng: np.random.Generator, wanted: int, progress: Progress) -> np.ndarray:
        """Up to `wanted` new architectures, int32 `[n, genes]`, where the algorithm proposes none that keeps to the constraints."""
        problem = self.problem
        if math.prod(problem.space.choices) > LISTED:
            archs, nearest = descent.walk_down(problem, rng, state.keys, wanted, progress)
        else:
            everything = rng.permutation(problem.space.enumerate(), axis=0)
            archs, _ = self._fresh(state, wanted, 1, lambda n: (everything, np.full(len(everything), -1)))
            nearest = everything[np.argmin(problem.excess(everything))] if not len(archs) else archs[0]
        if not len(archs) and not state.evaluated:
            raise JaxzcError(
                f"no architecture of {problem.space.name} keeps to {problem.describe()}"
                f"{f' (the nearest has {reached})' if (reached := problem.limits_of(nearest)) else ''}: loosen the budget"
            )
        return archs


def run(
    search: Search,
    state: State,
    score: Callable[[np.ndarray], np.ndarray],
    evaluations: int,
    chunk: int | None = None,
    progress: Progress = lambda text: None,
) -> Iterator[State]:
    """Evaluates until `evaluations` architectures have scores or none is left; yields the state after every call of `score`.

    score: architectures int32 `[n, genes]` -> `[n]` or `[n, scores]`; one call for a whole generation, or for `chunk` of its members, which
    changes nothing but how often a state is yielded. The last generation may end half told: going on from that state with more
    evaluations gives what a longer run would have given. progress: as in `Search.ask`.
    """
    if chunk is not None and chunk < 1:
        raise JaxzcError(f"chunk={chunk}: expected at least 1, or None for a whole generation")
    while state.evaluated < evaluations:
        asked, state = search.ask(state, progress)
        asked = asked[: evaluations - state.evaluated][:chunk]
        if not len(asked):
            return
        state = search.tell(state, asked, score(asked))
        yield state


def lineage(state: State, row: int) -> list[int]:
    """The rows from the random ancestor to `row`, each the parent of the next."""
    rows = [row]
    while state.parents[rows[-1]] >= 0:
        rows.append(int(state.parents[rows[-1]]))
    return rows[::-1]
