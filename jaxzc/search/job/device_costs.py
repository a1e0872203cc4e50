"""Costs that a device sets: latency and peak memory of a network's compiled forward pass, measured here, or latency from a table.

Measured costs compile every network that they are asked about, which takes seconds; a budget of them is for small searches, or for a table.
"""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxzc import tables
from jaxzc._compile.cache import compile_jitted, planned
from jaxzc._compile.convolutions import rewritten
from jaxzc.types import JaxzcError, Space

REPEATS = 20
"""Timed calls of a warm forward pass, of which the median counts."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What one forward pass of `space.module(arch)` takes on this machine, in evaluation mode, in the inputs' dtype, compiled and warm.

    batch: examples in it. Each architecture is measured once.
    """

    space: Space
    batch: int = 1
    known: dict[bytes, float] = field(default_factory=dict, repr=False)

    def __call__(self, archs: np.ndarray) -> np.ndarray:
        """Float64 `[n]` of architectures int32 `[n, genes]`. Raises `JaxzcError` for a space without modules."""
        for arch in archs:
            if arch.tobytes() not in self.known:
                self.known[arch.tobytes()] = self._one(arch)
        return np.array([self.known[arch.tobytes()] for arch in archs], np.float64)

    def _one(self, arch: np.ndarray) -> float:
        raise NotImplementedError

    def _compiled(self, arch: np.ndarray) -> tuple[Any, tuple[Any, Any]]:
        """The compiled forward pass, and its arguments."""
        make = getattr(self.space, "module", None)
        if make is None:
            raise JaxzcError(
                f"{self.space.name} gives no Flax modules, so nothing can be measured: write space.module(arch), or give a latency table"
            )
        module = make(arch)
        module.eval()
        graph, state = nnx.split(module)
        shape = self.space.inputs.batch(self.batch)
        arguments = state, jnp.zeros(shape.shape, shape.dtype)
        return compile_jitted(jax.jit(rewritten(lambda state, inputs: nnx.merge(graph, state)(inputs))), arguments), arguments


class Latency(Measured):
    """Milliseconds of the forward pass: the median of `REPEATS`."""

    __name__ = "latency"

    def _one(self, arch: np.ndarray) -> float:
        run, arguments = self._compiled(arch)
        jax.block_until_ready(run(*arguments))
        seconds = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            jax.block_until_ready(run(*arguments))
            seconds.append(time.perf_counter() - started)
        return 1e3 * statistics.median(seconds)


class PeakMemory(Measured):
    """Bytes that the compiler plans for the forward pass: weights, inputs, outputs and activations."""

    __name__ = "peak_memory"

    def _one(self, arch: np.ndarray) -> float:
        return float(planned(self._compiled(arch)[0]))


@dataclass(frozen=True, eq=False)
class TableLatency:
    """Latencies from a file with a column `arch`, as FILE:COLUMN (or FILE, whose column is then `latency`)."""

    space: Space
    source: str

    __name__ = "latency"

    @cached_property
    def values(self) -> Mapping[str, float]:
        path, _, column = self.source.rpartition(":")
        whole = not path or Path(self.source).exists()
        return tables.read_truth(self.source if whole else path, "latency" if whole else column)

    def __call__(self, archs: np.ndarray) -> np.ndarray:
        """Float64 `[n]` of architectures int32 `[n, genes]`; NaN, which keeps to no budget, for those that the table lacks. Raises
        `JaxzcError` where it lacks all."""
        names = [self.space.to_string(arch) for arch in archs]
        latencies = np.array([self.values.get(name, np.nan) for name in names], np.float64)
        if len(latencies) and np.isnan(latencies).all():
            raise JaxzcError(
                f"{self.source} has no latency of {names[0]!r}, nor of any other of {len(names)}: give a table of {self.space.name}"
            )
        return latencies


MEASURED = {"latency": Latency, "peak_memory": PeakMemory}
"""Name of a cost -> what measures it."""
