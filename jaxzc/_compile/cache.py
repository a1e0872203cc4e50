"""Stores executables on disk, so that the next process reads them instead of tracing and compiling.

JAX's own compilation cache computes its key from the traced program, so it saves compilation but not tracing and lowering, which for the
full set of proxies take longer than reading the executable. Here the key is computed without tracing, from everything that the program
depends on: all source files of jaxzc and jaxzc_spaces, those of the package that a user's space or proxy comes from
(`jaxzc._compile.sources`), the versions of JAX, its compiler and Flax, the machine, the settings and the shapes. A function without a
source file (a lambda, a proxy typed into a notebook) has no such key, and is compiled in every process.
"""

import contextlib
import hashlib
import logging
import os
import pickle
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import serialize_executable
from jax.experimental.compilation_cache import compilation_cache

from jaxzc._compile import memory
from jaxzc._compile.platforms import compiler_options, platform_of
from jaxzc._compile.sources import OWN, VERSIONED, tell
from jaxzc._durable.files import replacing
from jaxzc._parallel.processors import processors
from jaxzc.types import JaxzcError

FLAGS: dict[str, Callable[[Any], contextlib.AbstractContextManager[Any]]] = {
    "jax_enable_x64": jax.enable_x64,
    "jax_default_matmul_precision": jax.default_matmul_precision,
    "jax_numpy_dtype_promotion": jax.numpy_dtype_promotion,
    "jax_default_prng_impl": jax.default_prng_impl,
    "jax_threefry_partitionable": jax.threefry_partitionable,
}
"""JAX flags that change a program, and the context manager that sets each."""

KEPT = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
"""JAX flags that say where compiled programs are kept."""

log = logging.getLogger("jaxzc")


class StoredFunction:
    """A jitted function whose executables, one for each combination of argument shapes, are stored on disk.

    They are stored in the directory of JAX's compilation cache; without one, nothing is stored.
    parts: everything that `function` depends on besides its arguments and the sources of jaxzc: numbers, text, frozen dataclasses,
    functions and containers of these. Where `sources.tell` cannot describe one of them, nothing is stored.
    Calling it raises `JaxzcError` where an executable needs more memory than there is.
    """

    def __init__(self, function: Callable[..., Any], *parts: Any):
        self.jitted, self.description, self.executables = jax.jit(function), tell(parts), dict[str, Any]()

    def __call__(self, *args: Any) -> Any:
        shapes = str(jax.tree.map(lambda a: (jnp.shape(a), str(jnp.result_type(a))), args)) + str(settings())
        if shapes not in self.executables:
            self.executables[shapes] = executable = self._executable(shapes, args)
            memory.check(planned(executable))
        return self.executables[shapes](*args)

    def _executable(self, shapes: str, args: Any) -> Any:
        if self.description is None:
            return compile_jitted(self.jitted, args)
        with own_cache() as folder:
            return read_or_compile(folder, f"{self.description}\n{shapes}", self.jitted, args)

    @property
    def memory(self) -> int:
        """Bytes that the largest executable so far needs; see `planned`."""
        return max(map(planned, self.executables.values()), default=0)

    @property
    def compilations(self) -> int:
        """Number of executables: one for each combination of argument shapes."""
        return len(self.executables)


def settings() -> tuple[Any, ...]:
    """The values of the JAX flags that change a program, in the order of `FLAGS`."""
    return tuple(getattr(jax.config, flag) for flag in FLAGS)


@contextlib.contextmanager
def under(values: Sequence[Any]) -> Iterator[None]:
    """Sets JAX's flags to values that `settings` returned, in another thread: JAX's context managers act on their own thread only."""
    with contextlib.ExitStack() as stack:
        for setting, value in zip(FLAGS.values(), values, strict=True):
            stack.enter_context(setting(value))
        yield


def carried() -> dict[str, Any]:
    """JAX's settings that this process has and another one needs, to compute the same and to keep its programs in the same place: what
    `carry` sets there."""
    return {name: getattr(jax.config, name) for name in (*FLAGS, *KEPT)}


def carry(values: Mapping[str, Any]) -> None:
    """Sets what `carried` returned in another process."""
    for name, value in values.items():
        jax.config.update(name, value)


