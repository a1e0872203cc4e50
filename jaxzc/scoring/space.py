"""Scoring many architectures of a space with few compiled programs, on one device or several."""

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from jaxzc._compile.devices import CHUNK, mesh
from jaxzc.catalogue.selection import ProxySpec, select
from jaxzc.scoring.batches import Batches, checked_batches
from jaxzc.scoring.dispatch import Dispatcher
from jaxzc.scoring.programs import ProgramCache
from jaxzc.scoring.recipe import Functions, Recipe
from jaxzc.scoring.results import to_floats
from jaxzc.spacekit import key_of
from jaxzc.tasks import Task, classification
from jaxzc.types import Norm, Space


class SpaceScorer:
    """Scores architectures of a space with one compiled program for each key of `Space.program_keys`; calls are independent of each other.

    weights: `redrawn` for every architecture (the papers' protocol; the key is folded with the genes) or `shared` by all (common random
    numbers); noise and the weights that some proxies draw anew follow the same rule. init: name of an initialiser. The batches are fixed
    for the scorer's life.

    pieces: compile in pieces that other architectures have as well (`jaxzc._compile.pieces`), where there is one device; by default what
    each program says (`SpaceProgram.in_pieces`).

    devices: how many of this process's devices share the architectures of `many`. chunk: how many of them one device takes at a time
    (default: 1 on a CPU, 16 elsewhere). lanes: how many of these one program takes (default: 1 on a CPU, else all; always 1 in pieces).
    None of them changes a score on a CPU, to the last bit; elsewhere rounding may.

    ingredients: functions of the caller's own that make what the proxies ask for (`jaxzc.ingredient`).

    Raises `JaxzcError` for options that do not exist, and for more devices than there are.
    """

    def __init__(
        self,
        space: Space,
        batches: Batches,
        proxies: ProxySpec = "founding",
        *,
        weights: str = "redrawn",
        init: str = "torch",
        task: Task = classification,
        norm: Norm = "batch",
        devices: int = 1,
        chunk: int | None = None,
        lanes: int | None = None,
        pieces: bool | None = None,
        ingredients: Iterable[Callable[..., Any]] = (),
    ):
        self.recipe = Recipe(space, select(proxies, ingredients), weights, init, task, norm)
        self.batches = checked_batches(batches, space.classes, space.inputs.shape)
        programs = ProgramCache(self.recipe, mesh(devices), pieces)
        on_cpu = programs.mesh.devices.flat[0].platform == "cpu"
        self.chunk = chunk or (1 if on_cpu else CHUNK)
        # XLA's convolutions for CPUs are 30 to 100 times slower in a loop or a batch of networks: one network a program there.
        self.dispatcher = Dispatcher(programs, lanes or (1 if on_cpu else self.chunk))

    @property
    def space(self) -> Space:
        """The space whose architectures are scored."""
        return self.recipe.space

    @property
    def proxies(self) -> dict[str, Any]:
        """Label -> function, in the order of the scores."""
        return dict(self.recipe.proxies)

    @property
    def width(self) -> int:
        """Architectures that `many` takes best at a time: `chunk` for every device."""
        return self.chunk * self.dispatcher.programs.mesh.size

    @property
    def compilations(self) -> int:
        """Scoring programs compiled so far, or read from disk, by this scorer and those made of it with other batches."""
        return self.dispatcher.programs.compilations

    @property
    def memory(self) -> int:
        """Bytes that the largest compiled program at hand plans for one architecture: weights, inputs, results and temporaries. Those of
        several architectures at a time are not counted."""
        return self.dispatcher.programs.memory

    def with_batches(self, batches: Batches) -> "SpaceScorer":
        """The same scorer for other batches of the same shape; compiled programs, which take the batches as an argument, are shared."""
        other = copy.copy(self)
        other.batches = checked_batches(batches, self.space.classes, self.space.inputs.shape)
        return other

    def narrower(self) -> "SpaceScorer | None":
        """The same scorer with half the chunk, for when memory is short; None where a program takes one architecture already."""
        if self.dispatcher.lanes == 1:
            return None
        other = copy.copy(self)
        other.chunk = self.dispatcher.lanes // 2
        other.dispatcher = replace(self.dispatcher, lanes=other.chunk)
        return other

    def programs(self, arch: np.ndarray) -> Functions:
        """The compiled functions that score this architecture `[genes]` by itself: one pair for all that share its key."""
        return self.dispatcher.programs.functions(key_of(self.space, arch))

    def arrays(self, arch: np.ndarray, seed: int = 0) -> dict[str, Any]:
        """Proxy -> what it returns for one architecture `[genes]`, numpy arrays; those that need only counts left out."""
        return self.dispatcher.one(np.asarray(arch), self.batches, seed) if self.recipe.traced else {}

    def one(self, arch: np.ndarray, seed: int = 0) -> dict[str, float]:
        """Proxy -> score of one architecture `[genes]`."""
        (counted,) = self.recipe.counted(np.asarray(arch)[None])
        return to_floats({**self.arrays(arch, seed), **counted}, self.recipe.proxies)

    def many(self, archs: np.ndarray, seed: int = 0) -> list[dict[str, float]]:
        """Proxy -> score of architectures `[n, genes]`, in their order: one call for all devices and their chunks at a time, of
        architectures that share a program."""
        archs = np.atleast_2d(archs)
        counted = self.recipe.counted(archs)
        values = self.dispatcher.values(archs, self.batches, seed) if self.recipe.traced else [{} for _ in archs]
        return [to_floats({**scores, **known}, self.recipe.proxies) for scores, known in zip(values, counted, strict=True)]

    def each(self, archs: np.ndarray, seed: int = 0) -> Iterator[dict[str, float]]:
        """The scores of architectures `[n, genes]`, one after another."""
        for start in range(0, len(archs), self.width):
            yield from self.many(archs[start : start + self.width], seed)


def score_space(
    space: Space, archs: np.ndarray, batch: Batches, proxies: ProxySpec = "founding", *, seed: int = 0, **options: Any
) -> dict[str, np.ndarray]:
    """Scores architectures `[n, genes]` of a space: proxy -> float64 `[n]`. Options as for `SpaceScorer`."""
    scorer = SpaceScorer(space, batch, proxies, **options)
    rows = list(scorer.each(np.atleast_2d(archs), seed))
    return {label: np.array([row[label] for row in rows]) for label in scorer.proxies}
