"""Scores many architectures of a space with few compiled programs, on one device or several."""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from jaxzc._compile.devices import chunk_for, mesh
from jaxzc._parallel.processors import processors
from jaxzc.catalogue.selection import ProxySpec, select
from jaxzc.definitions.facts import Ingredient, Proxy
from jaxzc.scoring.batches import Batches, batches_for
from jaxzc.scoring.network.doubts import warn_of_space
from jaxzc.scoring.options import options_of
from jaxzc.scoring.results import Refusal, Scores, Unavailable, to_scores
from jaxzc.scoring.space.dispatch import Dispatcher
from jaxzc.scoring.space.programs import ProgramCache
from jaxzc.scoring.space.recipe import Functions, SpaceRecipe
from jaxzc.spacekit import genes_of, key_of
from jaxzc.tasks import TASKS, Loss, Task, classification, named_task
from jaxzc.types import InitialiserSpec, Norm, Score, Space, WithTask


class SpaceScorer:
    """Scores architectures of a space. It compiles one program for each key of `Space.program_keys`.

    A score depends on the architecture, the batches and the seed, not on earlier calls or on the other architectures of a call.
    A scorer can be pickled, where its functions can: what it compiled stays behind.

    batches: all architectures are scored on these. proxies: as for `jaxzc.Scorer`.
    weights: `redrawn` for every architecture (the papers' protocol; the genes are folded into the key) or `shared` by all (common random
        numbers). The noise and the redrawn weights of some proxies follow the same rule.
    loss, task: as for `jaxzc.Scorer`; without both, the space's (`jaxzc.types.WithTask`), else classification.
    init: name of an initialiser (`jaxzc.numerics.initialisers`), or a function (key, shape, dtype) -> kernel, as `jax.nn.initializers` has.
    pieces: whether to compile in pieces that architectures have in common (`jaxzc._compile.pieces`). Default: as each program says
        (`SpaceProgram.in_pieces`). With several devices it is always off.
    devices: how many of this process's devices share the architectures of `many`.
    chunk: architectures that one device receives at a time (default: 16; on a CPU 1, or two for each processor where they are made of
        steps of padded widths and run side by side).
    lanes: how many of these one call of a program scores (default: 1 on a CPU, else all; always 1 in pieces).
        On a CPU, devices, chunk and lanes do not change a score, to the last bit; elsewhere rounding may differ.
    ingredients: functions of your own that compute what your proxies ask for (`jaxzc.ingredient`).
    unavailable: "error": a proxy that cannot be computed for an architecture (its network has no ReLU ...) is a `JaxzcError`; "nan": it is
        NaN, and the reason is in `reasons` of what `one`, `many` and `each` return.

    Raises `JaxzcError` for options that do not exist, and for more devices than there are. Scoring warns (`jaxzc.DoubtWarning`) at
    the first architecture of which the space says that a proxy tells little.
    """

    def __init__(
        self,
        space: Space,
        batches: Batches,
        proxies: ProxySpec = "founding",
        *,
        weights: str = "redrawn",
        init: InitialiserSpec = "torch",
        loss: Loss | None = None,
        task: Task | str | None = None,
        norm: Norm = "batch",
        devices: int = 1,
        chunk: int | None = None,
        lanes: int | None = None,
        pieces: bool | None = None,
        ingredients: Iterable[Ingredient] = (),
        unavailable: Unavailable = "error",
    ):
        own = TASKS[space.task] if isinstance(space, WithTask) else classification
        meant = named_task(loss, task) or own
        self.recipe = SpaceRecipe(space, select(proxies, ingredients), weights, init, meant, norm, unavailable)
        self.batches = batches_for(space, batches, self.recipe.task)
        self.doubts_told: set[str] = set()
        programs = ProgramCache(self.recipe, mesh(devices), pieces)
        on_cpu = programs.mesh.devices.flat[0].platform == "cpu"
        # Programs in steps run side by side, one on each processor; a second one each, so that none waits for the slowest.
        self.chunk = chunk or (2 * processors() if programs.takes_steps else chunk_for(programs.mesh.devices.flat[0].platform))
        # XLA's convolutions for CPUs are 30 to 100 times slower in a loop or a batch of networks: one network a program there.
        self.dispatcher = Dispatcher(programs, lanes or (1 if on_cpu else self.chunk))

    @property
    def space(self) -> Space:
        """The space whose architectures are scored."""
        return self.recipe.space

    @property
    def proxies(self) -> dict[str, Proxy]:
        """The proxies: label -> function, in the order of the scores."""
        return dict(self.recipe.proxies)

    @property
    def width(self) -> int:
        """The best number of architectures for one call of `many`: `chunk` for every device."""
        return self.chunk * self.dispatcher.programs.mesh.size

    @property
    def compilations(self) -> int:
        """Number of scoring programs compiled, or read from disk, by this scorer and its copies with other batches."""
        return self.dispatcher.programs.compilations

    @property
    def memory(self) -> int:
        """Bytes that the largest cached program needs for one architecture: weights, inputs, results and temporaries. Programs that score
        several architectures at a time are not counted."""
        return self.dispatcher.programs.memory

    def with_batches(self, batches: Batches) -> "SpaceScorer":
        """The same scorer with other batches. Both share compiled programs, of which batches are an argument."""
        other = copy.copy(self)
        other.batches = batches_for(self.space, batches, self.recipe.task)
        return other

    def narrower(self) -> "SpaceScorer | None":
        """The same scorer with half the chunk, for when memory runs out; None where a call scores one architecture already."""
        if self.dispatcher.lanes == 1:
            return None
        other = copy.copy(self)
        other.chunk = self.dispatcher.lanes // 2
        other.dispatcher = replace(self.dispatcher, lanes=other.chunk)
        return other

    def warn_of(self, archs: np.ndarray, stacklevel: int = 1) -> None:
        """Warns of the architectures `[n, genes]`, as scoring them would: each reason once in the life of a scorer and its copies."""
        warn_of_space(self.space, self.recipe.proxies, archs, self.doubts_told, stacklevel + 1)

    def programs(self, arch: np.ndarray) -> Functions:
        """The compiled functions that score this architecture `[genes]`, shared by all architectures with the same key."""
        return self.dispatcher.programs.functions(key_of(self.space, arch))

    def arrays(self, arch: np.ndarray, seed: int = 0) -> Mapping[str, Score | Refusal]:
        """Proxy -> value of one architecture `[genes]`, as numpy arrays of any shape, or with `unavailable="nan"` why there is none.
        Proxies that need counts only are left out."""
        self.warn_of(np.asarray(arch)[None], stacklevel=2)
        return self.dispatcher.one(np.asarray(arch), self.batches, seed) if self.recipe.traced else {}

    def one(self, arch: np.ndarray, seed: int = 0) -> Scores:
        """Proxy -> score of one architecture `[genes]`."""
        (counted,) = self.recipe.counted(np.asarray(arch)[None])
        return to_scores({**self.arrays(arch, seed), **counted}, self.recipe.proxies)

    def many(self, archs: np.ndarray, seed: int = 0) -> list[Scores]:
        """Proxy -> score, for each of the architectures `[n, genes]`, in their order. Those that share a program are scored together."""
        archs = np.atleast_2d(archs)
        self.warn_of(archs, stacklevel=2)
        counted = self.recipe.counted(archs)
        values = self.dispatcher.values(archs, self.batches, seed) if self.recipe.traced else [{} for _ in archs]
        return [to_scores({**scores, **known}, self.recipe.proxies) for scores, known in zip(values, counted, strict=True)]

    def each(self, archs: np.ndarray, seed: int = 0) -> Iterator[Scores]:
        """Yields proxy -> score for each of the architectures `[n, genes]`, in their order."""
        for start in range(0, len(archs), self.width):
            yield from self.many(archs[start : start + self.width], seed)


@options_of(SpaceScorer)
def score_space(
    space: Space, archs: Sequence[str] | np.ndarray, batches: Batches, proxies: ProxySpec = "founding", *, seed: int = 0, **options: Any
) -> dict[str, np.ndarray]:
    """Scores architectures of a space, a list of strings or genes `[n, genes]`: proxy -> float64 `[n]`.

    seed: of weights and noise; the other arguments are those of `jaxzc.SpaceScorer`.

    `jaxzc.run_scoring` does the same by names of the space and of the images, for several seeds, and in a directory survives interruptions.
    """
    scorer = SpaceScorer(space, batches, proxies, **options)
    rows = list(scorer.each(genes_of(space, archs), seed))
    return {label: np.array([row[label] for row in rows]) for label in scorer.proxies}
