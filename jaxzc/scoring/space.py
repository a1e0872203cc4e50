"""Scoring many architectures of a space with one compiled program, on one device or several."""

import copy
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc._compile import memory, pieces
from jaxzc._compile.cache import Program
from jaxzc._compile.depthwise import rewritten
from jaxzc._compile.devices import CHUNK, mesh, spread
from jaxzc.catalogue.selection import ProxySpec, select
from jaxzc.ingredients import RESOLVER
from jaxzc.scoring.batches import Batches, checked_batches
from jaxzc.scoring.compute import compute_scores, counted_scores, traced_proxies
from jaxzc.scoring.results import to_floats
from jaxzc.tasks import Task, classification
from jaxzc.types import Array, Counts, JaxzcError, Keyed, Norm, Space

KEPT_PROGRAMS = 32
"""Compiled programs that a scorer holds at once; those used longest ago go first, so that memory does not grow with the number scored."""
KEPT_IN_PIECES = 4
"""The same of programs in pieces, each of which holds a hundred pieces or more; to put one together again takes a second or two."""
CROWDED = 0.75
"""Share of a process's memory mappings; where more is taken, the programs used longest ago go as well."""


def fold_in(key: Array, arch: Array) -> Array:
    """A key for one architecture: it depends on its genes, not on where in a list it stands."""
    for gene in arch:
        key = jax.random.fold_in(key, gene)
    return key


NOISE = 2**31 - 1
"""What the key of an architecture's weights is folded with to give the key of its noise and of weights drawn anew."""


def static_genes(space: Space) -> tuple[int, ...]:
    """Positions of the genes that shape a program (`Space.static_genes`); none where the space does not say."""
    return tuple(getattr(space, "static_genes", ()))


def has_programs(space: Space) -> bool:
    """Whether architectures of the space differ in their programs, so that `init` has to be told which one."""
    return bool(static_genes(space)) or hasattr(space, "program_keys")


def program_keys(space: Space, archs: np.ndarray) -> np.ndarray:
    """Int `[n, k]`: of architectures `archs [n, genes]`, those with equal rows share a program; k is 0 where all do."""
    return space.program_keys(archs) if hasattr(space, "program_keys") else archs[:, list(static_genes(space))]  # type: ignore[attr-defined]


def with_key(space: Space, arch: Array, key: tuple[int, ...]) -> Any:
    """Traced genes `[genes]` as the space's `init` and `network` take them, with what shapes the program as Python ints."""
    if not key:
        return arch
    if hasattr(space, "program_keys"):
        return Keyed(arch, key)
    known = dict(zip(static_genes(space), key, strict=True))
    return tuple(known.get(i, arch[i]) for i in range(len(space.choices)))


class Programs(NamedTuple):
    """Functions, compiled, of the architectures that share a program: `draw(key, arch)` -> parameters, and
    `score(params, arch, batches, key, param_count)` -> proxy -> value; the key is that of `draw`. Those of several architectures at a time
    take and give a leading axis."""

    draw: Any
    score: Any


AHEAD = 2
"""Calls that are under way before the result of the earliest is waited for, so that no device waits for this process."""


