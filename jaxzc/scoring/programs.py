"""The compiled programs of a recipe, held by their keys; those used longest ago go first, so that memory does not grow."""

from collections import OrderedDict
from typing import Any

from jax.sharding import Mesh

from jaxzc._compile import memory, pieces
from jaxzc._compile.cache import StoredFunction
from jaxzc._compile.depthwise import rewritten
from jaxzc._compile.devices import spread
from jaxzc._compile.pieces import Pieced
from jaxzc.scoring.recipe import Functions, Recipe

MOST = 32
"""Programs that are held at once."""
MOST_IN_PIECES = 4
"""The same of programs in pieces, each of which holds a hundred pieces or more; to put one together again takes a second or two."""
CROWDED = 0.75
"""Share of a process's memory mappings; where more is taken, the programs used longest ago go as well."""


class ProgramCache:
    """Gives the compiled functions of a program: of one architecture, or of several at a time on each device of the mesh.

    in_pieces: whether to compile in pieces; None: what each program says. With several devices nothing is compiled so.
    """

    def __init__(self, recipe: Recipe, mesh: Mesh, in_pieces: bool | None = None):
        self.recipe, self.mesh = recipe, mesh
        self._in_pieces = False if mesh.size > 1 else in_pieces
        self._held: OrderedDict[tuple[tuple[int, ...], int], Functions] = OrderedDict()
        self._gone = 0

    def __len__(self) -> int:
        """How many programs are held."""
        return len(self._held)

    def in_pieces(self, key: tuple[int, ...]) -> bool:
        """Whether the program with this key is compiled in pieces, and so of one architecture at a time."""
        return self.recipe.space.program(key).in_pieces if self._in_pieces is None else self._in_pieces

    def functions(self, key: tuple[int, ...], size: int = 1) -> Functions:
        """Of `size` architectures at a time, in equal parts on all devices, with a leading axis; or of one, on one device, without."""
        place = key, size
        if place not in self._held:
            cut = self.in_pieces(key)
            most, share = (MOST_IN_PIECES, pieces.CROWDED) if cut else (MOST, CROWDED)
            while self._held and (len(self._held) >= most or memory.crowded(share)):
                self.drop()
            self._held[place] = self._compiled(key, size, cut)
        self._held.move_to_end(place)
        return self._held[place]

    def drop(self) -> None:
        """Lets the program go that was used longest ago."""
        _, functions = self._held.popitem(last=False)
        self._gone += _compilations(functions.score)

    def _compiled(self, key: tuple[int, ...], size: int, cut: bool) -> Functions:
        draw, score = self.recipe.functions(key)
        if size > 1:
            lanes = size // self.mesh.size
            score = spread(rewritten(score), (0, 0, None, None, 0), self.mesh, lanes)
            return Functions(spread(draw, (None, 0), self.mesh, lanes), score)
        if cut:  # drawing the weights would be one piece as long as the network; with a key at hand it is numpy's
            return Functions(draw, Pieced(score))
        of_draw, of_score = self.recipe.parts(key)
        return Functions(StoredFunction(draw, "draw", *of_draw), StoredFunction(rewritten(score), "score", *of_score))

    @property
    def compilations(self) -> int:
        """Scoring programs compiled so far, or read from disk."""
        return self._gone + sum(_compilations(functions.score) for functions in self._held.values())

    @property
    def memory(self) -> int:
        """Bytes that the largest program held plans for one architecture; those of several architectures at a time are not counted."""
        functions = [function for pair in self._held.values() for function in pair]
        return max((function.memory for function in functions if isinstance(function, StoredFunction | Pieced)), default=0)


def _compilations(function: Any) -> int:
    return function.compilations if isinstance(function, StoredFunction | Pieced) else function._cache_size()
