"""Curves of a search as TensorBoard events: the score of every network, and of the best so far."""

import contextlib
import os
from collections.abc import Callable, Iterator

import numpy as np

from jaxzc.search.state import State
from jaxzc.search.stepping import Search
from jaxzc.training.curves import events


@contextlib.contextmanager
def curves(directory: str | os.PathLike[str]) -> Iterator[Callable[[Search, State], None]]:
    """What `jaxzc.run_search(on_state=...)` is to tell of every state: for each score NAME, by the number of evaluations, `score/NAME` of
    every network and `best/NAME` of the network that is the best so far.

    >>> with curves("runs/first") as told:
    ...     jaxzc.run_search("nasbench201", "naswot", on_state=told)

    A search that goes on writes what it had not. Raises `JaxzcError` where tensorboardX is not installed.
    """
    with events(directory) as writer:
        written: int | None = None

        def tell(search: Search, state: State) -> None:
            nonlocal written
            rows = range(state.evaluated if written is None else written, state.evaluated)
            for column, name in enumerate(search.problem.scores):
                for row in rows:
                    writer.add_scalar(f"score/{name}", state.scores[row, column], row + 1)
                if rows and np.isfinite(state.fitness).any():
                    writer.add_scalar(f"best/{name}", state.scores[int(np.nanargmax(state.fitness)), column], state.evaluated)
            written = state.evaluated

        yield tell
