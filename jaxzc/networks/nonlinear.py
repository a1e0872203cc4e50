"""What is a ReLU and what is a normalisation, judged by operations alone (modules' names are gone in a program)."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxzc._compile.jaxpr import CUSTOM_RULES, SHAPING, Op, Trace, closed_body, flatten

ROOTS = frozenset({"sqrt", "rsqrt"})


def relu_input(program: Trace, op: Op, data: Sequence[bool]) -> int | None:
    """Which input of `op` a ReLU acts on; None where `op` is none.

    data: for each input, whether it depends on the images.
    A ReLU is `max(x, 0)`, bare or with its custom derivative, and so is ReLU6. No ReLUs: the clipping of a variance (its result goes
    into a square root) and the ReLU6 that a hard sigmoid consists of (its input has just been shifted by 3).
    """
    if op.name in CUSTOM_RULES and any(data):
        names = rectifier(op)
        return None if names is None or ("min" in names and _shifted(program, op.inputs[0])) else 0
    position = _zero_beside(program, op) if op.name == "max" else None
    if position is None or not data[position]:
        return None
    if program.reaches(op.outputs[0], ROOTS, SHAPING | {"add"}):
        return None
    capped = any(program.ops[number].name == "min" for number, _ in program.readers.get(op.outputs[0], ()))
    return None if capped and _shifted(program, op.inputs[position]) else position


def rectifier(op: Op) -> list[str] | None:
    """The operations of a function with a custom derivative that is just `max(x, 0)`, or that and a `min`; None for any other."""
    body = flatten(closed_body(op.eqn))
    names = [inner.name for inner in body.ops if inner.name not in SHAPING]
    rectifies = len(op.inputs) == 1 and names in (["max"], ["max", "min"])
    return names if rectifies and any(inner.name == "max" and _zero_beside(body, inner) is not None for inner in body.ops) else None


def _zero_beside(program: Trace, op: Op) -> int | None:
    """Which input of a `max` stands beside a literal zero."""
    return next((1 - position for position in (0, 1) if _constant(program, op.inputs[position]) == 0), None)


def _shifted(program: Trace, value: int) -> bool:
    op = program.writer.get(value)
    return op is not None and op.name == "add" and any(_constant(program, term) == 3 for term in op.inputs)


def _constant(program: Trace, value: int) -> float | None:
    """The number that a value is known to be (a literal, converted or broadcast)."""
    while (op := program.writer.get(value)) is not None and op.name in SHAPING:
        value = op.inputs[0]
    known = program.constants.get(value)
    if known is None or isinstance(known, Tracer) or np.size(known) != 1 or not jnp.issubdtype(jnp.result_type(known), jnp.number):
        return None
    return float(np.reshape(known, ()))


def is_normalisation(program: Trace, op: Op, data: Sequence[bool]) -> bool:
    """Whether this operation is the inverse square root of something that depends on the images."""
    if op.name not in ("rsqrt", "sqrt", "pow") or not data[0]:
        return False
    if op.name == "pow":
        return (_constant(program, op.inputs[1]) or 0.0) < 0
    divisions = program.reaches(op.outputs[0], frozenset({"div"}), SHAPING | {"add", "max"})
    return op.name == "rsqrt" or any(position == 1 for _, position in divisions)
