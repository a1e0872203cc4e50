"""Architectures spread over devices: a mesh with one axis `arch`, functions of one architecture mapped over it; and processors: counted,
and BLAS held to one thread on each."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxzc._compile.platforms import compiler_options
from jaxzc.types import JaxzcError

CHUNK = 16
"""Architectures that a GPU or TPU scores at a time unless told otherwise. On a CPU it is 1."""


def chunk_for(platform: str) -> int:
    """How many networks a device of this platform scores at a time unless told otherwise."""
    return 1 if platform == "cpu" else CHUNK


def in_turn(platform: str) -> bool:
    """Whether a device of this platform runs the architectures of one call one after another, and not side by side."""
    return platform == "tpu"


def mesh(devices: int) -> Mesh:
    """The first devices of this process, as one axis `arch`. Raises `JaxzcError` where there are not so many."""
    local = jax.local_devices()
    if not 1 <= devices <= len(local):
        hint = f"; XLA_FLAGS=--xla_force_host_platform_device_count={devices} simulates them" if local[0].platform == "cpu" else ""
        raise JaxzcError(f"devices={devices}: this process has {len(local)} ({local[0].platform}): ask for 1 to {len(local)}{hint}")
    return Mesh(np.array(local[:devices]), ("arch",))


def spread(function: Callable[..., Any], axes: tuple[int | None, ...], mesh: Mesh, lanes: int) -> Any:
    """`function` of one architecture, compiled for `lanes` x devices of them: arguments of axis 0, and all results, get a leading axis of
    that size; arguments of axis None are the same for all. Every device runs its own lanes and no other's: nothing is communicated.

    A GPU runs its lanes side by side, so that each of its many small programs does more. A TPU runs them in turn: it needs the memory of
    one, computes only the chosen branch of a `switch`, and its convolutions have one set of weights."""
    specs = tuple(P() if axis is None else P("arch") for axis in axes)
    if lanes == 1:
        mapped = _single(function, axes)
    elif in_turn(mesh.devices.flat[0].platform):
        mapped = _in_turn(function, axes)
    else:
        mapped = jax.vmap(function, axes)
    options = compiler_options(mesh.devices.flat[0].platform)
    return jax.jit(jax.shard_map(mapped, mesh=mesh, in_specs=specs, out_specs=P("arch"), check_vma=False), compiler_options=options)


def _single(function: Callable[..., Any], axes: tuple[int | None, ...]) -> Callable[..., Any]:
    """One lane without `vmap`, which would make the program another one (on CPUs a slow one)."""

    def only(*arguments: Any) -> Any:
        first = (a if axis is None else jax.tree.map(lambda v: v[0], a) for a, axis in zip(arguments, axes, strict=True))
        return jax.tree.map(lambda v: jnp.asarray(v)[None], function(*first))

    return only


def _in_turn(function: Callable[..., Any], axes: tuple[int | None, ...]) -> Callable[..., Any]:
    """Lanes one after another."""

    def run(*arguments: Any) -> Any:
        def one(own: list[Any]) -> Any:
            lane = iter(own)
            return function(*(a if axis is None else next(lane) for a, axis in zip(arguments, axes, strict=True)))

        return jax.lax.map(one, [a for a, axis in zip(arguments, axes, strict=True) if axis is not None])

    return run


def processors() -> int:
    """Of this process, as XLA counts them for its threads: the environment variable NPROC, or those it may run on."""
    told = os.environ.get("NPROC", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    return len(usable())


def usable() -> list[int]:
    """Numbers of the processors that this process may run on."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


class _OneThread:
    """Holds BLAS to one thread while anybody is inside."""

    def __init__(self) -> None:
        self.inside, self.lock = 0, threading.Lock()
        self.limits: Any = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self.lock:
            if not self.inside:
                from threadpoolctl import threadpool_limits  # here, for a program that is whole needs none

                self.limits = threadpool_limits(1, user_api="blas")
            self.inside += 1
        try:
            yield
        finally:
            with self.lock:
                self.inside -= 1
                if not self.inside:
                    self.limits.restore_original_limits()


one_blas_thread = _OneThread()
"""A context in which BLAS and LAPACK run on the thread that calls them. Threads of BLAS beside those of XLA, of other processes or of our
own wait for each other: with one of two processors busy, singular values of 136 x 768 took 4 ms on one thread and 10 to 1,100 on two."""
