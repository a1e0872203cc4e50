"""Where the examples lie in a value. Most have them along the first axis; code that puts time or channels first has them elsewhere, and a
reshape puts them on one axis with something else.

Where shapes leave a doubt (another axis may be theirs, or a loop), the program is traced once more with twice as many examples: the axis
that grows is theirs, and `runs` tells the order along it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp

from jaxzc._compile.jaxpr import Trace, closed_body, flatten
from jaxzc.networks.normalisation.axes import alike
from jaxzc.networks.traced.moving import moves
from jaxzc.networks.traced.runs import UNKNOWN, Pair, runs_of
from jaxzc.networks.traced.tapped import Path
from jaxzc.types import Array, JaxzcError


class Place(NamedTuple):
    """A value that is read: where the operation stands, the value's number among the operation's inputs (None: its output), and the order
    in which its axes are taken (empty: as they are)."""

    path: Path
    position: int | None = None
    order: tuple[int, ...] = ()


class Layout(NamedTuple):
    """Where the examples lie: along `axis`, which holds `[runs, B, rest]`. runs: how many times all of them follow one another;
    `UNKNOWN` where that cannot be told."""

    axis: int
    runs: int = 1

    def checked(self, what: str) -> "Layout":
        """Itself; `JaxzcError` where the order is unknown. what: the value, in words."""
        if self.runs == UNKNOWN:
            raise JaxzcError(
                f"which part of {what} belongs to which example cannot be told: give the examples an axis of their own, in a model that "
                "runs with any number of them, or leave out proxies that need activations"
            )
        return self


def apart(value: Array, batch: int, runs: int) -> Array:
    """`[runs * B * rest, ...]` as `[B, runs * rest, ...]`; `[B, ...]` as it is."""
    if value.shape[0] == batch:
        return value
    split = value.reshape(runs, batch, -1, *value.shape[1:])
    return jnp.moveaxis(split, 1, 0).reshape(batch, -1, *value.shape[1:])


def together(value: Array, shape: Sequence[int], runs: int) -> Array:
    """The reverse of `apart`. shape: of its result."""
    if value.shape == tuple(shape):
        return value
    return jnp.moveaxis(value.reshape(len(value), runs, -1, *shape[1:]), 0, 1).reshape(shape)


def example_layouts(
    program: Trace, data: Sequence[int], places: Sequence[Place], batch: int, twice: Callable[[], Trace | None]
) -> Mapping[Place, Layout | None]:
    """Of each place, where the examples lie, in the place's order of axes; None where they do not lie along one axis.

    data: the program's inputs that hold examples, along their first axes. batch: the number of examples. twice: traces the program for
    twice as many; None where that is not possible, and then the layout is known only where nothing has moved the first axis."""
    layouts: dict[Place, Layout | None] = dict.fromkeys(places, Layout(0))
    if batch == 1:
        return layouts
    moved = moves(program, data, batch)
    doubtful = [place for place in places if _is_doubtful(program, place, batch, moved)]
    larger = twice() if doubtful else None
    if larger is None or not alike(program, larger):
        return layouts | dict.fromkeys(doubtful, Layout(0, UNKNOWN))
    pair = Pair(program, larger, batch)
    runs = runs_of(pair, dict.fromkeys(data, 1))
    for place in doubtful:
        inner: Pair | None = pair
        for number in place.path[:-1]:
            inner = None if inner is None else inner.inside(number)
        layouts[place] = None if inner is None else _layout(inner, place, runs.get(place.path[:-1], {}))
    return layouts


def _layout(pair: Pair, place: Place, runs: Mapping[int, int]) -> Layout | None:
    value = _value(pair.program, place)
    axis, size = pair.axis(value), pair.size(value)
    if axis is None or size % pair.batch:
        return None
    return Layout(place.order.index(axis) if place.order else axis, runs.get(value, 1 if size == pair.batch else UNKNOWN))


def _is_doubtful(program: Trace, place: Place, batch: int, moved: bool) -> bool:
    """Whether the examples may lie elsewhere than along the first axis, one after the other. moved: whether something moves them at all."""
    lengths = []
    for number in place.path[:-1]:
        op = program.ops[number]
        lengths.append(op.params.get("length", 0))
        program = flatten(closed_body(op.eqn))
    shape = program.avals[_value(program, place)].shape
    shape = tuple(shape[axis] for axis in place.order) if place.order else shape
    others = any(size and size % batch == 0 for size in (*shape[1:], *lengths))
    return bool(shape) and (shape[0] != batch or (others and (moved or bool(lengths))))


def _value(program: Trace, place: Place) -> int:
    op = program.ops[place.path[-1]]
    return op.outputs[0] if place.position is None else op.inputs[place.position]