class SpaceScorer:
    """Scores architectures of a space with one compiled program (one for each of their keys, see `program_keys`); calls are independent of
    each other.

    weights: `redrawn` for every architecture (the papers' protocol; the key is folded with the genes) or `shared` by all (common random
    numbers); noise and the weights that some proxies draw anew follow the same rule. init: name of an initialiser. The batches are fixed
    for the scorer's life.

    pieces: compile in pieces that other architectures have as well (`jaxzc._compile.pieces`), where each has a program of its own and
    there is one device; by default what the space says (`Space.by_pieces`).

    devices: how many of this process's devices share the architectures of `many`. chunk: how many of them one device takes at a time
    (default: 1 on a CPU, 16 elsewhere). Neither changes a score on a CPU, to the last bit; elsewhere rounding may.

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
        pieces: bool | None = None,
        ingredients: Iterable[Callable[..., Any]] = (),
    ):
        if weights not in ("redrawn", "shared"):
            raise JaxzcError(f"weights={weights!r}: expected 'redrawn' (per architecture) or 'shared'")
        self.space, self.proxies = space, select(proxies, ingredients)
        RESOLVER.wanted(self.proxies)
        self.batches = checked_batches(batches, space.classes, space.image_shape)
        self.traced = traced_proxies(self.proxies)
        self.weights, self.init, self.task = weights, init, task
        self.norm: Norm = norm
        self.mesh = mesh(devices)
        on_cpu = self.mesh.devices.flat[0].platform == "cpu"
        self.pieces = self.mesh.size == 1 and (getattr(space, "by_pieces", False) if pieces is None else pieces)
        self.chunk = chunk or (1 if on_cpu or self.pieces else CHUNK)
        # XLA's convolutions for CPUs are 30 to 100 times slower in a loop or a batch of networks: one network a program there.
        self.lanes = 1 if on_cpu or self.pieces else self.chunk
        self._programs: OrderedDict[tuple[int, ...], Programs] = OrderedDict()
        self._wide: OrderedDict[tuple[int, ...], Programs] = OrderedDict()

    @property
    def width(self) -> int:
        """Architectures that `many` takes best at a time: `chunk` for every device."""
        return self.chunk * self.mesh.size

    def with_batches(self, batches: Batches) -> "SpaceScorer":
        """The same scorer for other images of the same shape; compiled programs, which take the images as an argument, are shared."""
        other = copy.copy(self)
        other.batches = checked_batches(batches, self.space.classes, self.space.image_shape)
        return other

    def narrower(self) -> "SpaceScorer | None":
        """The same scorer with half the chunk, for when memory is short; None where the chunk is 1 already."""
        if self.lanes == 1:
            return None
        other = copy.copy(self)
        other.chunk = other.lanes = self.lanes // 2
        other._wide = OrderedDict()
        return other

    def programs(self, arch: np.ndarray) -> Programs:
        """The compiled functions that score this architecture: one pair for all that share its key."""
        return self._kept(self._programs, arch, self._compile)

    def _kept(self, kept: OrderedDict[tuple[int, ...], Programs], arch: np.ndarray, compile_: Callable[..., Programs]) -> Programs:
        key = tuple(program_keys(self.space, np.asarray(arch)[None])[0].tolist())
        if key not in kept:
            most, share = (KEPT_IN_PIECES, pieces.CROWDED) if self.pieces else (KEPT_PROGRAMS, CROWDED)
            while kept and (len(kept) >= most or memory.crowded(share)):
                kept.popitem(last=False)
            kept[key] = compile_(key)
        kept.move_to_end(key)
        return kept[key]

    def _functions(self, shared: tuple[int, ...]) -> Programs:
        space = self.space

        def draw(key: Array, arch: Array) -> Any:
            key = fold_in(key, arch) if self.weights == "redrawn" else key
            return space.init(key, self.init, with_key(space, arch, shared)) if shared else space.init(key, self.init)

        def program(params: Any, arch: Array, batches: Any, key: Array, param_count: Any) -> Any:
            key = jax.random.fold_in(fold_in(key, arch) if self.weights == "redrawn" else key, NOISE)
            network = space.network(with_key(space, arch, shared))
            size = {"param_count": param_count}
            return compute_scores(self.traced, network, params, batches, self.task, self.norm, key, size, unavailable="error")

        return Programs(draw, program)

    def _compile(self, shared: tuple[int, ...]) -> Programs:
        draw, program = self._functions(shared)
        if self.pieces:  # drawing the weights would be one piece as long as the network; with a key at hand it is numpy's
            return Programs(draw, pieces.Pieced(program))
        made_of = (self.space, shared, self.weights, self.init, self.norm, self.task, self.traced)
        return Programs(Program(draw, "draw", *made_of[:4]), Program(rewritten(program), "score", *made_of))

    def _compile_wide(self, shared: tuple[int, ...]) -> Programs:
        """The same for `lanes` architectures on each device."""
        draw, program = self._functions(shared)
        score = spread(rewritten(program), (0, 0, None, None, 0), self.mesh, self.lanes)
        return Programs(spread(draw, (None, 0), self.mesh, self.lanes), score)

    @property
    def memory(self) -> int:
        """Bytes that the largest compiled program so far plans for one architecture: weights, images, results and temporaries. Those of
        several architectures at a time are not counted."""
        return max((getattr(function, "memory", 0) for programs in self._programs.values() for function in programs), default=0)

    def arrays(self, arch: np.ndarray, seed: int = 0) -> dict[str, Any]:
        """Proxy -> what it returns for one architecture `[genes]`, numpy arrays; those that need only counts left out."""
        return jax.device_get(self._launch(arch, seed)) if self.traced else {}

    def _launch(self, arch: np.ndarray, seed: int) -> Any:
        key = jax.random.key(seed)
        genes, programs, (size,) = jnp.asarray(arch, jnp.int32), self.programs(arch), self._param_counts(np.asarray(arch)[None])
        return programs.score(programs.draw(key, genes), genes, self.batches, key, size)

    def _launch_wide(self, archs: np.ndarray, seed: int) -> Any:
        """Values with a leading axis of `lanes` x devices; what is beyond `archs [n, genes]` repeats the last one."""
        key = jax.random.key(seed)
        filled = archs[np.minimum(np.arange(self.lanes * self.mesh.size), len(archs) - 1)]
        genes, programs = jnp.asarray(filled, jnp.int32), self._kept(self._wide, archs[0], self._compile_wide)
        return programs.score(programs.draw(key, genes), genes, self.batches, key, self._param_counts(filled))

    def _param_counts(self, archs: np.ndarray) -> np.ndarray:
        return np.asarray(self.space.counts(archs).params, np.float32)

    def one(self, arch: np.ndarray, seed: int = 0) -> dict[str, float]:
        """Proxy -> score of one architecture `[genes]`."""
        counts = Counts(*(c[0] for c in self.space.counts(np.asarray(arch)[None])))
        return to_floats({**self.arrays(arch, seed), **counted_scores(self.proxies, counts)}, self.proxies)

    def many(self, archs: np.ndarray, seed: int = 0) -> list[dict[str, float]]:
        """Proxy -> score of architectures `[n, genes]`, in their order: one call for all devices and their chunks at a time, of
        architectures that share a program."""
        archs = np.atleast_2d(archs)
        values: list[Any] = [{}] * len(archs)
        under_way: deque[tuple[np.ndarray, Any]] = deque()

        def land() -> None:
            places, made = under_way.popleft()
            made = jax.device_get(made)
            for lane, place in enumerate(places):
                values[place] = made if self.lanes * self.mesh.size == 1 else jax.tree.map(lambda v, lane=lane: v[lane], made)

        for places in self._calls(archs) if self.traced else ():
            wide = self.lanes * self.mesh.size > 1
            under_way.append((places, self._launch_wide(archs[places], seed) if wide else self._launch(archs[places[0]], seed)))
            if len(under_way) >= AHEAD:
                land()
        while under_way:
            land()
        counts = self.space.counts(archs)
        counted = [counted_scores(self.proxies, Counts(*(c[i] for c in counts))) for i in range(len(archs))]
        return [to_floats({**made, **known}, self.proxies) for made, known in zip(values, counted, strict=True)]

    def _calls(self, archs: np.ndarray) -> Iterator[np.ndarray]:
        """Places in `archs` of those that go into one call."""
        size = self.lanes * self.mesh.size
        _, group = np.unique(program_keys(self.space, archs), axis=0, return_inverse=True)
        for number in range(group.max(initial=-1) + 1):
            places = np.flatnonzero(group == number)
            yield from (places[i : i + size] for i in range(0, len(places), size))

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
