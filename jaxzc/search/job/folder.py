"""A search kept in a directory: its settings, its state at most seconds old, and what it found.

search.json      settings; a search is resumed only with equal ones
state.npz        `jaxzc.search.State`
evaluated.parquet  every architecture evaluated, in order, with its parent's row
front.parquet    those that no other dominates in fitness and costs
winner.txt       the best one's string, readable as a file of architectures
winner.py        its network as Flax code that stands alone, where the space can write it
leases/          which process is at work in the directory
"""

import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from jaxzc import tables
from jaxzc._durable import lease as leases
from jaxzc._durable.files import replacing
from jaxzc._durable.keeper import Keeper
from jaxzc._durable.lease import Lease
from jaxzc._durable.store import store
from jaxzc.search.state import State, load, save
from jaxzc.search.stepping import Search
from jaxzc.training.export import code_of
from jaxzc.types import JaxzcError, Space

SETTINGS, STATE, CODE = "search.json", "state.npz", "winner.py"

SECONDS = 10.0
"""A state is written at most this often; what a killed process loses is scored again, with the same result."""


def begin(directory: Path, settings: Mapping[str, object], start: State, *, overwrite: bool = False) -> State:
    """The state to go on from: the one in `directory` if its search has the same settings (JSON), else `start`, in a new directory.

    Raises `JaxzcError`: a search with other settings is there (unless `overwrite`), the directory cannot be made or holds other things.
    """
    settings = json.loads(json.dumps(settings))
    path = directory / SETTINGS
    if path.is_file() and not overwrite:
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise JaxzcError(f"{path} is damaged ({error}): choose another directory, or add --overwrite") from error
        for name in settings | stored:
            old, new = stored.get(name), settings.get(name)
            if old != new:
                raise JaxzcError(
                    f"{directory} holds a search with {name} {old!r}, not {new!r}: choose another directory, or add --overwrite"
                )
        return load(directory / STATE) if (directory / STATE).is_file() else start
    if directory.exists() and not directory.is_dir():
        raise JaxzcError(f"{directory} is a file: name a directory for the search")
    if directory.is_dir() and not path.is_file() and any(directory.iterdir()):
        raise JaxzcError(f"the directory {directory} holds other files: name a new one for the search")
    try:
        directory.mkdir(exist_ok=True)
        (directory / STATE).unlink(missing_ok=True)  # before the settings, so that they never stand beside another search's state
        with replacing(path) as file:
            file.write(json.dumps(settings, indent=1).encode())
    except OSError as error:
        raise JaxzcError(f"the directory {directory} cannot be made ({error.strerror or error}): choose another place") from error
    return start


@contextmanager
def opened(
    directory: Path,
    settings: Mapping[str, object],
    start: State,
    *,
    overwrite: bool = False,
    note: Callable[[str], None] = lambda text: None,
) -> Iterator[State]:
    """`begin`, in a block in which no other process searches in the directory. SIGTERM and SIGINT end it with `Stopped`; note: told where a
    process of another machine is waited for. Raises `JaxzcError`, as `begin` or where another process is at work there."""
    lease = Lease(store(directory), "search", f"{directory} holds a search that is being run")
    is_new = not directory.exists()
    has_search = (directory / SETTINGS).is_file()  # where there is none, a lease would make the directory
    try:
        with Keeper(lease):
            if has_search:
                lease.take(note)
            state = begin(directory, settings, start, overwrite=overwrite)
            if not has_search:
                lease.take(note)
            yield state
    except JaxzcError:
        if not has_search and lease.taken and not (directory / STATE).exists():
            _take_back(directory, is_new)
        raise


def _take_back(directory: Path, is_new: bool) -> None:
    """Removes what `opened` left of a search that was refused before it had evaluated anything; made: the directory, too."""
    with suppress(OSError):
        (directory / SETTINGS).unlink()
        (directory / leases.FOLDER).rmdir()
        if is_new:
            directory.rmdir()


def saving(states: Iterator[State], directory: Path, seconds: float = SECONDS) -> Generator[State]:
    """The states, each written to the directory if the last write is `seconds` ago, and the last one always, whatever ends the loop."""
    written, state = time.monotonic(), None
    try:
        for state in states:
            yield state
            if time.monotonic() - written >= seconds:
                save(directory / STATE, state)
                written, state = time.monotonic(), None
    finally:
        if state is not None:
            save(directory / STATE, state)


def columns(search: Search, state: State, rows: np.ndarray | None = None) -> dict[str, Any]:
    """Columns of a table of the networks evaluated (`rows`: these only): `row`, `arch`, `parent` (a row, -1: none), `step`, every score,
    `fitness`, `params`, `flops`, `layers`, and the costs that are functions."""
    rows = np.arange(state.evaluated) if rows is None else rows
    problem, archs = search.problem, state.archs[rows]
    counts = problem.space.counts(archs)
    table = {
        "row": rows,
        "arch": [problem.space.to_string(arch) for arch in archs],
        "parent": state.parents[rows],
        "step": state.steps[rows],
        **{name: state.scores[rows, k] for k, name in enumerate(problem.scores)},
        "fitness": state.fitness[rows],
        **{name: np.asarray(values) for name, values in counts._asdict().items() if np.ndim(values)},
    }
    for k, name in enumerate(problem.cost_names):
        table.setdefault(name, state.costs[rows, k])
    return table


def write_results(directory: Path, search: Search, state: State, settings: Mapping[str, object]) -> int:
    """Writes the log, the front and the winner; returns the winner's row. Raises `JaxzcError` where nothing has a valid score."""
    metadata = {"settings": json.loads(json.dumps(settings)), "proxies": [*search.problem.scores, "fitness"]}
    tables.write_scores(directory / "evaluated.parquet", columns(search, state), metadata, overwrite=True)
    winner = search.best(state)
    tables.write_scores(directory / "front.parquet", columns(search, state, search.front(state)), metadata, overwrite=True)
    text = f"# the best of {state.evaluated} by {', '.join(search.problem.scores)}\n{search.problem.space.to_string(state.archs[winner])}\n"
    with replacing(directory / "winner.txt") as file:
        file.write(text.encode())
    return winner


def write_code(directory: Path, space: Space, winner: np.ndarray, note: Callable[[str], None]) -> None:
    """Writes the winner's network as code that stands alone; note: told why, where the space cannot write it."""
    try:
        code = code_of(space, winner)
    except JaxzcError as error:
        note(f"no {directory / CODE}: {error}")
        return
    with replacing(directory / CODE) as file:
        file.write(code.encode())
