"""What is known of a program's values, whatever becomes of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp

from jaxzc._compile.jaxpr import SHAPING, Trace
from jaxzc.networks.analysis.values import constant


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
        """Whether it is one number, whatever its shape, that does not depend on the data."""
        return not self.data[value] and (self.program.avals[value].size == 1 or self.number(value) is not None)

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
