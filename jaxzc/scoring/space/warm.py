"""Compiles ahead what a search in a space of free widths will need, so that it compiles next to nothing itself."""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from jaxzc._compile.platforms import here
from jaxzc._parallel.processors import usable
from jaxzc.ladder.store import PIECES
from jaxzc.scoring.space.scorer import SpaceScorer
from jaxzc.types import JaxzcError, Space

GROUP = 16
"""Architectures whose pieces are compiled side by side; a walk goes on from one of as many before it."""


class Warmed(NamedTuple):
    """architectures: looked at. pieces: that this process has needed so far. stored: of these on disk, with `bytes`. seconds: since the
    start."""

    architectures: int
    pieces: int
    stored: int
    bytes: int
    seconds: float


def walk(space: Space, rng: np.random.Generator, feasible: Callable[[np.ndarray], np.ndarray] | None = None) -> Iterator[np.ndarray]:
    """Architectures `[genes]` as a search meets them, without end: the space's initial one (else a random one), then mutants of one of the
    last `GROUP`. feasible: architectures `[n, genes]` -> bool `[n]`; those that are not are passed over."""
    recent = [np.asarray(getattr(space, "initial", None) if hasattr(space, "initial") else space.sample(rng, 1)[0])]
    yield recent[0]
    while True:
        child = space.mutate(rng, recent[rng.integers(len(recent))][None])
        if feasible is None or feasible(child)[0]:
            recent = [*recent[-GROUP + 1 :], child[0]]
            yield child[0]


def warm(scorer: SpaceScorer, archs: np.ndarray) -> Iterator[Warmed]:
    """Compiles the pieces of architectures `[n, genes]`, and stores them where compiled programs are kept. Several processes may do so.

    Yields what was done so far, after each `GROUP` of architectures. Raises `JaxzcError` for a space, a platform, options or proxies that
    are not scored in steps (`jaxzc.ladder`).
    """
    started, programs = time.perf_counter(), scorer.dispatcher.programs
    for start in range(0, len(archs), GROUP):
        for arch in archs[start : start + GROUP]:
            program = programs.in_steps(tuple(arch.tolist()))
            if program is None:
                raise JaxzcError(
                    f"{scorer.space.name} with {', '.join(scorer.proxies)} on {here()} has no pieces to compile ahead: "
                    "expected a space in steps (docs/spaces.md), such as mobilenetv2_zen, norm 'batch', and proxies that are sums over "
                    "layers, such as zico"
                )
            program.plan(scorer.batches)
        PIECES.compile_needed(len(usable()))  # also where NPROC says that a process is to have fewer
        sizes = PIECES.stored.values()
        yield Warmed(min(start + GROUP, len(archs)), len(PIECES.shapes), len(sizes), sum(sizes), time.perf_counter() - started)
