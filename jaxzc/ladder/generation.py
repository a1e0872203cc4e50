"""Several architectures made of steps at once: what is new to them is compiled together, then they run side by side.

Each of several processors runs an architecture of its own, so that none waits while another's Python goes from one call to the next: one
architecture keeps 1.15 processors busy (benchmarks/README.md, "Free widths"). Scores do not depend on it: a call computes the same whoever
calls.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax

from jaxzc._compile import cache, memory
from jaxzc._parallel.processors import processors
from jaxzc.ladder.program import StepsProgram
from jaxzc.types import Array, Batch, Genes


def score_generation(
    programs: Sequence[StepsProgram], archs: Sequence[Genes], key: Array, batches: Sequence[Batch]
) -> list[dict[str, Any]]:
    """For each of the architectures `[genes]`, label -> score as numpy arrays. programs: theirs, planned for the batches. key: of their
    weights."""
    if not programs:
        return []
    programs[0].pieces.compile_needed()
    at_once, settings = min(processors(), len(programs)), cache.settings()
    memory.check(at_once * max(program.memory for program in programs))

    def score(program: StepsProgram, arch: Genes) -> dict[str, Any]:
        genes = jax.numpy.asarray(arch, "int32")
        with cache.under(settings):
            return jax.device_get(program(program.draw(key, genes), genes, batches, key, None))

    if at_once < 2:
        return [score(program, arch) for program, arch in zip(programs, archs, strict=True)]
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(score, programs, archs))
