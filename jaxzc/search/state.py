"""The state of a search: arrays only, never changed in place, saved and restored exactly."""

import os
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxzc._durable.files import replacing
from jaxzc.types import JaxzcError


class State(NamedTuple):
    """All that a search knows.

    seed, step: int64 scalars; the random numbers of a step are a function of both, and nothing else is random.
    archs: int32 `[n, genes]`, everything evaluated, in order. parents: int64 `[n]`, the row each was mutated from, -1 for none.
    steps: int64 `[n]`, the step in which it was asked for. scores: float64 `[n, scores]` as told, NaN and infinities included.
    costs: float64 `[n, costs]`. fitness: float64 `[n]`, higher is better, among all evaluated so far; NaN: never to be selected.
    population: int64 `[p]`, rows that the algorithm breeds from, in its own order.
    pending, pending_parents: asked for and not yet told, int32 `[k, genes]` and int64 `[k]`.
    keys: bytes `[n + k]`, sorted: what must not be asked for again.
    """

    seed: np.ndarray
    step: np.ndarray
    archs: np.ndarray
    parents: np.ndarray
    steps: np.ndarray
    scores: np.ndarray
    costs: np.ndarray
    fitness: np.ndarray
    population: np.ndarray
    pending: np.ndarray
    pending_parents: np.ndarray
    keys: np.ndarray

    @property
    def evaluated(self) -> int:
        """How many architectures have a score."""
        return len(self.archs)


def save(path: str | os.PathLike[str], state: State) -> None:
    """Writes the state to an npz file that appears complete or not at all. Raises `JaxzcError` where it cannot be written."""
    with replacing(Path(path)) as file:
        np.savez(file, **state._asdict())


def load(path: str | os.PathLike[str]) -> State:
    """The state that `save` wrote, every bit. Raises `JaxzcError` for a missing or damaged file."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return State(**archive)
    except FileNotFoundError as error:
        raise JaxzcError(f"there is no search state {path}: start a search first") from error
    except (OSError, ValueError, EOFError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise JaxzcError(f"the search state {path} cannot be read ({error}): delete it and search again") from error


def contains(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Bool `[m]`: which of `wanted [m]` are among the sorted `keys [n]`."""
    if not len(keys):
        return np.zeros(len(wanted), bool)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return keys[place] == wanted


def insert(keys: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The sorted keys with `new` among them."""
    new = np.sort(new)
    return np.insert(keys, np.searchsorted(keys, new), new)
