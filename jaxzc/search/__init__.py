"""Search: random, evolution, local search and multi-objective search over a space, as pure functions of an integer state.

>>> from jaxzc.search import AgingEvolution, Problem, Search, parse_budget, run
>>> search = Search(Problem(space, constraints=parse_budget("flops<=100e6,params<=1e6")), AgingEvolution(population=64))
>>> for state in run(search, search.init(seed=0), my_fitness, evaluations=500):
...     print(state.evaluated)
>>> space.to_string(state.archs[search.best(state)])
"""

from jaxzc.aggregates.ranks import log_rank
from jaxzc.search.algorithms import ALGORITHMS, NSGA2, AgingEvolution, Algorithm, LocalSearch, RandomSearch, SteadyState
from jaxzc.search.problem import Limit, Problem, parse_budget
from jaxzc.search.state import State, load, save
from jaxzc.search.stepping import Search, lineage, run

__all__ = [
    "ALGORITHMS",
    "NSGA2",
    "AgingEvolution",
    "Algorithm",
    "Limit",
    "LocalSearch",
    "Problem",
    "RandomSearch",
    "Search",
    "State",
    "SteadyState",
    "lineage",
    "load",
    "log_rank",
    "parse_budget",
    "run",
    "save",
]
