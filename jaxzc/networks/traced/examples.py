"""Along which axis of a value the examples lie. Most have them first; code that puts time or channels first has them elsewhere.

Where shapes leave a doubt (another axis is as long as the batch, or a loop), the program is traced once more with twice as many examples:
the axis that grows is theirs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from jaxzc._compile.jaxpr import Trace, closed_body, flatten
from jaxzc.networks.normalisation.axes import alike
from jaxzc.networks.traced.tapped import Path


class Place(NamedTuple):
    """A value that is read: where the operation stands, the value's number among the operation's inputs (None: its output), and the order
    in which its axes are taken (empty: as they are)."""

    path: Path
    position: int | None = None
    order: tuple[int, ...] = ()


def example_axes(program: Trace, places: Sequence[Place], batch: int, twice: Callable[[], Trace | None]) -> Mapping[Place, int | None]:
    """Of each place, the axis of the examples, in the place's order; None where they have none (they are taken one by one).

    batch: the number of examples. twice: traces the program for twice as many; None where that is not possible, and then the first axis
    is taken for theirs, as it is without any doubt."""
    doubtful = [place for place in places if batch > 1 and _is_doubtful(program, place, batch)]
    larger = twice() if doubtful else None
    axes: dict[Place, int | None] = dict.fromkeys(places, 0)
    if larger is None:
        return axes
    same = alike(program, larger)
    for place in doubtful:
        shapes = _shapes(program, larger, place) if same else None
        if shapes is None and len(larger.ops) > len(program.ops):  # written out for every example
            axes[place] = None
        elif shapes is not None:
            grown = [axis for axis, (size, other) in enumerate(zip(*shapes, strict=True)) if other == 2 * size]
            axes[place] = 0 if 0 in grown else grown[0] if len(grown) == 1 else None
    return axes


def _is_doubtful(program: Trace, place: Place, batch: int) -> bool:
    lengths = []
    for number in place.path[:-1]:
        op = program.ops[number]
        lengths.append(op.params.get("length", 0))
        program = flatten(closed_body(op.eqn))
    shape = _shape(program, place)
    return bool(shape) and (shape[0] % batch != 0 or batch in shape[1:] or any(length and length % batch == 0 for length in lengths))


def _shapes(program: Trace, larger: Trace, place: Place) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """The value's shapes in two programs that are alike; None where the loops around it are not."""
    for number in place.path[:-1]:
        program, larger = (flatten(closed_body(one.ops[number].eqn)) for one in (program, larger))
        if not alike(program, larger):
            return None
    return _shape(program, place), _shape(larger, place)


def _shape(program: Trace, place: Place) -> tuple[int, ...]:
    op = program.ops[place.path[-1]]
    shape = program.avals[op.outputs[0] if place.position is None else op.inputs[place.position]].shape
    return tuple(shape[axis] for axis in place.order) if place.order else shape
