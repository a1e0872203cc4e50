"""Compiled programs written ahead into a directory that is JAX's compilation cache, for hosts that are not there yet.

A host finds a program in JAX's cache by a key of the lowered program, of JAX's and the compiler's versions, of the kind of machine and of
the numbers of its devices. The last are different on every host of a slice, so each host has programs of its own here; nothing else
differs between them.
"""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

import jax
from jax.experimental.compilation_cache import compilation_cache

from jaxzc.planning.compiling import Planned, lowered_beside
from jaxzc.planning.targets import Target
from jaxzc.scoring.space.recipe import SpaceRecipe
from jaxzc.types import Batch, JaxzcError

EVERYTHING = {"jax_persistent_cache_min_compile_time_secs": 0.0, "jax_persistent_cache_min_entry_size_bytes": -1}
"""JAX's options by which its cache takes every program, however short or small it is."""
SETTINGS = ("jax_compilation_cache_dir", *EVERYTHING)


def writable(target: Target, folder: str | Path) -> Path:
    """The folder, made where it is not there. Raises `JaxzcError` where the target is no TPU or the folder cannot be written."""
    if target.platform != "tpu":
        raise JaxzcError(f"write={str(folder)!r}: programs are compiled ahead for TPUs only; for {target.platform} leave it out")
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JaxzcError(f"write={str(folder)!r} is no directory that can be written ({error.strerror}): name another") from error
    return path


def write(
    recipe: SpaceRecipe, key: tuple[int, ...], batches: tuple[Batch, ...], programs: tuple[Planned, ...], target: Target, folder: Path
) -> int:
    """Compiles into the folder what a job runs besides the programs that were planned, which lie there: they were compiled in `cache`.

    Returns how many there are in all. Programs that the compiler refused are left out."""
    accepted = [program for program in programs if program.error is None]
    count = len(accepted)
    for program in accepted:
        for lowered in lowered_beside(recipe, key, batches, program.chunk, target):
            with cache(folder):
                lowered.compile()
            count += 1
    return count


@contextlib.contextmanager
def cache(folder: Path) -> Iterator[None]:
    """Inside the context, JAX writes every program that it compiles into the folder.

    A TPU's compiler without a TPU cannot read what lies there: JAX warns, compiles again, and keeps what was there."""
    before = {name: getattr(jax.config, name) for name in SETTINGS}
    try:
        for name, value in {SETTINGS[0]: str(folder), **EVERYTHING}.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Error reading persistent compilation cache entry")
            yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()