def read_or_compile(folder: Path | None, description: str, jitted: Any, args: Sequence[Any]) -> Any:
    """The executable of a jitted function for arguments of these shapes, read from `folder`, or compiled and stored there.

    folder: as `own_cache` gives it; None: nothing is stored. description: equal for equal programs, different for different ones.
    """
    if folder is None:
        return compile_jitted(jitted, args)
    path = path_of(folder, description)
    executable = _read(path)
    if executable is None:
        executable = compile_jitted(jitted, args)
        with contextlib.suppress(JaxzcError), replacing(path) as file:  # a full disk is no reason not to score
            pickle.dump(serialize_executable.serialize(executable), file)
    return executable


def compile_jitted(jitted: Any, args: Sequence[Any]) -> Any:
    """The executable of a jitted function for arguments of these shapes, on the platform where they lie."""
    return jitted.lower(*args).compile(compiler_options=compiler_options(platform_of(args)))


def path_of(folder: Path, description: str) -> Path:
    """Where `read_or_compile` stores the executable of this description."""
    return folder / hashlib.sha256("\n".join((description, machine())).encode()).hexdigest()[:40]


def planned(executable: Any) -> int:
    """Bytes of an executable's arguments, results and temporaries, as the compiler planned them; 0 where the backend does not say."""
    plan = executable.memory_analysis()
    kinds = ("argument_size_in_bytes", "output_size_in_bytes", "temp_size_in_bytes")
    return sum(int(getattr(plan, kind, 0)) for kind in kinds)


@contextlib.contextmanager
def own_cache() -> Iterator[Path | None]:
    """The folder in which executables are stored, or None. Inside the context JAX's own compilation cache is off.

    It has to be off because XLA cannot serialise an executable that was read from JAX's cache; besides, one stored copy is enough."""
    folder = _folder()
    if folder is None:
        yield None
        return
    chosen = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    try:
        jax.config.update("jax_compilation_cache_dir", None)
        compilation_cache.reset_cache()
        yield folder
    finally:
        jax.config.update("jax_compilation_cache_dir", chosen)
        compilation_cache.reset_cache()


def _folder() -> Path | None:
    """The folder `programs` in JAX's compilation cache; None where there is no such cache, or the folder cannot be written."""
    chosen = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    if not chosen or "://" in str(chosen):
        return None
    folder = Path(chosen) / "programs"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return folder if os.access(folder, os.W_OK) else None


def _read(path: Path) -> Any:
    """The executable stored at `path`, or None where there is none or it cannot be read.

    The file is a pickle, as in JAX's own cache: whoever may write to the folder may run code in this process."""
    if not path.exists():
        return None
    _linear_algebra()
    try:
        return serialize_executable.deserialize_and_load(*pickle.loads(path.read_bytes()))
    except Exception as error:  # whatever is wrong with it: it can be compiled again
        log.warning("a stored program could not be read and is compiled again (%s: %s)", type(error).__name__, error)
        path.unlink(missing_ok=True)
        return None


@cache
def _linear_algebra() -> None:
    # JAX resolves LAPACK's addresses when it lowers a call, which a program that was read back never did.
    jax.jit(jnp.linalg.eigvalsh).lower(jax.ShapeDtypeStruct((1, 1), jnp.float32))


@cache
def machine() -> str:
    """Text that is equal for two processes only if one can run the executables of the other.

    It contains versions, compiler flags, device, processor, and a digest of the sources of jaxzc and jaxzc_spaces."""
    digest = hashlib.sha256()
    for name in OWN:
        with contextlib.suppress(ModuleNotFoundError):
            root = Path(str(import_module(name).__file__)).parent
            for path in sorted(root.rglob("*.py")):
                digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    device = jax.devices()[0]
    with contextlib.suppress(OSError):  # where there is none, the processor's name has to do
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        digest.update(
            "\n".join(next((x for x in lines if x.startswith(kind)), "") for kind in ("flags", "Features", "model name")).encode()
        )
    versions = [f"{name} {version(name)}" for name in VERSIONED]
    flags = [os.environ.get(name, "") for name in ("XLA_FLAGS", "JAX_DISABLE_MOST_OPTIMIZATIONS", "LIBTPU_INIT_ARGS")]
    facts = (device.platform, device.device_kind, str(jax.device_count()), platform.machine(), platform.python_version(), processors())
    return "\n".join(map(str, (*versions, *flags, *facts, digest.hexdigest())))
