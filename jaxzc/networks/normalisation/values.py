"""What is known of a program's values, whatever becomes of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from jaxzc._compile.jaxpr import PRODUCTS, SHAPING, Trace
from jaxzc.networks.analysis.values import constant


def arrays_of(program: Trace, value: int) -> list[Any]:
    """The arrays of constants that a value was computed from, single numbers left out."""
    todo, seen = [value], {value}
    while todo:
        op = program.writer.get(todo.pop())
        new = [number for number in (op.inputs if op is not None else ()) if number not in seen]
        seen.update(new)
        todo += new
    return [program.constants[number] for number in sorted(seen) if number in program.constants and program.avals[number].size > 1]


def of_kernels_only(program: Trace, argument: int, data: Iterable[int]) -> bool:
    """Whether an argument meets the data (arguments of these numbers) only inside kernels, as the norms of spectral normalisation do."""
    own, moved = {program.inputs[argument]}, {program.inputs[number] for number in data}
    for op in program.ops:
        meets = not own.isdisjoint(op.inputs), not moved.isdisjoint(op.inputs)
        if all(meets) and op.name not in PRODUCTS:
            return False
        (moved if meets[1] else own if meets[0] else set[int]()).update(op.outputs)
    return True


def are_one(program: Trace, first: int, second: int) -> bool:
    """Whether two values are one, or the same layout or conversion of one (which programs write out twice)."""
    while first != second:
        one, other = program.writer.get(first), program.writer.get(second)
        if one is None or other is None or one.name not in SHAPING or one.name != other.name or one.params != other.params:
            return False
        first, second = one.inputs[0], other.inputs[0]
    return True


@dataclass(frozen=True)
class Values:
    """data, trained: whether a value depends on the inputs, or on a parameter."""

    program: Trace
    data: Mapping[int, bool]
    trained: Mapping[int, bool]

    def number(self, value: int) -> float | None:
        """The number that a value is known to be: a literal, converted or broadcast."""
        return constant(self.program, value)

    def is_single(self, value: int) -> bool:
        """Whether the value is a single number, perhaps broadcast, and does not depend on the inputs."""
        return not self.data[value] and (self.program.avals[value].size == 1 or self.number(value) is not None)

    def are_one(self, first: int, second: int) -> bool:
        """Whether two values are one, or the same layout or conversion of one."""
        return are_one(self.program, first, second)

    def is_parameter(self, value: int) -> bool:
        """Whether it may be a scale or a bias: a parameter, or an array of constants."""
        return not self.data[value] and (self.trained[value] or (self.program.avals[value].size > 1 and self.number(value) is None))

    def is_mask(self, value: int) -> bool:
        """Whether it is an array of booleans or integers, in whatever dtype."""
        if self.program.avals[value].ndim == 0:
            return False
        while jnp.issubdtype(self.program.avals[value].dtype, jnp.floating):
            op = self.program.writer.get(value)
            if op is None or op.name not in SHAPING:
                return False
            value = op.inputs[0]
        return True
