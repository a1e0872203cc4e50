"""What a tap kept, as the lists that ingredients are: one entry per group, in the order of the network's groups."""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from jaxzc.types import RECTIFIERS, ActivationGroup, Array, JaxzcError, Network


def by_group(network: Network, records: Mapping[str, Any] | None) -> list[Any]:
    """Of the layers, in the order of `network.groups`; empty where nothing was kept."""
    return [] if records is None else [records[group.name] for group in network.groups]


def of_groups(network: Network, entries: Sequence[Any]) -> OrderedDict[str, Any]:
    """The reverse: layer group's name -> entry, as `Tap.perturb` is."""
    return OrderedDict((group.name, entry) for group, entry in zip(network.groups, entries, strict=True))


def rectifiers(network: Network, kinds: Collection[str] = RECTIFIERS) -> list[ActivationGroup]:
    """The groups of activation functions of these kinds. Default: the kinds with a binary code."""
    return [group for group in network.activations if group.kind in kinds]


def of_relus(
    network: Network,
    records: Mapping[str, Any] | None,
    asks: str = "the patterns of ReLU inputs",
    kinds: Collection[str] = RECTIFIERS,
) -> list[Any]:
    """The records of the rectifiers, or of activation functions of these kinds, in the order of execution; `JaxzcError` where there is
    none."""
    relus = [] if records is None else [records[group.name] for group in rectifiers(network, kinds)]
    if not relus and not set(kinds) <= RECTIFIERS:
        raise JaxzcError(f"needs {asks}, and this network has no {' or '.join(kinds)}")
    if not relus:
        raise JaxzcError(f"needs {asks}, and this network has no ReLU (GELU, SiLU and others have no binary code)")
    return relus


def on_calls(active: Array, calls: int) -> Array:
    """Whether layers exist, bool `[layers]`, for each of their calls `[calls]` (a layer that is used again has more of them)."""
    return active if len(active) == calls else jnp.tile(active, calls // len(active))
