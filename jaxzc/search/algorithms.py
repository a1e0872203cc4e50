"""Search algorithms: each proposes candidates and chooses whom to breed from; all else (`jaxzc.search.stepping`) they share.

An algorithm is settings and three pure functions. `wanted(state)`: how many architectures the next generation asks for.
`propose(problem, state, rng, n)`: `n` candidates int `[n, genes]` and the rows of their parents int `[n]` (-1: none); fewer than `n` means
that there are no others. `select(problem, state)`: the population, rows of the log int `[p]`, called when a generation has been told.
`state.fitness` is NaN for networks that must not be selected. Candidates that break a constraint or were evaluated before are dropped by
the caller, which then asks for more.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from jaxzc.search import pareto
from jaxzc.search.problem import Problem
from jaxzc.search.state import State, contains
from jaxzc.spacekit import sample_at_most
from jaxzc.types import JaxzcError, Space

Proposal = tuple[np.ndarray, np.ndarray]


class Algorithm(Protocol):
    """What every algorithm has besides its settings: three pure functions, which the module explains."""

    def wanted(self, state: State) -> int: ...
    def propose(self, problem: Problem, state: State, rng: np.random.Generator, n: int) -> Proposal: ...
    def select(self, problem: Problem, state: State) -> np.ndarray: ...


@dataclass(frozen=True)
class RandomSearch:
    """Architectures drawn uniformly. batch: how many at a time."""

    batch: int = 64

    def __post_init__(self) -> None:
        _check(self, batch=1)

    def wanted(self, state: State) -> int:
        return self.batch

    def propose(self, problem: Problem, state: State, rng: np.random.Generator, n: int) -> Proposal:
        return random_archs(problem.space, rng, n)

    def select(self, problem: Problem, state: State) -> np.ndarray:
        return state.population


@dataclass(frozen=True)
class AgingEvolution:
    """Regularised evolution: the parent is the best of a random sample of the population, the child takes the place of the oldest.

    population, tournament (sample size), genes (mutations per child). batch: children of one generation; 1 is the paper's algorithm.
    Source: Real et al., Regularized Evolution for Image Classifier Architecture Search, AAAI 2019, algorithm 1. The sample is drawn without
    replacement. Networks without a valid score do not enter the population; the initial one is random.
    """

    population: int = 64
    tournament: int = 10
    genes: int = 1
    batch: int = 1

    def __post_init__(self) -> None:
        _check(self, population=1, tournament=1, genes=1, batch=1)

    def wanted(self, state: State) -> int:
        return max(self.population - len(state.population), 0) or self.batch

    def propose(self, problem: Problem, state: State, rng: np.random.Generator, n: int) -> Proposal:
        alive = state.population
        if len(alive) < self.population:
            return random_archs(problem.space, rng, n)
        size = min(self.tournament, len(alive))
        drawn = alive[np.argsort(rng.random((n, len(alive))), axis=1)[:, :size]]
        return mutated(problem.space, rng, state.archs, drawn[np.arange(n), state.fitness[drawn].argmax(axis=1)], self.genes)

    def select(self, problem: Problem, state: State) -> np.ndarray:
        return np.flatnonzero(~np.isnan(state.fitness))[-self.population :]


@dataclass(frozen=True)
class SteadyState:
    """(mu + lambda) evolution: parents uniform among the best `population` of all evaluated, the worst drop out.

    population: mu; 512 in ZiCo, 1,024 in AZ-NAS. initial: random architectures to begin with. genes: mutations per child (those authors
    replace two blocks). batch: lambda, children of one generation; 1 is those authors' loop.
    Source: the search of Zen-NAS (Lin et al., ICCV 2021, algorithm 1), used by ZiCo and AZ-NAS. They begin with one given network instead
    of random ones. With several scores the ranks are those among all networks seen so far, as in AZ-NAS.
    """

    population: int = 512
    initial: int = 64
    genes: int = 1
    batch: int = 1

    def __post_init__(self) -> None:
        _check(self, population=1, initial=1, genes=1, batch=1)

    def wanted(self, state: State) -> int:
        return max(min(self.initial, self.population) - len(state.population), 0) or self.batch

    def propose(self, problem: Problem, state: State, rng: np.random.Generator, n: int) -> Proposal:
        alive = state.population
        if len(alive) < min(self.initial, self.population):
            return random_archs(problem.space, rng, n)
        return mutated(problem.space, rng, state.archs, alive[rng.integers(len(alive), size=n)], self.genes)

    def select(self, problem: Problem, state: State) -> np.ndarray:
        return best_rows(state.fitness, self.population)


@dataclass(frozen=True)
class LocalSearch:
    """Steepest ascent: evaluate every neighbour of the current architecture, move to the best of them if it is better, else begin again at
    a random one. batch: neighbours evaluated at a time.

    Source: White et al., Exploring the Loss Landscape in Neural Architecture Search, UAI 2021, algorithm 1 (there without beginning again).
    """

    batch: int = 64

    def __post_init__(self) -> None:
        _check(self, batch=1)

    def wanted(self, state: State) -> int:
        return self.batch if len(state.population) else 1

    def propose(self, problem: Problem, state: State, rng: np.random.Generator, n: int) -> Proposal:
        if not len(state.population):
            return random_archs(problem.space, rng, n)
        current = state.population[0]
        around = rng.permutation(problem.space.neighbours(state.archs[current]), axis=0)
        fresh = around[~contains(state.keys, problem.keys(around)) & problem.feasible(around)][:n]
        return fresh, np.full(len(fresh), current)

    def select(self, problem: Problem, state: State) -> np.ndarray:
        """The current architecture, or nothing where the next one is to be drawn at random."""
        nothing = np.zeros(0, np.int64)
        current = state.population[:1]
        if not len(current):
            last = state.evaluated - 1
            current = np.array([last]) if not np.isnan(state.fitness[last]) else nothing
        while len(current):
            around = problem.space.neighbours(state.archs[current[0]])
            keys = problem.keys(around)
            if (~contains(state.keys, keys) & problem.feasible(around)).any():
                return current
            # All were evaluated, some perhaps as children of others.
            rows = np.flatnonzero(np.isin(problem.keys(state.archs), keys) & ~np.isnan(state.fitness))
            better = rows[state.fitness[rows] > state.fitness[current[0]]]
            current = better[[state.fitness[better].argmax()]] if len(better) else nothing
        return nothing


@dataclass(frozen=True)
class NSGA2:
    """Non-dominated sorting: maximises the fitness and minimises every cost of the problem at once.

    population, batch (children of one generation; 0: as many as the population), genes (mutations per child). Parents win a binary
    tournament by front, then by crowding; survivors are chosen likewise from population and children. Children are mutants: a space
    need not know how to cross two architectures.
    Source: Deb et al., NSGA-II, IEEE Trans. Evol. Comput. 6(2), 2002.
    """

    population: int = 64
    batch: int = 0
    genes: int = 1

    def __post_init__(self) -> None:
        _check(self, population=1, batch=0, genes=1)

    def wanted(self, state: State) -> int:
        return max(self.population - len(state.population), 0) or self.batch or self.population

    def propose(self, problem: Problem, state: State, rng: np.random.Generator, n: int) -> Proposal:
        alive = state.population
        if len(alive) < self.population:
            return random_archs(problem.space, rng, n)
        standing = np.empty(len(alive), np.int64)
        standing[survival_order(objectives(state, alive))] = np.arange(len(alive))
        pairs = rng.integers(len(alive), size=(n, 2))
        winners = pairs[np.arange(n), standing[pairs].argmin(axis=1)]
        return mutated(problem.space, rng, state.archs, alive[winners], self.genes)

    def select(self, problem: Problem, state: State) -> np.ndarray:
        if not problem.costs:
            raise JaxzcError("nsga2 has nothing to weigh the fitness against: give the problem a cost, for example 'flops'")
        children = np.flatnonzero(state.steps == state.step - 1)
        rows = np.concatenate([state.population, children])
        rows = rows[~np.isnan(state.fitness[rows]) & np.isfinite(state.costs[rows]).all(axis=1)]
        return rows[survival_order(objectives(state, rows))[: self.population]]


ALGORITHMS = {
    "random": RandomSearch,
    "evolution": AgingEvolution,
    "steady-state": SteadyState,
    "local": LocalSearch,
    "nsga2": NSGA2,
}
"""Name -> search, as `--algorithm` and `SearchRequest.algorithm` name it."""


def objectives(state: State, rows: np.ndarray) -> np.ndarray:
    """Float64 `[rows, 1 + costs]`, all to be minimised: minus the fitness, and the costs."""
    return np.column_stack([-state.fitness[rows], state.costs[rows]])


def survival_order(points: np.ndarray) -> np.ndarray:
    """Indices `[n]` of points `[n, k]`: by front, within one front the least crowded first, earlier ones first where that is equal."""
    front = pareto.fronts(points)
    distance = np.zeros(len(points))
    for number in range(front.max(initial=-1) + 1):
        distance[front == number] = pareto.crowding(points[front == number])
    return np.lexsort((-distance, front))


def best_rows(fitness: np.ndarray, n: int) -> np.ndarray:
    """The rows of the `n` best valid networks, best first; the earlier one of two that are equal."""
    rows = np.flatnonzero(~np.isnan(fitness))
    if len(rows) > n:  # sort no more than is wanted
        rows = rows[fitness[rows] >= np.partition(fitness[rows], -n)[-n]]
    return rows[np.argsort(-fitness[rows], kind="stable")][:n]


def random_archs(space: Space, rng: np.random.Generator, n: int) -> Proposal:
    """`n` random architectures (fewer, where the space has fewer) without parents."""
    archs = sample_at_most(space, rng, n)
    return archs, np.full(len(archs), -1)


def mutated(space: Space, rng: np.random.Generator, archs: np.ndarray, parents: np.ndarray, genes: int) -> Proposal:
    """The parents (rows of `archs`), each changed `genes` times by the space's mutation; a gene may be hit twice."""
    children = archs[parents]
    for _ in range(genes):
        children = space.mutate(rng, children)
    return np.asarray(children), parents


def _check(settings: object, **least: int) -> None:
    for name, lowest in least.items():
        value = getattr(settings, name)
        if not isinstance(value, int) or value < lowest:
            raise JaxzcError(f"{type(settings).__name__}: {name}={value!r}: expected a whole number of at least {lowest}")
