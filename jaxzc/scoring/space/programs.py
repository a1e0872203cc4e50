"""A cache of a space's compiled programs. It drops the least recently used ones, so that memory does not grow with the space."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
from jax.sharding import Mesh

from jaxzc._compile import memory
from jaxzc._compile.cache import StoredFunction
from jaxzc._compile.convolutions import rewritten
from jaxzc._compile.devices import mesh as mesh_of
from jaxzc._compile.devices import spread
from jaxzc._compile.pieces import Pieced
from jaxzc.ladder import terms
from jaxzc.ladder.program import StepsProgram
from jaxzc.scoring.lowering import does_not_lower, refused_alone
from jaxzc.scoring.results import Refusal
from jaxzc.scoring.space.recipe import Functions, SpaceRecipe
from jaxzc.spacekit.steps import WithSteps
from jaxzc.tasks import classification
from jaxzc.types import Batch

MOST = 32
"""Programs that the cache holds."""
MOST_IN_PIECES = 4
"""Programs in pieces that the cache holds. Each refers to a hundred pieces or more; assembling one again takes a second or two."""
CROWDED = 0.75
"""Share of the process's memory mappings above which the least recently used programs are dropped."""


Measured = StoredFunction | Pieced | StepsProgram
"""Functions that know how often they were compiled and what memory they need."""


class ProgramCache:
    """Compiles the functions of a space's programs, for one architecture or for several at a time on each device of the mesh.

    in_pieces: whether to compile in pieces; None: as each program says (`SpaceProgram.in_pieces`). With several devices it is always off.
    refused: proxies that this process's platform does not compile, and why; no program computes them.
    """

    def __init__(self, recipe: SpaceRecipe, mesh: Mesh, in_pieces: bool | None = None):
        self.recipe, self.mesh = recipe, mesh
        self._in_pieces = False if mesh.size > 1 else in_pieces
        self.refused: dict[str, Refusal] = {}
        self._executables: OrderedDict[tuple[tuple[int, ...], int], Functions] = OrderedDict()
        self._dropped_compilations = 0
        self._last: tuple[tuple[int, ...], StepsProgram | None] | None = None  # a call asks several times about one key

    def __getstate__(self) -> tuple[SpaceRecipe, int, bool | None]:
        """What is pickled: another process compiles for itself, on as many devices of its own."""
        return self.recipe, self.mesh.size, self._in_pieces

    def __setstate__(self, state: tuple[SpaceRecipe, int, bool | None]) -> None:
        recipe, devices, in_pieces = state
        self.__init__(recipe, mesh_of(devices), in_pieces)

    def __len__(self) -> int:
        """Number of programs in the cache."""
        return len(self._executables)

    def in_steps(self, key: tuple[int, ...]) -> StepsProgram | None:
        """The program with this key in steps (`jaxzc.ladder`), for which nothing is compiled but what is new in the whole space; None where
        the space, the options or a proxy do not allow it, or it was said how to compile, or on another platform than a CPU."""
        if self._last is None or self._last[0] != key:
            self._last = key, self._steps_of(key)
        return self._last[1]

    @property
    def takes_steps(self) -> bool:
        """Whether programs in steps are used where the space has steps for an architecture."""
        of, on_cpu = self.recipe, self.mesh.devices.flat[0].platform == "cpu"
        if self._in_pieces is not None or not on_cpu or not isinstance(of.space, WithSteps):
            return False
        return of.task == classification and of.norm == "batch" and terms.served(of.traced)

    def _steps_of(self, key: tuple[int, ...]) -> StepsProgram | None:
        of = self.recipe
        steps = of.space.steps(key) if self.takes_steps and isinstance(of.space, WithSteps) else None
        return None if steps is None else StepsProgram(steps, of.traced, of.init, of.task, of.norm, of.weights == "redrawn")

    def in_pieces(self, key: tuple[int, ...]) -> bool:
        """Whether the program with this key is compiled in pieces or steps. Such a program scores one architecture at a time."""
        if self.in_steps(key):
            return True
        return self.recipe.space.program(key).in_pieces if self._in_pieces is None else self._in_pieces

    def functions(self, key: tuple[int, ...], size: int = 1) -> Functions:
        """The compiled functions of the program with this key.

        size: architectures in one call. With more than one, arguments and results have a leading axis, split evenly over all devices; with
        one there is no such axis, and one device is used."""
        place = key, size
        if place not in self._executables:
            cut = self.in_pieces(key)
            most, share = (MOST_IN_PIECES, memory.CROWDED) if cut else (MOST, CROWDED)
            while self._executables and (len(self._executables) >= most or memory.crowded(share)):
                self.drop()
            self._executables[place] = self._compiled(key, size, cut)
        self._executables.move_to_end(place)
        return self._executables[place]

    def refuse(self, key: tuple[int, ...], batches: Sequence[Batch], error: Exception) -> None:
        """Leaves out the proxies that do not lower here. error: what JAX raised; raised again where it is none of theirs.

        Raises `JaxzcError` where a proxy that cannot be computed is an error (`SpaceRecipe.unavailable`)."""
        reasons = refused_alone(self.recipe.traced, lambda one: _lowered(replace(self.recipe, proxies=one), key, batches))
        if not reasons:
            raise error
        if self.recipe.unavailable == "error":
            raise does_not_lower(reasons, self.mesh.devices.flat[0].platform) from error
        self.refused |= {label: Refusal({reason: None}) for label, reason in reasons.items()}
        self.recipe = replace(self.recipe, proxies={label: p for label, p in self.recipe.proxies.items() if label not in reasons})
        self._executables.clear()

    def drop(self) -> None:
        """Drops the least recently used program."""
        _, functions = self._executables.popitem(last=False)
        self._dropped_compilations += _compilations(functions.score)

    def _compiled(self, key: tuple[int, ...], size: int, cut: bool) -> Functions:
        if size == 1 and (program := self.in_steps(key)):
            return Functions(program.draw, program)
        draw, score = self.recipe.functions(key, apart=cut)
        if size > 1:
            lanes = size // self.mesh.size
            score = spread(rewritten(score), (0, 0, None, None, 0), self.mesh, lanes)
            return Functions(spread(draw, (None, 0), self.mesh, lanes), score)
        if cut:  # drawing weights is not cut: all of it would be one piece, as long as the network
            return Functions(draw, Pieced(score))
        draw_parts, score_parts = self.recipe.parts(key)
        return Functions(StoredFunction(draw, "draw", *draw_parts), StoredFunction(rewritten(score), "score", *score_parts))

    @property
    def compilations(self) -> int:
        """Number of scoring programs compiled so far, or read from disk."""
        return self._dropped_compilations + sum(_compilations(functions.score) for functions in self._executables.values())

    @property
    def memory(self) -> int:
        """Bytes that the largest cached program needs for one architecture. Programs of several architectures are not counted."""
        functions = [function for pair in self._executables.values() for function in pair]
        return max((function.memory for function in functions if isinstance(function, Measured)), default=0)


def _lowered(recipe: SpaceRecipe, key: tuple[int, ...], batches: Sequence[Batch]) -> Any:
    """The scoring function of one architecture, lowered for this process's platform."""
    functions = recipe.functions(key)
    return jax.jit(functions.score).lower(*functions.shapes(len(recipe.space.choices), batches))


def _compilations(function: Any) -> int:
    return function.compilations if isinstance(function, Measured) else function._cache_size()
