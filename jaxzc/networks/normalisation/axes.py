"""Along which axes a value varies, and how many examples its axes hold."""

import math
from collections.abc import Sequence

from jaxzc._compile.jaxpr import Op, Trace

POINTWISE = frozenset({"add", "sub", "mul", "div", "max", "min", "neg", "exp", "sqrt", "rsqrt", "integer_pow", "convert_element_type"})


def varying(program: Trace, value: int) -> frozenset[int]:
    """The axes along which an array may change, judged by how it was broadcast; axes of size 1 never do."""
    shape = program.avals[value].shape
    long = frozenset(axis for axis, size in enumerate(shape) if size > 1)
    op = program.writer.get(value)
    if op is None or not long:
        return long
    if op.name == "broadcast_in_dim":
        return frozenset(op.params["broadcast_dimensions"][axis] for axis in varying(program, op.inputs[0])) & long
    if op.name == "reshape":
        before, axes = program.avals[op.inputs[0]].shape, varying(program, op.inputs[0])
        if order := op.params["dimensions"]:  # a transposition before it
            before, axes = tuple(before[axis] for axis in order), frozenset(order.index(axis) for axis in axes)
        return _reshaped(before, shape, axes) & long
    if op.name == "transpose":
        before = varying(program, op.inputs[0])
        return frozenset(axis for axis, old in enumerate(op.params["permutation"]) if old in before)
    if op.name == "squeeze":
        rest = [axis for axis in range(len(program.avals[op.inputs[0]].shape)) if axis not in op.params["dimensions"]]
        return frozenset(rest.index(axis) for axis in varying(program, op.inputs[0]))
    if op.name in POINTWISE and all(_broadcasts(program.avals[number].shape, shape) for number in op.inputs):
        return frozenset().union(*(varying(program, number) for number in op.inputs))
    return long


def _broadcasts(own: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return own == () or (len(own) == len(shape) and all(one in (1, size) for one, size in zip(own, shape, strict=True)))


def _reshaped(before: Sequence[int], after: Sequence[int], axes: frozenset[int]) -> frozenset[int]:
    """Axes of the new shape that lie in the same factors as these axes of the old one."""
    along: set[int] = set()
    i = j = 0
    while i < len(before) and j < len(after):
        first_i, first_j, size_i, size_j = i, j, before[i], after[j]
        i, j = i + 1, j + 1
        while size_i != size_j:
            if size_i < size_j:
                size_i, i = size_i * before[i], i + 1
            else:
                size_j, j = size_j * after[j], j + 1
        if axes & set(range(first_i, i)):
            along |= set(range(first_j, j))
    return frozenset(along)


def examples(program: Trace, larger: Trace, value: int) -> int:
    """How many slices, one for each example or for a part of one, lie along the axes of `value` that grow with the batch.

    larger: the same program traced with a larger batch.
    """
    pairs = zip(program.avals[value].shape, larger.avals[value].shape, strict=True)
    return math.prod(size for size, other in pairs if size != other)


def alike(program: Trace, larger: Trace) -> bool:
    """Whether two programs are the same but for the sizes of their axes."""

    def facts(one: Trace) -> list[object]:
        return [[(op.name, op.inputs, op.outputs) for op in one.ops], one.inputs, [len(aval.shape) for aval in one.avals]]

    return facts(program) == facts(larger)


def positional_sum(op: Op) -> bool:
    """Whether an operation on named axes sums over axes of the array, as `psum` does in a `vmap` that gives the axis its name."""
    return op.name in ("psum", "pmean", "psum_invariant") and any(isinstance(axis, int) for axis in op.params.get("axes", ()))


def named_sum(op: Op, axes: frozenset[str]) -> bool:
    """Whether an operation sums over named axes, all among these."""
    names = op.params.get("axes", ()) if op.name in ("psum", "pmax", "pmin", "psum_invariant", "pmean") else ()
    return bool(names) and set(names) <= axes
