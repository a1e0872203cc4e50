"""Landscapes over NAS-Bench-201 whose optimum is known, and small searches of every algorithm."""

from typing import Any

import numpy as np
import pytest

import jaxzc
from jaxzc.search import NSGA2, AgingEvolution, LocalSearch, Problem, RandomSearch, SteadyState, parse_budget, run

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
