"""Calling taps inside a running program: bringing values into the layout that taps see, and back."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.networks.analysis import Found, Point
from jaxzc.types import RECTIFIERS, Array, JaxzcError, Tap


def tap_activations(found: Found, tap: Tap, batch: int) -> tuple[OrderedDict[str, Any] | None, dict[int, Callable[[Sequence[Any]], None]]]:
    """Where activation taps keep things (by name, in execution order), and what to do before which operation.

    Raises `JaxzcError` for a rectifier that cannot be read; other activation functions are then left out, no code is read there.
    """
    if tap.activation is None:
        return None, {}
    kept: OrderedDict[str, Any] = OrderedDict()
    before: dict[int, Callable[[Sequence[Any]], None]] = {}
    for name, act in zip(activation_names(found), found.activations, strict=True):
        coded = act.kind in RECTIFIERS
        if act.reason and not coded:
            continue
        if act.reason:
            raise JaxzcError(f"a ReLU {unreadable(act.reason)}")

        def look(values: Sequence[Any], position: int = act.position, name: str = name, coded: bool = coded) -> None:
            value = values[position]
            if not coded and (value.ndim == 0 or value.shape[0] % batch):
                return
            assert tap.activation is not None
            made = tap.activation(_batch_first(value, batch, "a ReLU's input"))
            kept[name] = jax.tree.map(lambda leaf: leaf[None], made)

        before[act.op] = look
    return kept, before


def activation_names(found: Found) -> list[str]:
    """ "relu0", "gelu0", "relu1", ...: numbered within each kind, in the order of execution."""
    seen: Counter[str] = Counter()
    names = []
    for act in found.activations:
        names.append(f"{act.kind}{seen[act.kind]}")
        seen[act.kind] += 1
    return names


def tap_layer(layer: Callable[[Array, Any], Any], perturb: Any, point: Point, batch: int, name: str, keep: Any, value: Array) -> Array:
    """Call the tap on `value` as [B, ..., channels] and put what it returns back into the program's layout."""
    moved = jnp.transpose(value, point.axes)
    flat = moved.reshape(*moved.shape[: point.rows], -1)
    rows = _batch_first(flat, batch, f"the output of layer {name}")
    new, kept = layer(rows, perturb)
    if np.shape(new) != rows.shape:
        raise JaxzcError(f"tap.layer returned {np.shape(new)} for the output {rows.shape} of layer {name}")
    keep(kept)
    return jnp.transpose(new.astype(value.dtype).reshape(moved.shape), [point.axes.index(axis) for axis in range(len(point.axes))])


def _batch_first(value: Array, batch: int, what: str) -> Array:
    """`value` `[B*k, ...]` as `[B, k, ...]` (`[B, ...]` where k is 1)."""
    if value.ndim == 0 or value.shape[0] % batch:
        raise JaxzcError(
            f"{what} has shape {value.shape}, whose first axis does not hold the {batch} images: leave out proxies that need activations"
        )
    return value if value.shape[0] == batch else value.reshape(batch, -1, *value.shape[1:])


def unreadable(reason: str) -> str:
    advice = "unroll the loop or leave" if reason.endswith(("lax.scan", "lax.while_loop")) else "leave"
    return f"{reason}; activations cannot be read there: {advice} out proxies that need activations"
