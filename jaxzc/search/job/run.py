"""A whole search by name: what `jaxzc search` and a notebook call."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxzc._durable.keeper import Stopped
from jaxzc.catalogue.selection import ProxySpec
from jaxzc.search.job import folder
from jaxzc.search.job import request as requests
from jaxzc.search.job.request import SearchRequest
from jaxzc.search.job.scores import Scores, check_fitness, proxy_scores, table_scores
from jaxzc.search.state import State
from jaxzc.search.stepping import Search, run
from jaxzc.types import JaxzcError, Space

CHUNK = 8
"""Architectures scored between two looks at the clock and at Ctrl-C; with several processes, as many for each."""

OnState = Callable[[Search, State], None]
"""Told of the search before its first evaluation and after every few."""


@dataclass(frozen=True)
class SearchResult:
    """search, state: the search, and all networks that it evaluated. winner: the row of the best network. seconds: that this call took for
    its steps; scoring: the part of them that scoring took."""

    search: Search
    state: State
    winner: int
    seconds: float
    scoring: float

    @property
    def space(self) -> Space:
        """The space that was searched."""
        return self.search.problem.space

    @property
    def genes(self) -> np.ndarray:
        """Of the best network, int32 `[genes]`, as `space.module` takes them."""
        return self.state.archs[self.winner]

    @property
    def arch(self) -> str:
        """The string of the best network."""
        return self.space.to_string(self.genes)

    @property
    def scores(self) -> dict[str, float]:
        """Of the best network."""
        return {name: float(value) for name, value in zip(self.search.problem.scores, self.state.scores[self.winner], strict=True)}

    @property
    def front(self) -> dict[str, Any]:
        """Columns of a table of the networks that no other dominates in fitness and costs."""
        return folder.columns(self.search, self.state, self.search.front(self.state))

    @property
    def table(self) -> dict[str, Any]:
        """Columns of a table of all networks evaluated, in order (`jaxzc.search.job.folder.columns`)."""
        return folder.columns(self.search, self.state)


def run_search(
    request: SearchRequest | str | Space,
    fitness: ProxySpec | None = None,
    *,
    note: Callable[[str], None] = lambda text: None,
    progress: Callable[[str], None] = lambda text: None,
    on_state: OnState = lambda search, state: None,
    **settings: Any,
) -> SearchResult:
    """Searches a space for the best architecture: as a `SearchRequest` says, or what one is made of.

    >>> found = jaxzc.run_search("nasbench201", "naswot", budget="params<=1e6", evaluations=200)
    >>> jaxzc.train(found.space, found.genes).accuracy

    note: told of a search that goes on and of one that ends early. progress: as in `Search.ask`. With `out`, the directory holds what
    `jaxzc.search.job.folder` says and pictures; an interrupted call that is repeated goes on, with the result it would have had.
    A fitness that cannot be computed for some networks is NaN there, and these are never the best; `note` is told why.
    Raises `JaxzcError`: names that mean nothing, a budget that no architecture keeps to, a fitness that cannot be computed in the space, a
    directory that holds another search.
    """
    if not isinstance(request, SearchRequest):
        request = SearchRequest(request, fitness, **settings)
    elif fitness is not None or settings:
        also = ", ".join([*(["fitness"] if fitness is not None else []), *settings])
        raise JaxzcError(f"run_search was given a SearchRequest and also {also}: put that into the request")
    directory = None if request.out is None else Path(request.out)
    if directory is not None and not directory.absolute().parent.is_dir():
        raise JaxzcError(f"there is no directory {directory.absolute().parent} for {directory.name}: create it first")
    how, wanted = requests.algorithm(request), requests.fitness(request)
    space, (drawn,) = request.prepared(request.space, [request.seed])
    search = Search(requests.problem(request, space, wanted), how)
    start = requests.beginning(request, space)
    begun = search.init(request.seed, start)
    facts = requests.settings(request, search.problem, how, start, drawn.digest, wanted)
    chunk = CHUNK * requests.processes(request, how)

    def prepared(state: State, stack: contextlib.ExitStack) -> "tuple[_Clock, State]":
        """What scores, checked on the networks with which the search begins; and the state, in which these are pending."""
        if request.table is not None:
            return _Clock(table_scores(space, wanted.columns)), state
        scorer = request.scorer(space, drawn.batches, wanted.proxies, "nan")
        if not state.evaluated:
            archs, state = search.ask(state, progress)
            check_fitness(scorer, archs)
        return _Clock(stack.enter_context(proxy_scores(scorer, request.seed, request.processes, note))), state

    if directory is None:
        with contextlib.ExitStack() as stack:
            scored, state = prepared(begun, stack)
            states = run(search, state, scored, request.evaluations, chunk, progress)
            state, seconds = _searched(search, state, states, request.evaluations, on_state, note)
        return SearchResult(search, state, search.best(state), seconds, scored.seconds)
    with contextlib.ExitStack() as stack:
        state = stack.enter_context(folder.opened(directory, facts, begun, overwrite=request.overwrite, note=note))
        if state.evaluated:
            note(f"{directory}: going on after {state.evaluated} evaluations")
        scored, state = prepared(state, stack)
        states = folder.saving(run(search, state, scored, request.evaluations, chunk, progress), directory)
        with contextlib.closing(states):
            state, seconds = _searched(search, state, states, request.evaluations, on_state, note, directory)
        winner = folder.write_results(directory, search, state, facts)
        folder.write_code(directory, space, state.archs[winner], note)
        _draw(directory, search, state)
    return SearchResult(search, state, winner, seconds, scored.seconds)


def _searched(
    search: Search,
    state: State,
    states: Iterator[State],
    evaluations: int,
    on_state: OnState,
    note: Callable[[str], None],
    directory: Path | None = None,
) -> tuple[State, float]:
    """The last of the states, and the seconds that they took."""
    started = time.perf_counter()
    try:
        on_state(search, state)
        for state in states:
            on_state(search, state)
    except KeyboardInterrupt as error:
        if directory is None:
            raise
        message = f"{state.evaluated} evaluations are kept in {directory}: the same command goes on"
        raise Stopped(message, getattr(error, "code", 130)) from error
    if state.evaluated < evaluations:
        note(f"{search.problem.space.name} has no other architecture within {search.problem.describe()}: the search ends early")
    return state, time.perf_counter() - started


class _Clock:
    """Scores, and remembers how long that took."""

    def __init__(self, score: Scores):
        self.score, self.seconds = score, 0.0

    def __call__(self, archs: np.ndarray) -> np.ndarray:
        started = time.perf_counter()
        try:
            return self.score(archs)
        finally:
            self.seconds += time.perf_counter() - started


def _draw(directory: Path, search: Search, state: State) -> None:
    from jaxzc import report  # half a second of import that only the end needs
    from jaxzc.search import plots

    pictures = {"best_so_far": plots.plot_best_so_far(search, state)[0], "lineage": plots.plot_lineage(search, state)}
    for k, name in enumerate(search.problem.cost_names):
        pictures[f"fitness_against_{name}"] = plots.plot_fitness_against_cost(search, state, k)
    for name, axes in pictures.items():
        for kind in ("png", "pdf"):
            report.save(axes, directory / f"{name}.{kind}")
