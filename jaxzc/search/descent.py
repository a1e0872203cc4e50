"""Down to a budget that random networks miss: greedy descent by mutation on how far an architecture is from the constraints.

Most of a space with free widths and depths lies far above a tight budget, so that thousands of random networks hold none within it, though
many exist. From the random network that comes nearest, the best of `MUTANTS` mutants is taken again and again until one keeps to the
constraints; its own mutants that do are the others. They are close relatives: the population of a search that begins with them has to
spread by itself.
"""

from collections.abc import Callable, Iterator

import numpy as np

from jaxzc.search.problem import Problem
from jaxzc.search.state import contains, insert
from jaxzc.spacekit import sample_at_most

MUTANTS = 64
"""Mutants looked at in each step, and random networks from which a descent begins."""

PATIENCE = 8
"""Steps without progress after which all neighbours are looked at: where none of them is nearer, the descent has stalled."""

DESCENTS = 4
"""How many descents stall before it is said that no architecture keeps to the constraints."""

Progress = Callable[[str], None]


def walk_down(
    problem: Problem, rng: np.random.Generator, keys: np.ndarray, wanted: int, progress: Progress = lambda text: None
) -> tuple[np.ndarray, np.ndarray]:
    """Up to `wanted` architectures, int32 `[n, genes]`, that keep to the constraints and are not among the sorted `keys`; and the one that
    came nearest to the constraints, `[genes]`.

    progress: told in a sentence how far a descent is, after 1, 2, 4 ... steps. None at all: every descent stalled, or came to architectures
    that are known already.
    """
    ends = []
    for _ in range(DESCENTS):
        *_, (distance, arch) = _told(_descent(problem, rng), problem, progress)
        if distance == 0:
            return _spread(problem, rng, keys, arch, wanted), arch
        ends.append((distance, len(ends), arch))
    return np.zeros((0, len(problem.space.choices)), np.int32), min(ends)[-1]


def _told(steps: Iterator[tuple[float, np.ndarray]], problem: Problem, progress: Progress) -> Iterator[tuple[float, np.ndarray]]:
    for number, (distance, arch) in enumerate(steps):
        if number & (number - 1) == 0 and number and distance:
            progress(f"random architectures miss {problem.describe()}: {number} steps down towards it, at {problem.limits_of(arch)}")
        yield distance, arch


def _descent(problem: Problem, rng: np.random.Generator) -> Iterator[tuple[float, np.ndarray]]:
    """Distance from the constraints and architecture `[genes]` after every step; the last one keeps to them, or has no nearer neighbour."""
    distance, arch = _nearest(problem, sample_at_most(problem.space, rng, MUTANTS))
    yield distance, arch
    idle = 0
    while distance:
        if idle < PATIENCE:
            near = problem.space.mutate(rng, np.repeat(arch[None], MUTANTS, axis=0))
        elif not len(near := problem.space.neighbours(arch)):
            return
        closest, other = _nearest(problem, near)
        if closest >= distance and idle >= PATIENCE:
            return
        idle = 0 if closest < distance else idle + 1
        if closest <= distance:  # sideways, too: functions that only forbid give no slope
            distance, arch = closest, other
            yield distance, arch


def _nearest(problem: Problem, archs: np.ndarray) -> tuple[float, np.ndarray]:
    distances = problem.excess(archs)
    best = int(np.argmin(distances))
    return float(distances[best]), np.asarray(archs[best])


def _spread(problem: Problem, rng: np.random.Generator, keys: np.ndarray, arch: np.ndarray, wanted: int) -> np.ndarray:
    """The architecture and mutants of mutants of it within the constraints, those that are new."""
    within, new, idle = arch[None], np.zeros((0, len(arch)), np.int32), 0
    candidates = within
    while True:
        proposed = problem.keys(candidates)
        fresh = np.sort(np.unique(proposed, return_index=True)[1])
        fresh = fresh[~contains(keys, proposed[fresh])]
        keys = insert(keys, proposed[fresh])
        new = np.concatenate([new, candidates[fresh].astype(np.int32)])[:wanted]
        within = np.concatenate([within, candidates])[-16 * MUTANTS :]
        idle = 0 if len(fresh) else idle + 1
        if len(new) == wanted or idle > PATIENCE:
            return new
        mutants = problem.space.mutate(rng, within[rng.integers(len(within), size=MUTANTS)])
        candidates = mutants[problem.feasible(mutants)]
