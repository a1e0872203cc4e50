"""What is asked of a search by name, and what follows from it: the scores that are the fitness, and the settings that a directory keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from jaxzc import embedded, tables
from jaxzc._compile.platforms import here
from jaxzc._parallel.processors import shares
from jaxzc.aggregates import AGGREGATES
from jaxzc.catalogue.selection import ProxySpec, select
from jaxzc.definitions.facts import Proxy, proxy_facts
from jaxzc.scoring.space.setting import Setting
from jaxzc.search.algorithms import ALGORITHMS, Algorithm
from jaxzc.search.job.named_costs import costs as named_costs
from jaxzc.search.problem import Constraint, Cost, Limit, Problem, parse_budget
from jaxzc.types import JaxzcError, Space
from jaxzc.types.names import split_names


@dataclass(frozen=True)
class SearchRequest(Setting):
    """Which space is searched for what, and how; further fields: see `jaxzc.scoring.space.setting.Setting`.

    space: a name, made for the images with `options`, or a space.
    fitness: proxies to maximise; several are ranked together. Or the name of an aggregate that does so, such as "trio".
    table, metric: instead of proxies, columns of a table are the fitness. table: a file with a column `arch`, or "embedded" (the benchmark
    that ships with jaxzc); metric: its columns, higher is better.
    budget: constraints, such as "flops<=100e6,params<=1e6".
    algorithm: a name in `jaxzc.search.ALGORITHMS`, for its defaults, or an algorithm. evaluations: networks to score.
    costs: what the front and nsga2 minimise: a count of the space; "latency" (milliseconds) or "peak_memory" (bytes) of a compiled forward
    pass of one example on this machine; "module:function" of architecture strings; or a function of genes. latency_table: FILE:COLUMN,
    latencies to use instead of measured ones.
    duplicates: see `Problem`. start: genes `[n, genes]`, or a file of architectures, to begin with. seed: of search, images and weights.
    processes: how many of this machine score a generation side by side, each with processors of its own; None: one on each. A generation
    of the algorithm needs as many networks (`batch`). A script calls the search below `if __name__ == "__main__":` then. Scores differ
    by rounding from those of one process, which zico, a sum that a few weights can dominate, may turn into a percent or two.
    out: directory of the search, new or to be resumed; without it, nothing is written. overwrite: starts anew in a directory that holds a
    search.
    """

    space: str | Space
    fitness: ProxySpec | None = None
    table: str | Path | None = field(default=None, kw_only=True)
    metric: str | Sequence[str] = field(default=(), kw_only=True)
    budget: str | Sequence[Limit | Constraint] = field(default=(), kw_only=True)
    algorithm: str | Algorithm = field(default="evolution", kw_only=True)
    evaluations: int = field(default=500, kw_only=True)
    costs: Sequence[str | Cost] = field(default=("flops",), kw_only=True)
    latency_table: str | None = field(default=None, kw_only=True)
    duplicates: str = field(default="canonical", kw_only=True)
    start: str | Path | np.ndarray | None = field(default=None, kw_only=True)
    seed: int = field(default=0, kw_only=True)
    processes: int | None = field(default=1, kw_only=True)
    out: str | Path | None = field(default=None, kw_only=True)
    overwrite: bool = field(default=False, kw_only=True)

    @property
    def source(self) -> str:
        """Where the images come from. Tables know no images: 32x32x3 is the size of most benchmarks."""
        if self.data is not None:
            return self.data
        return "digits" if self.table in (None, embedded.NAME) else "normal"


@dataclass(frozen=True)
class Fitness:
    """names: of the scores. higher: for each, whether higher is better. The scores come from `proxies`, or from `columns` of a table."""

    names: tuple[str, ...]
    higher: tuple[bool, ...]
    proxies: Mapping[str, Proxy]
    columns: Mapping[str, Mapping[str, float]]


def fitness(request: SearchRequest) -> Fitness:
    """Raises `JaxzcError` where not exactly one of fitness and table is given, and for names that mean nothing."""
    if (request.fitness is None) == (request.table is None):
        raise JaxzcError("a search needs either a fitness, for example 'naswot', or a table and its metric: give one of the two")
    names = tuple(split_names(request.metric) if isinstance(request.metric, str) else request.metric)
    if request.table is not None:
        if not names:
            raise JaxzcError(f"the table {request.table} has many columns: name those that are the fitness as metric")
        columns = {name: tables.read_truth(embedded.table_named(request.table), name) for name in names}
        return Fitness(names, (True,) * len(names), {}, columns)
    if names:
        raise JaxzcError(f"metric {', '.join(names)} names columns of a table: give the table, or leave metric out")
    assert request.fitness is not None
    proxies = proxies_of(request.fitness)
    request.check_sizes(proxies)
    directions = {label: proxy_facts(proxy).higher_is_better for label, proxy in proxies.items()}
    for label, higher in directions.items():
        if higher is None:
            raise JaxzcError(
                f"fitness {label}: whether a higher or a lower score is better is not stated: write "
                "@jaxzc.proxy(direction='higher'), or 'lower', above the function"
            )
    return Fitness(tuple(proxies), tuple(map(bool, directions.values())), proxies, {})


def proxies_of(spec: ProxySpec) -> dict[str, Proxy]:
    """Label -> function. An aggregate stands for the proxies that it combines; raises `JaxzcError` where it combines them otherwise than a
    search does."""
    aggregate = AGGREGATES.get(spec.strip()) if isinstance(spec, str) else None
    if aggregate is None:
        return select(spec)
    if not aggregate.is_log_rank:
        raise JaxzcError(
            f"fitness {spec}: a search ranks several scores by log_rank, which this aggregate does not; name one of "
            f"{', '.join(name for name, a in AGGREGATES.items() if a.is_log_rank)}, or proxies"
        )
    return select(list(aggregate.proxies))


def algorithm(request: SearchRequest) -> Algorithm:
    """Raises `JaxzcError` for an unknown name."""
    if not isinstance(request.algorithm, str):
        return request.algorithm
    if request.algorithm not in ALGORITHMS:
        raise JaxzcError(f"algorithm {request.algorithm!r} is not known: expected one of {', '.join(ALGORITHMS)}")
    return ALGORITHMS[request.algorithm]()


def processes(request: SearchRequest, how: Algorithm) -> int:
    """How many processes score. Raises `JaxzcError` where there are not so many processors, for a table, which needs none, and where a
    generation has fewer networks than there are processes."""
    count, generation = len(shares(request.processes)), getattr(how, "batch", 0)  # nsga2's 0 is the whole population
    if count == 1:
        return 1
    if request.table is not None:
        raise JaxzcError(f"processes={request.processes}: looking scores up in a table takes one: leave processes out")
    if 0 < generation < count:
        raise JaxzcError(
            f"{count} processes and a generation of {generation}, which keeps no more of them busy: make the generation "
            f"({type(how).__name__}(batch=...), `--generation` of the command) {4 * count}, or ask for fewer processes"
        )
    if here() != "cpu" or (request.devices or 1) > 1:
        raise JaxzcError(f"processes={request.processes}: they share out processors of one CPU device: use devices on a {here()}")
    return count


def problem(request: SearchRequest, space: Space, wanted: Fitness) -> Problem:
    """The search problem that the request describes: the space, its fitness, constraints and costs."""
    if request.latency_table is not None and "latency" not in request.costs:
        raise JaxzcError("a latency_table was given and latency is not among the costs: add it to costs")
    constraints = parse_budget(request.budget) if isinstance(request.budget, str) else request.budget
    costs = tuple(
        each for cost in request.costs for each in (named_costs([cost], space, request.latency_table) if isinstance(cost, str) else (cost,))
    )
    return Problem(space, wanted.names, wanted.higher, constraints, costs, request.duplicates)


def beginning(request: SearchRequest, space: Space) -> np.ndarray | None:
    """Genes int `[n, genes]` to begin with; None for random ones."""
    if request.start is None or isinstance(request.start, np.ndarray):
        return request.start
    return tables.read_archs(embedded.table_named(request.start), space).archs


def settings(
    request: SearchRequest, wanted: Problem, how: Algorithm, start: np.ndarray | None, data_digest: str, scored: Fitness
) -> dict[str, Any]:
    """What a directory keeps of a search, and must be the same for it to go on."""
    if request.table is not None:
        scores: dict[str, Any] = {"table": str(request.table), "rows": {name: len(values) for name, values in scored.columns.items()}}
    else:
        versions = {name: version(name) for name in ("jaxzc", "jax", "flax")}
        scores = {"data": request.source, "data_digest": data_digest, **request.facts, "versions": versions}
    return {
        "space": repr(wanted.space),
        "fitness": list(wanted.scores),
        "budget": wanted.describe(),
        "algorithm": repr(how),
        "costs": [cost if isinstance(cost, str) else name for cost, name in zip(request.costs, wanted.cost_names, strict=True)],
        "duplicates": request.duplicates,
        "start": None if start is None else [wanted.space.to_string(arch) for arch in start],
        "seed": request.seed,
        **({} if request.latency_table is None else {"latency_table": request.latency_table}),
        **scores,
    }
