"""Rewrites a traced program so that cheap values are computed again where they are read late, instead of being held in memory.

A gradient reads in its backward pass what the forward pass made: of every normalisation and activation function several values of the
size of the layer's output. All of them follow from that output by a few operations on each element. So one value is held in the place of
several, as `jax.checkpoint` does for a function that its author decorated. Here it is done on the trace, because the networks are
anybody's, and derivatives of derivatives hold most.

**What is computed again.** A value is *derived* where cheap operations (`CHEAP`) make it from one large value at most, its *base*, and
from small ones. A value made of two large ones (the sum of a residual connection) is a base itself. A derived value that is read `FAR`
convolutions or products later is made again, right before it is read.

**What it may not do.** Holding the base instead must be worth it: the base is read that late anyway, or the derived values that are no
longer held are larger. Results are the same to the last bit, operation by operation; a compiler may fuse them otherwise.

Beware: XLA undoes this in a program that it compiles whole, since it merges equal computations. It works in pieces
(`jaxzc._compile.pieces`), which no compiler looks across.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from jaxzc._compile.cutting import ALONE
from jaxzc._compile.jaxpr import SHAPING, Op, Trace, needed

CHEAP = SHAPING | frozenset(
    {
        *("add", "add_any", "sub", "mul", "div", "neg", "sign", "abs", "square", "integer_pow", "pow", "max", "min", "clamp", "select_n"),
        *("exp", "exp2", "log", "log1p", "expm1", "tanh", "logistic", "erf", "sqrt", "rsqrt", "is_finite"),
        *("eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not", "xor", "rev", "stop_gradient", "custom_jvp_call"),
    }
)
"""Operations on single elements, and changes of layout."""

LARGE = 1 << 20
"""Bytes from which a value is worth computing again."""
DEEP = 32
"""Operations, one after another, up to which a value is made again from its base."""
FAR = 8
"""Convolutions and products that lie between a value and a late reader of it."""


def recomputed(program: Trace, large: int = LARGE, far: int = FAR) -> Trace:
    """The same program, which makes cheap values again where they are read late. large, far: in the place of `LARGE` and `FAR`."""
    sizes = [int(np.prod(aval.shape, dtype=np.int64)) * aval.dtype.itemsize for aval in program.avals]
    bases = _bases(program, sizes, large)
    times = _times(program)
    written = {value: time for op, time in zip(program.ops, times, strict=True) for value in op.outputs}
    late = _late(program, times, written, bases, far)
    chosen = _worthwhile(program, times, bases, late, sizes, far)
    writer, avals = program.writer, list(program.avals)
    ops: list[Op] = []
    copies: dict[int, tuple[int, int]] = {}

    def again(value: int, time: int) -> int:
        if value not in bases or bases[value] not in chosen:
            return value
        copy, copied_at = copies.get(value, (-1, -far - 1))
        if time - copied_at < far:
            return copy
        op = writer[value]
        inputs = tuple(again(read, time) for read in op.inputs)
        avals.append(program.avals[value])
        ops.append(Op(op.eqn, inputs, (len(avals) - 1,)))
        copies[value] = len(avals) - 1, time
        return len(avals) - 1

    for op, time in zip(program.ops, times, strict=True):
        inputs = tuple(again(value, time) if value in late and time - written[value] >= far else value for value in op.inputs)
        ops.append(replace(op, inputs=inputs))
    return Trace(needed(ops, program.outputs), program.inputs, program.outputs, tuple(avals), program.constants)


def _bases(program: Trace, sizes: Sequence[int], large: int) -> dict[int, int | None]:
    """Derived value -> its base; None where it is made of small values only."""
    bases: dict[int, int | None] = {}
    depth: dict[int, int] = {}
    for op in program.ops:
        if op.name not in CHEAP or len(op.outputs) != 1 or op.eqn.effects or sizes[op.outputs[0]] < large:
            continue
        read = [value for value in op.inputs if sizes[value] >= large and value not in program.constants]
        origins = {bases.get(value, value) for value in read} - {None}
        steps = 1 + max((depth.get(value, 0) for value in read), default=0)
        if len(origins) <= 1 and steps <= DEEP:
            bases[op.outputs[0]], depth[op.outputs[0]] = next(iter(origins), None), steps
    return bases


def _times(program: Trace) -> list[int]:
    """For each operation, how many heavy ones come before it."""
    times, count = [], 0
    for op in program.ops:
        times.append(count)
        count += op.name in ALONE
    return times


def _late(program: Trace, times: Sequence[int], written: Mapping[int, int], bases: Mapping[int, Any], far: int) -> dict[int, int]:
    """Derived value -> the time at which it is read last, of those that are read late."""
    late: dict[int, int] = {}
    for op, time in zip(program.ops, times, strict=True):
        for value in op.inputs:
            if value in bases and time - written[value] >= far:
                late[value] = time
    return late


def _worthwhile(
    program: Trace, times: Sequence[int], bases: Mapping[int, int | None], late: Mapping[int, int], sizes: Sequence[int], far: int
) -> set[int | None]:
    """The bases that are held instead of what is derived from them."""
    last = {value: time for op, time in zip(program.ops, times, strict=True) for value in op.inputs}
    last.update(dict.fromkeys((*program.inputs, *program.outputs), len(program.ops)))
    derived: dict[int | None, list[int]] = defaultdict(list)
    for value in late:
        derived[bases[value]].append(value)
    chosen: set[int | None] = {None}
    for base, values in derived.items():
        if base is None:
            continue
        read_anyway = last.get(base, -1) >= max(late[value] for value in values) - far
        if read_anyway or sum(sizes[value] for value in values) > sizes[base]:
            chosen.add(base)
    return chosen
