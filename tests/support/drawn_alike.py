"""What proxies draw at random, for an architecture's discrete network as for the program that it shares.

Kernels and probes are drawn by groups of layers and maps, and the two networks have other groups: drawn for the program, and given to the
discrete network, they are the same."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.definitions.facts import Proxy
from jaxzc.ingredients import RESOLVER
from jaxzc.scoring.compute import compute_scores
from jaxzc.spacekit import program_of
from jaxzc.tasks import Task, classification
from jaxzc.types import Batch, Space


def reader(name: str) -> Any:
    """A proxy that returns one ingredient as it is."""

    def read(value: Any) -> Any:
        return value

    parameter = inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    read.__signature__ = inspect.Signature([parameter])  # type: ignore[attr-defined]
    return read


def ingredients(
    names: Iterable[str],
    network: Any,
    params: Any,
    batches: tuple[Batch, ...],
    key: Any,
    fixed: Any,
    task: Task = classification,
) -> dict[str, Any]:
    """Ingredients of a network, by name."""
    return compute_scores({name: reader(name) for name in names}, network, params, batches, task, key=key, fixed=fixed)


def drawn_alike(
    space: Space, arch: np.ndarray, params: Any, proxies: Mapping[str, Proxy], batches: tuple[Batch, ...], key: Any
) -> dict[str, Any]:
    """The ingredients that these proxies draw anew from this key, for the discrete network. params: of the program."""
    program, network = program_of(space, arch), space.network(arch)
    names = [name for name in RESOLVER.wanted(proxies) if name.endswith("_params") or name == "az_probes"]
    if not names:
        return {}
    genes = jnp.asarray(arch, jnp.int32)
    values = jax.jit(lambda params: ingredients(names, program.network(genes), params, batches, key, {}))(params)

    def cut(params: Any) -> Any:
        return program.discrete_params(params, arch)

    given = {name: (jax.vmap(cut) if name == "swap_params" else cut)(values[name]) for name in names if name != "az_probes"}
    if "az_probes" in names:
        probes = iter([probe for group in values["az_probes"] for probe in group])
        given["az_probes"] = [jnp.stack([next(probes) for _ in maps]) for maps in network.blueprint.maps]  # type: ignore[attr-defined]
    return given
