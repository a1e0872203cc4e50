"""Groups architectures into calls of compiled programs, runs the calls on all devices, and returns one result per architecture."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc._compile.platforms import traced_for
from jaxzc.ladder.generation import score_generation
from jaxzc.ladder.program import StepsProgram
from jaxzc.scoring.results import Refusal
from jaxzc.scoring.space.programs import ProgramCache
from jaxzc.spacekit import key_of
from jaxzc.types import Batch, Score

AHEAD = 2
"""Calls that are started before the result of the earliest is fetched, so that no device waits for this process."""


class Call(NamedTuple):
    """One call of a program.

    key: of the program. size: architectures that the program takes. places: positions of the architectures to score, `[at most size]`."""

    key: tuple[int, ...]
    size: int
    places: np.ndarray


@dataclass(frozen=True)
class Dispatcher:
    """Sends architectures to their programs.

    lanes: architectures that one device scores at a time. A program in pieces always takes one."""

    programs: ProgramCache
    lanes: int = 1

    def calls(self, archs: np.ndarray) -> Iterator[Call]:
        """The calls that score architectures `[n, genes]`. The architectures of one call share a program."""
        keys, group = np.unique(self.programs.recipe.space.program_keys(archs), axis=0, return_inverse=True)
        for number, row in enumerate(keys if len(archs) else ()):
            key, places = tuple(row.tolist()), np.flatnonzero(group == number)
            size = (1 if self.lanes == 1 or self.programs.in_pieces(key) else self.lanes) * self.programs.mesh.size
            yield from (Call(key, size, places[i : i + size]) for i in range(0, len(places), size))

    def launch(self, call: Call, archs: np.ndarray, batches: Sequence[Batch], seed: int) -> Mapping[str, Score | Refusal]:
        """Starts a call and returns proxy -> value, arrays on the device that may not be finished, or why there is none.

        The values have a leading axis where the program takes several architectures. A call with fewer architectures than that is filled up
        with copies of its last one."""
        filled = archs[call.places[np.minimum(np.arange(call.size), len(call.places) - 1)]]
        genes, param_counts = jnp.asarray(filled, jnp.int32), self.programs.recipe.param_counts(filled)
        if call.size == 1:
            genes, param_counts = genes[0], param_counts[0]
        key = jax.random.key(seed)
        while True:
            functions = self.programs.functions(call.key, call.size)
            try:
                with traced_for(self.programs.mesh.devices.flat[0].platform):
                    values = functions.score(functions.draw(key, genes), genes, batches, key, param_counts)
            except NotImplementedError as error:  # an operation that JAX does not have on this platform
                self.programs.refuse(call.key, batches, error)
            else:
                return {**values, **self.programs.refused}

    def one(self, arch: np.ndarray, batches: Sequence[Batch], seed: int) -> Mapping[str, Score | Refusal]:
        """Proxy -> value of one architecture `[genes]`, as numpy arrays. Runs on one device, whatever `lanes` is."""
        call = Call(key_of(self.programs.recipe.space, arch), 1, np.zeros(1, int))
        return jax.device_get(self.launch(call, arch[None], batches, seed))

    def values(self, archs: np.ndarray, batches: Sequence[Batch], seed: int) -> list[Mapping[str, Score | Refusal]]:
        """For each of the architectures `[n, genes]`, in their order, a dictionary from proxy to value, as numpy arrays."""
        results: list[Mapping[str, Score | Refusal]] = [{}] * len(archs)
        calls = list(self.calls(archs))
        in_steps = self._in_steps(calls, batches) if self.programs.takes_steps else {}
        scored = score_generation(list(in_steps.values()), list(archs[list(in_steps)]), jax.random.key(seed), batches)
        for place, values in zip(in_steps, scored, strict=True):
            results[place] = values
        under_way: deque[tuple[Call, Mapping[str, Score | Refusal]]] = deque()

        def land() -> None:
            call, values = under_way.popleft()
            values = jax.device_get(values)
            for lane, place in enumerate(call.places):
                results[place] = values if call.size == 1 else jax.tree.map(lambda v, lane=lane: v[lane], values)

        for call in (call for call in calls if call.places[0] not in in_steps):
            under_way.append((call, self.launch(call, archs, batches, seed)))
            if len(under_way) >= AHEAD:
                land()
        while under_way:
            land()
        return results

    def _in_steps(self, calls: Sequence[Call], batches: Sequence[Batch]) -> dict[int, StepsProgram]:
        """Place of an architecture -> its program, of those that have one in steps."""
        programs: dict[int, StepsProgram] = {}
        for call in calls:
            if self.programs.in_steps(call.key):
                program = self.programs.functions(call.key).score
                assert isinstance(program, StepsProgram)
                program.plan(batches)  # before the cache drops it, which counts what was planned
                programs[int(call.places[0])] = program
        return programs
