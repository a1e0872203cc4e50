"""A plan asked for by name: what `jaxzc plan` and a notebook call."""

import contextlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc._compile.devices import chunk_for, in_turn
from jaxzc.catalogue import spaces
from jaxzc.catalogue.costs import forward_passes
from jaxzc.catalogue.selection import ProxySpec, select
from jaxzc.definitions.facts import Proxy, Sizes
from jaxzc.planning.compiling import Planned, compiled, lowerable
from jaxzc.planning.targets import Target, target
from jaxzc.planning.writing import cache, writable, write
from jaxzc.scoring.space.recipe import SpaceRecipe
from jaxzc.spacekit import sample_at_most
from jaxzc.types import Batch, JaxzcError, Norm, Space, WithTask

SAMPLE = 200
"""Random architectures whose programs and sizes a plan looks at."""
HEADROOM = 0.9
"""Share of a device's memory that a plan fills; the rest is the runtime's."""


@dataclass(frozen=True)
class PlanRequest:
    """space: a name, or a space. platform: `tpu`, `cuda` or `cpu` (this machine's). topology: of TPUs, as `v5e:2x2`, or the name of a GPU
    (`jaxzc.planning.chips`); None: `v5e:2x2` or `h100`. chunks: architectures at a time on each device, a program for each; None: what a
    scorer takes on the platform. write: a directory into which the compiled programs are written, those of every host of the topology, as a
    compilation cache of JAX; None: none are. inputs, classes: of the data, for a space given by name, whose options are `options`. Others:
    as in `jaxzc.SpaceScorer`."""

    space: str | Space
    proxies: ProxySpec = "founding"
    platform: str = field(default="tpu", kw_only=True)
    topology: str | None = field(default=None, kw_only=True)
    chunks: Sequence[int] | None = field(default=None, kw_only=True)
    batch_size: int = field(default=64, kw_only=True)
    batches: int = field(default=2, kw_only=True)
    inputs: Sequence[int] = field(default=(32, 32, 3), kw_only=True)
    classes: int = field(default=10, kw_only=True)
    weights: str = field(default="redrawn", kw_only=True)
    init: str = field(default="torch", kw_only=True)
    norm: Norm = field(default="batch", kw_only=True)
    options: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    write: str | Path | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Plan:
    """programs: one for each chunk. proxies: how many scores. reasons: proxy -> why it does not lower for the platform; the programs leave
    it out, and its score would be NaN. sampled: how many random architectures were looked at. keys: how many programs they have;
    the plan is that of the commonest. flops: floating-point operations that one architecture's passes take (two for each
    multiply-accumulate of its layers), mean of the sample. written: how many compiled programs were written; None where none were asked
    for."""

    space: str
    target: Target
    proxies: int
    batch_size: int
    programs: tuple[Planned, ...]
    reasons: Mapping[str, str]
    sampled: int
    keys: int
    flops: float
    written: int | None = None

    @property
    def per_architecture(self) -> float | None:
        """Bytes that one more architecture takes: the slope between the smallest and the largest chunk, or, with one chunk, all that the
        program needs for each of its architectures. None where no program was compiled."""
        sizes = sorted((program.chunk, program.memory) for program in self.programs if program.memory is not None)
        if not sizes:
            return None
        (few, least), (many, most) = sizes[0], sizes[-1]
        return most / many if few == many or most <= least else (most - least) / (many - few)

    @property
    def fits(self) -> int | None:
        """The largest chunk that fits `HEADROOM` of a device's memory, reckoned from the programs; 0 where one architecture does not. None
        where memory is not known."""
        each, chip = self.per_architecture, self.target.chip
        known = [program for program in self.programs if program.memory is not None]
        if each is None or chip is None:
            return None
        smallest = min(known, key=lambda program: program.chunk)
        room = HEADROOM * chip.memory - (smallest.memory or 0)
        return max(smallest.chunk + math.floor(room / each), 0)

    @property
    def rate(self) -> float | None:
        """Architectures/s of one device, an estimate that nothing was run for: the chip's published peak of float32 divided by `flops`, or
        its memory's bandwidth by the bytes that the compiler counts in the best of the programs, whichever is less."""
        chip = self.target.chip
        if chip is None or not self.flops:
            return None
        one = in_turn(self.target.platform)  # a loop over a chunk's architectures, whose body the compiler counts once
        by_memory = [chip.bandwidth * (1 if one else program.chunk) / program.accessed for program in self.programs if program.accessed]
        return min(chip.float32 / self.flops, max(by_memory, default=math.inf))


