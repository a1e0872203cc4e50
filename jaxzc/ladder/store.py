"""Compiled pieces: functions of arrays, by what they compute and the shapes of their arguments, from memory, from disk, or compiled.

A piece is named by a function of this package and its static arguments: `function(*statics)` is the function of arrays to compile. A dry
run, in which arrays are replaced by their shapes, says which pieces a program needs, so that they are compiled on all processors.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import jax

from jaxzc._compile import cache, memory
from jaxzc._compile.convolutions import rewritten
from jaxzc._compile.sources import tell
from jaxzc._parallel.processors import processors

Key = tuple[Any, ...]


class Pieces:
    """The pieces of this process. `pieces(function, statics, *arguments)` runs one; with `jax.ShapeDtypeStruct`s among the arguments it
    notes that the piece is needed and returns shapes."""

    def __init__(self) -> None:
        self.executables: OrderedDict[Key, Any] = OrderedDict()
        self.shapes: dict[Key, Any] = {}
        self.needed: dict[Key, tuple[Any, ...]] = {}
        self.stored: dict[Key, int] = {}
        """Bytes on disk of the pieces that are stored there."""
        self.live, self.most = 0, 0
        """Bytes of the results of a dry run that are referred to, now and at most so far."""
        self._lock = threading.Lock()
        """Held while a piece is looked up: architectures run side by side (`jaxzc.ladder.generation`)."""

    def __call__(self, function: Callable[..., Callable[..., Any]], statics: tuple[Any, ...], *arguments: Any) -> Any:
        leaves, structure = jax.tree.flatten(arguments)
        key = (function, statics, cache.settings(), structure, *((leaf.shape, leaf.dtype) for leaf in leaves))
        if any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in leaves):
            return self._shapes(key, arguments)
        with self._lock:
            if key not in self.executables:
                self._compile_all([(key, jax.tree.map(_shape, arguments))], 1)
            self.executables.move_to_end(key)
            executable = self.executables[key]
        return executable(*arguments)

    def on_host(self, result: Any) -> Any:
        """The result of what is computed without a piece; in a dry run its bytes are counted."""
        return _Value(result, self) if isinstance(result, jax.ShapeDtypeStruct) else result

    def _shapes(self, key: Key, arguments: tuple[Any, ...]) -> Any:
        if key not in self.shapes:
            self.shapes[key] = jax.eval_shape(key[0](*key[1]), *arguments)
        if key not in self.executables:
            self.needed.setdefault(key, jax.tree.map(_shape, arguments))
        return jax.tree.map(lambda shape: _Value(shape, self), self.shapes[key])

    def compile_needed(self, threads: int | None = None) -> int:
        """Compiles, or reads from disk, what dry runs found to be needed, on so many threads, or one for each processor.
        -> how many pieces these were"""
        needed = [(key, arguments) for key, arguments in self.needed.items() if key not in self.executables]
        self.needed.clear()
        self._compile_all(needed, threads or processors())
        return len(needed)

    def _compile_all(self, wanted: Iterable[tuple[Key, tuple[Any, ...]]], threads: int) -> None:
        wanted = list(wanted)
        if not wanted:
            return
        with cache.own_cache() as folder, ThreadPoolExecutor(threads) as pool:
            for (key, _), (executable, size) in zip(wanted, pool.map(partial(_compile, folder), wanted), strict=True):
                self.executables[key] = executable
                if size:
                    self.stored[key] = size
        memory.let_go(self.executables, len(wanted))


class _Value(jax.ShapeDtypeStruct):
    """A result of a dry run. Its bytes count as long as it is referred to, so that a dry run knows what a real one will hold."""

    __slots__ = ("pieces",)

    def __init__(self, of: jax.ShapeDtypeStruct, pieces: Pieces):
        super().__init__(of.shape, of.dtype)
        self.pieces = pieces
        pieces.live += self.size * self.dtype.itemsize
        pieces.most = max(pieces.most, pieces.live)

    def __del__(self) -> None:
        self.pieces.live -= self.size * self.dtype.itemsize


def _compile(folder: Path | None, wanted: tuple[Key, tuple[Any, ...]]) -> tuple[Any, int]:
    """The executable, and its bytes on disk, 0 where it is not stored."""
    (function, statics, settings, *_), arguments = wanted
    told = tell((function, *statics))
    folder, description = None if told is None else folder, f"{told}\n{arguments}\n{settings}"
    with cache.under(settings):
        executable = cache.read_or_compile(folder, description, jax.jit(rewritten(function(*statics))), arguments)
    path = None if folder is None else cache.path_of(folder, description)
    return executable, path.stat().st_size if path is not None and path.exists() else 0


def _shape(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)


PIECES = Pieces()
"""Of this process."""
