"""Statistics that are stacked into one array and sliced out of it again, as code does that reduces mean and mean square in one go."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from jaxzc._compile.jaxpr import Op, Trace
from jaxzc.networks.normalisation.forms import STATISTICS, Form

FormsOf = Callable[[int], Iterable[Form]]
"""The forms of a value of the program."""


def stacked(program: Trace, op: Op, of: FormsOf) -> Iterator[Form]:
    """The forms of a stack's parts, each with its lane; of a concatenation, where every part is one slice."""
    axis = op.params["axis" if op.name == "stack" else "dimension"]
    if op.name == "stack" or all(program.avals[value].shape[axis] == 1 for value in op.inputs):
        for index, value in enumerate(op.inputs):
            yield from (replace(form, lane=(axis, index)) for form in of(value) if form.state in STATISTICS)


def sliced(op: Op, of: FormsOf) -> Iterator[Form]:
    """The forms whose lane is just what the slice takes."""
    for form in of(op.inputs[0]):
        if form.lane is None:
            continue
        axis, index = form.lane
        if op.params["start_indices"][axis] == index and op.params["limit_indices"][axis] == index + 1:
            yield replace(form, lane=None)
