"""Where a program's layers are read, and how their perturbations and records lie in the groups that taps know."""

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from jaxzc.networks.analysis.records import Analysis, Layer
from jaxzc.networks.traced.examples import Layout, Place
from jaxzc.networks.traced.tapped import Path
from jaxzc.networks.traced.taps import calls_first, unreadable
from jaxzc.types import Array, JaxzcError, LayerGroup, Tap

Sites: TypeAlias = dict[Path, tuple[int, Layer]]
"""Place in the program -> number of the layer's group, and the layer."""


def sites_of(groups: Sequence[LayerGroup], leaves: Sequence[int], analysis: Analysis, tap: Tap) -> Sites:
    """The sites of layers, in the order of execution; none without a tap for layers. `JaxzcError` for a layer that cannot be read.

    leaves: for each group, the number of its leaf among the parameters.
    """
    sites: Sites = {}
    for layer in analysis.layers if tap.layer is not None else ():
        group = leaves.index(layer.leaves[0])
        if layer.point is None:
            raise JaxzcError(f"layer {groups[group].name} {unreadable(layer.reason)}")
        sites[*layer.where.loops, layer.point.op] = group, layer
    return sites


def layer_places(sites: Sites) -> list[Place]:
    """Where the outputs of layers are read."""
    return [Place(site, None, layer.point.axes) for site, (_, layer) in sites.items() if layer.point]


def located(groups: Sequence[LayerGroup], sites: Sites, layouts: Mapping[Place, Layout | None]) -> Sites:
    """The sites with the axis of the examples before all others; `JaxzcError` where an output has none.

    layouts: of the examples, in the order in which a layer's point has the axes."""
    moved: Sites = {}
    for site, (group, layer) in sites.items():
        assert layer.point is not None
        layout, order = layouts[Place(site, None, layer.point.axes)], layer.point.axes
        what = f"the output of layer {groups[group].name}"
        if layout is None or layout.axis >= layer.point.rows:
            raise JaxzcError(f"{what} has no axis that holds the examples: leave out proxies that need activations")
        axis, runs = layout.checked(what)
        order = (order[axis], *order[:axis], *order[axis + 1 :])
        moved[site] = group, replace(layer, point=layer.point._replace(axes=order, runs=runs))
    return moved


def perturbations(groups: Sequence[LayerGroup], sites: Sites, tap: Tap) -> dict[Path, Any]:
    """Of each site, its calls' part of the group's perturbation, with one leading axis for each loop."""
    missing = [group.name for group in groups if tap.perturb is not None and group.name not in tap.perturb]
    if missing:
        raise JaxzcError(f"tap.perturb has no entry {missing[0]!r}: give one pytree for each layer group, by its name")
    parts: dict[Path, Any] = {}
    start = [0] * len(groups)
    for site, (group, layer) in sites.items() if tap.perturb is not None else ():
        lengths, first = layer.where.lengths, start[group]
        start[group] += math.prod(lengths)

        def part(leaf: Array, first: int = first, lengths: tuple[int, ...] = lengths) -> Array:
            return leaf[first : first + math.prod(lengths)].reshape(*lengths, *leaf.shape[1:])

        assert tap.perturb is not None
        parts[site] = jax.tree.map(part, tap.perturb[groups[group].name])
    return parts


def collected(groups: Sequence[LayerGroup], sites: Sites, records: Mapping[Path, Any]) -> OrderedDict[str, Any]:
    """Group's name -> records `[calls, ...]`; `JaxzcError` where a group's calls have outputs of several shapes."""
    by_group: list[list[Any]] = [[] for _ in groups]
    for site, (group, layer) in sites.items():
        by_group[group].append(calls_first(records[site], layer.where.lengths))
    for group, calls in zip(groups, by_group, strict=True):
        shapes = {tuple(leaf.shape[1:] for leaf in jax.tree.leaves(call)) for call in calls}
        if len(shapes) > 1:
            raise JaxzcError(
                f"layer {group.name} is used {len(calls)} times (tied weights) on values of several shapes, which are not one array: "
                "leave out proxies that need activations"
            )
    stacked = [calls[0] if len(calls) == 1 else jax.tree.map(lambda *parts: jnp.concatenate(parts), *calls) for calls in by_group]
    return OrderedDict((group.name, calls) for group, calls in zip(groups, stacked, strict=True))
