"""Architectures spread over devices: a mesh with one axis `arch`, functions of one architecture mapped over it."""

from collections.abc import Callable
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