def plan(request: PlanRequest | str | Space, *proxies: Any, **settings: Any) -> Plan:
    """Compiles the program that would score a space on a machine that need not be there, and reads the compiler's plan of it.

    >>> jaxzc.plan("nasbench201", "grad_norm,snip", platform="tpu", topology="v5e:2x2", chunks=(1, 16)).fits

    Nothing is run. Compiling the founding proxies takes one to several minutes. `pip install 'jaxzc[tpu-plan]'` has the TPU's compiler.
    Raises `JaxzcError` for unknown names, and options that cannot be used.
    """
    if not isinstance(request, PlanRequest):
        request = PlanRequest(request, *proxies, **settings)
    elif proxies or settings:
        raise JaxzcError("plan was given a PlanRequest and more: put all of it into the request")
    where = target(request.platform, request.topology)
    chunks = (chunk_for(where.platform),) if request.chunks is None else tuple(request.chunks)
    if not chunks or min(chunks) < 1:
        raise JaxzcError(f"chunks={chunks}: expected how many architectures a device takes at a time, at least 1")
    folder = None if request.write is None else writable(where, request.write)
    space = _space(request)
    if isinstance(space, WithTask):
        raise JaxzcError(f"{space.name} takes {space.inputs.dtype} {space.inputs.shape}: planning knows spaces of images only")
    chosen = select(request.proxies)
    recipe = SpaceRecipe(space, chosen, request.weights, request.init, norm=request.norm)
    sample = sample_at_most(space, np.random.default_rng(0), SAMPLE)
    keys, counts = np.unique(space.program_keys(sample), axis=0, return_counts=True)
    key = tuple(int(number) for number in keys[np.argmax(counts)])
    shape = space.inputs.batch(request.batch_size)
    batch = Batch(shape, jax.ShapeDtypeStruct((request.batch_size,), jnp.int32))
    batches = (batch,) * request.batches
    usable, reasons = lowerable(recipe, key, batches, where)
    with contextlib.nullcontext() if folder is None else cache(folder):
        programs = tuple(compiled(usable, key, batches, chunk, where) for chunk in chunks) if usable.traced else ()
    written = None if folder is None else write(usable, key, batches, programs, where, folder)
    flops = passes_flops(space, usable.traced.values(), sample, request.batch_size, request.batches)
    return Plan(space.name, where, len(chosen), request.batch_size, programs, reasons, len(sample), len(keys), flops, written)


def passes_flops(space: Space, proxies: Iterable[Proxy], archs: np.ndarray, batch_size: int, batches: int) -> float:
    """Floating-point operations, two for each multiply-accumulate, of the passes that the proxies need together: mean of the architectures
    int `[n, genes]`."""
    sizes = Sizes(batch_size, batches, space.classes, math.prod(space.inputs.shape[:-1]))
    multiplications = float(np.mean(np.asarray(space.counts(archs).flops, np.float64)))
    return 2 * batch_size * multiplications * forward_passes(*proxies, sizes=sizes)


def _space(request: PlanRequest) -> Space:
    if not isinstance(request.space, str):
        if request.options:
            raise JaxzcError(f"options {sorted(request.options)} are for a space given by name: make the space with them")
        return request.space
    spaces.check_options(request.space, request.options)
    return spaces.space(request.space, classes=request.classes, inputs=tuple(request.inputs), **request.options)
