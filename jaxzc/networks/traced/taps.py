"""Calling taps inside a running program: bringing values into the layout that taps see, and back."""

import math
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.networks.analysis.records import Analysis, Point
from jaxzc.networks.traced.examples import Layout, Place, apart, together
from jaxzc.networks.traced.tapped import Look, Path
from jaxzc.types import RECTIFIERS, Array, JaxzcError, Tap


def activation_places(analysis: Analysis, tap: Tap) -> list[Place]:
    """Where the inputs of activation functions are read."""
    acts = analysis.activations if tap.activation is not None else []
    return [Place((*act.where.loops, act.op), act.position) for act in acts if not act.where.reason]


def activation_taps(analysis: Analysis, tap: Tap, batch: int, layouts: Mapping[Place, Layout | None]) -> dict[Path, Look]:
    """What to do before which operation; `JaxzcError` for a rectifier that cannot be read. Other activation functions that cannot be are
    left out: no code is read there. layouts: of the examples."""
    looks: dict[Path, Look] = {}
    for act in analysis.activations if tap.activation is not None else ():
        coded = act.kind in RECTIFIERS
        if act.where.reason and not coded:
            continue
        if act.where.reason:
            raise JaxzcError(f"a ReLU {unreadable(act.where.reason)}")

        layout = layouts[Place((*act.where.loops, act.op), act.position)]
        if not coded and (layout is None or not layout.runs):
            continue

        def look(values: Sequence[Any], position: int = act.position, coded: bool = coded, layout: Layout | None = layout) -> Any:
            value = values[position]
            if not coded and (layout is None or value.ndim == 0 or value.shape[layout.axis] % batch):
                return None
            assert tap.activation is not None
            return tap.activation(_batch_first(value, batch, "a ReLU's input", layout))

        looks[*act.where.loops, act.op] = look
    return looks


def of_activations(analysis: Analysis, tap: Tap, seen: Mapping[Path, Any]) -> OrderedDict[str, Any] | None:
    """Activation's name -> the tap's records `[calls, ...]`, in the order of execution; None without a tap for activations."""
    if tap.activation is None:
        return None
    records: OrderedDict[str, Any] = OrderedDict()
    for name, act in zip(activation_names(analysis), analysis.activations, strict=True):
        value = seen.get((*act.where.loops, act.op))
        if value is not None:
            records[name] = calls_first(value, act.where.lengths)
    return records


def calls_first(tree: Any, lengths: tuple[int, ...]) -> Any:
    """The leading axes of the loops as one of calls, of size 1 outside loops."""
    return jax.tree.map(lambda leaf: leaf.reshape(math.prod(lengths), *leaf.shape[len(lengths) :]), tree)


def activation_names(analysis: Analysis) -> list[str]:
    """ "relu0", "gelu0", "relu1", ...: numbered within each kind, in the order of execution."""
    seen: Counter[str] = Counter()
    names = []
    for act in analysis.activations:
        names.append(f"{act.kind}{seen[act.kind]}")
        seen[act.kind] += 1
    return names


def tap_layer(tap: Tap, point: Point, batch: int, name: str, value: Array, perturb: Any) -> tuple[Array, Any]:
    """Call the tap on `value`, brought to `[B, ..., channels]`. Returns the new value in the program's layout, and the tap's record."""
    if jnp.iscomplexobj(value):
        raise JaxzcError(f"the output of layer {name} is complex, and has no signs: leave out proxies that need activations")
    moved = jnp.transpose(value, point.axes)
    flat = moved.reshape(*moved.shape[: point.rows], -1)
    rows = _batch_first(flat, batch, f"the output of layer {name}", Layout(0, point.runs))
    assert tap.layer is not None
    new, record = tap.layer(rows, perturb)
    if np.shape(new) != rows.shape:
        raise JaxzcError(f"tap.layer returned {np.shape(new)} for the output {rows.shape} of layer {name}")
    back = [point.axes.index(axis) for axis in range(len(point.axes))]
    return jnp.transpose(together(new.astype(value.dtype), flat.shape, point.runs).reshape(moved.shape), back), record


def _batch_first(value: Array, batch: int, what: str, layout: Layout | None) -> Array:
    """A value whose axis of the examples is `[runs * B * rest]` as `[B, runs * rest, ...]` (`[B, ...]` where they are alone)."""
    if layout is None or value.ndim == 0 or value.shape[layout.axis] % batch:
        raise JaxzcError(
            f"{what} has shape {value.shape}, of which no axis holds the {batch} examples: leave out proxies that need activations"
        )
    axis, runs = layout.checked(what)
    return apart(jnp.moveaxis(value, axis, 0) if axis else value, batch, runs)


def unreadable(reason: str) -> str:
    advice = "unroll the loop or leave" if reason.endswith("lax.while_loop") else "leave"
    return f"{reason}; activations cannot be read there: {advice} out proxies that need activations"
