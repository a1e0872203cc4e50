"""Whether a program moves its examples away from the first axis, or may: where it does not, no second trace is needed to find them."""

from collections.abc import Sequence
from typing import Any

from jaxzc._compile.jaxpr import CUSTOM_RULES, Op, Trace

MIXING = frozenset({"scan", "while", "cond", "sort", "shard_map"})
"""Operations that are not looked into."""


def moves(program: Trace, data: Sequence[int], batch: int) -> bool:
    """Whether an operation on values that hold the examples first may leave them elsewhere, or in another order.

    data: the program's inputs that hold `batch` examples first."""
    first = {value for value in data if program.avals[value].shape[:1] == (batch,)}
    for op in program.ops:
        held = [position for position, value in enumerate(op.inputs) if value in first]
        if not held or (op.name.startswith(("reduce_", "arg")) and 0 in op.params.get("axes", ())):  # a sum over the examples holds none
            continue
        if any(_moves(program, op, position) for position in held):
            return True
        first.update(output for output in op.outputs if program.avals[output].shape)
    return False


def _moves(program: Trace, op: Op, position: int) -> bool:
    p: Any = op.params
    before, after = (program.avals[value].shape for value in (op.inputs[position], op.outputs[0]))
    if op.name in MIXING or op.name.startswith("scatter"):
        return True
    if op.name == "transpose":
        return p["permutation"][0] != 0
    if op.name == "reshape" and p["dimensions"]:  # a transposition before it
        return True
    if op.name == "broadcast_in_dim":
        return p["broadcast_dimensions"][0] != 0
    if op.name == "rev":
        return 0 in p["dimensions"]
    if op.name == "concatenate":
        return p["dimension"] == 0
    if op.name == "gather":
        numbers = p["dimension_numbers"]
        own = p["slice_sizes"][0] == before[0] and numbers.offset_dims[:1] == (0,) if position == 0 else 0 not in numbers.offset_dims
        return not own and 0 not in getattr(numbers, "operand_batching_dims", ())
    if op.name == "dot_general":
        contracted, stacked = (pair[position] for pair in p["dimension_numbers"])
        return stacked[0] != 0 if stacked else position != 0 or 0 in contracted
    if op.name == "conv_general_dilated":
        numbers = p["dimension_numbers"]
        return position != 0 or numbers.lhs_spec[0] != 0 or numbers.out_spec[0] != 0 or p["batch_group_count"] != 1
    return op.name not in CUSTOM_RULES and after[:1] != before[:1]
