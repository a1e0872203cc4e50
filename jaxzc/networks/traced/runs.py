"""In which order the examples lie along an axis that they share with something else.

Rows `[T*B, D]` flattened from time-first values hold all examples of the first step, then all of the second: T runs of B. Rows
`[B*T, D]` hold one example after the other: one run. A reshape tells which, and every other operation keeps it or is known not to.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jaxzc._compile.jaxpr import Op, Trace, closed_body, flatten, scan_starts
from jaxzc.networks.normalisation.axes import alike
from jaxzc.networks.traced.tapped import Path

UNKNOWN = 0
"""In the place of a number of runs: the order cannot be told."""


class Pair(NamedTuple):
    """A program, and the same for twice as many examples. batch: how many the first takes."""

    program: Trace
    larger: Trace
    batch: int

    def shape(self, value: int) -> tuple[int, ...]:
        return self.program.avals[value].shape

    def axis(self, value: int) -> int | None:
        """The axis of a value that doubles with the batch, the first where that is one of several; None without one."""
        pairs = zip(self.shape(value), self.larger.avals[value].shape, strict=True)
        grown = [axis for axis, (size, other) in enumerate(pairs) if other == 2 * size]
        return 0 if 0 in grown else grown[0] if len(grown) == 1 else None

    def size(self, value: int) -> int:
        """Of that axis; 0 without one."""
        axis = self.axis(value)
        return 0 if axis is None else self.shape(value)[axis]

    def inside(self, number: int) -> "Pair | None":
        """The bodies of the loop of this number; None where they differ in more than sizes."""
        body, larger = (flatten(closed_body(one.ops[number].eqn)) for one in (self.program, self.larger))
        return Pair(body, larger, self.batch) if alike(body, larger) else None


Runs = Mapping[int, int]
"""Of each value that holds examples and whose order is known or known to be lost: how many runs of all examples lie along their axis."""


def runs_of(pair: Pair, known: Runs, around: Path = ()) -> dict[Path, Runs]:
    """Of the program, and of the bodies of its loops, by the numbers of the loops around them. known: of the program's inputs."""
    runs, inner = dict(known), dict[Path, Runs]()
    for number, op in enumerate(pair.program.ops):
        if op.name == "scan":
            results, bodies = _loop(pair, number, runs, (*around, number))
            inner |= bodies
        else:
            results = [_result(pair, op, output, runs) for output in op.outputs]
        runs.update((output, result) for output, result in zip(op.outputs, results, strict=True) if result is not None)
    return {around: runs, **inner}


def _loop(pair: Pair, number: int, runs: Runs, around: Path) -> tuple[Sequence[int | None], dict[Path, Runs]]:
    """Of a loop's outputs, and of its body. What it carries takes up what its body gives, until nothing changes."""
    op, body = pair.program.ops[number], pair.inside(number)
    if body is None:
        return [UNKNOWN if pair.size(output) else None for output in op.outputs], {}
    ins, (first, second) = [runs.get(value) for value in op.inputs], scan_starts(op.params)
    while True:
        known = {value: one for value, one in zip(body.program.inputs, ins, strict=True) if one is not None}
        inner = runs_of(body, known, around)
        outs = [inner[around].get(value) for value in body.program.outputs]
        carry = [_joined(states) for states in zip(ins[first:second], outs, strict=False)]
        if carry == ins[first:second]:
            break
        ins[first:second] = carry
    # steps may be the examples themselves, in the order in which they come
    steps = _joined([runs.get(value) for value in op.inputs[second:] if pair.axis(value) == 0])
    results = zip(op.outputs, outs, strict=True)
    return [steps if out is None and pair.axis(value) == 0 else out for value, out in results], inner


def _joined(several: Sequence[int | None]) -> int | None:
    different = {one for one in several if one is not None}
    return None if not different else different.pop() if len(different) == 1 else UNKNOWN


def _result(pair: Pair, op: Op, output: int, runs: Runs) -> int | None:
    """The runs in an operation's output; None where it holds no examples, or as many things that are the same for all."""
    axis, size, batch = pair.axis(output), pair.size(output), pair.batch
    holding = [value for value in op.inputs if value in runs and pair.size(value)]
    if axis is None or not holding:
        return None
    if size % batch or UNKNOWN in {runs[value] for value in holding}:
        return UNKNOWN
    if op.name == "reshape":
        return _reshaped(pair, op, runs[holding[0]])
    if op.name == "concatenate" and op.params["dimension"] == axis:
        rests = {pair.size(value) // (runs[value] * batch) for value in holding}
        return sum(runs[value] for value in op.inputs) if len(holding) == len(op.inputs) and len(rests) == 1 else UNKNOWN
    if op.name in ("slice", "split") and size != pair.size(holding[0]):
        return _part(pair, op, holding[0], output, runs[holding[0]])
    if (op.name == "rev" and axis in op.params["dimensions"]) or (op.name == "sort" and op.params["dimension"] == axis):
        return UNKNOWN
    if op.name == "gather" and op.inputs[0] in holding and not _takes_all(pair, op):
        return 1 if size == batch and _counts(pair.program, op.inputs[1]) else UNKNOWN
    same = [runs[value] for value in holding if pair.size(value) == size]
    return _joined(same) if same else UNKNOWN


def _reshaped(pair: Pair, op: Op, runs: int) -> int:
    """An example is every B-th block of numbers, of one length: the product of the axes behind its own and of what shares that."""
    (before, *_), (after,) = op.inputs, op.outputs
    axis, new = pair.axis(before), pair.axis(after)
    assert axis is not None
    assert new is not None
    order = op.params["dimensions"] or range(len(pair.shape(before)))  # a transposition before it
    shape = [pair.shape(before)[place] for place in order]
    block = pair.size(before) // (runs * pair.batch) * math.prod(shape[list(order).index(axis) + 1 :])
    behind = math.prod(pair.shape(after)[new + 1 :])
    rest = block // behind
    return UNKNOWN if block % behind or not rest or pair.size(after) % (rest * pair.batch) else pair.size(after) // (rest * pair.batch)


def _part(pair: Pair, op: Op, before: int, after: int, runs: int) -> int:
    """Whole runs of examples that have one row each."""
    axis, start, stride = pair.axis(before), 0, 1
    assert axis is not None
    if op.name == "slice":
        start, stride = op.params["start_indices"][axis], (op.params["strides"] or (1,) * (axis + 1))[axis]
    else:
        start = sum(op.params["sizes"][: op.outputs.index(after)])
    alone = pair.size(before) == runs * pair.batch
    return pair.size(after) // pair.batch if alone and stride == 1 and start % pair.batch == 0 else UNKNOWN


def _takes_all(pair: Pair, op: Op) -> bool:
    """Whether a gather takes the examples as they come: all of them at once, or each with its own index."""
    axis, numbers = pair.axis(op.inputs[0]), op.params["dimension_numbers"]
    return op.params["slice_sizes"][axis] == pair.size(op.inputs[0]) or axis in getattr(numbers, "operand_batching_dims", ())


def _counts(program: Trace, indices: int) -> bool:
    """Whether 0, 1, 2, ... is among the indices, as in `x[jnp.arange(len(x)), last]`."""
    op = program.writer.get(indices)
    if op is None or op.name == "iota":
        return op is not None
    if op.name == "concatenate":
        return any(_counts(program, value) for value in op.inputs)
    if op.name == "select_n":  # a negative index counts from behind
        return _counts(program, op.inputs[1])
    return op.name in ("broadcast_in_dim", "reshape", "convert_element_type", "squeeze") and _counts(program, op.inputs[0])
