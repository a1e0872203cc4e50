"""What is known of a value of a traced program: its number, its sign, what it is a multiple or a reshaped form of, who reads it."""

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxzc._compile.jaxpr import CUSTOM_RULES, SHAPING, Op, Trace, closed_body, flatten

POSITIVE = frozenset({"exp", "exp2", "abs", "logistic", "square", "sqrt", "rsqrt", "erfc", "cosh"})
"""Operations whose result is never negative."""
KEEPS_SIGN = frozenset({"mul", "div", "add", "max", "reduce_sum", "reduce_max", "cumsum", "log1p"})
"""Operations that give nothing negative where they take nothing negative."""


def unscaled(program: Trace, value: int) -> Op | None:
    """What made a value, factors that are known left out."""
    op = program.writer.get(plain(program, value))
    while op is not None and op.name in ("mul", "div"):
        others = [number for number in op.inputs if constant(program, number) is None]
        if len(others) != 1:
            return op
        op = program.writer.get(plain(program, others[0]))
    return op


def plain(program: Trace, value: int) -> int:
    """The value that this one is a reshaped, broadcast or converted form of."""
    while (op := program.writer.get(value)) is not None and op.name in SHAPING:
        value = op.inputs[0]
    return value


def readers(program: Trace, value: int) -> Iterator[Op]:
    """Operations that read the value, or a converted form of it."""
    for number, _ in program.readers.get(value, ()):
        op = program.ops[number]
        if op.name in SHAPING:
            yield from readers(program, op.outputs[0])
        else:
            yield op


def constants(program: Trace, op: Op) -> Iterator[float]:
    return (known for known in (constant(program, number) for number in op.inputs) if known is not None)


def constant(program: Trace, value: int) -> float | None:
    """The number that a value is known to be (a literal, converted or broadcast)."""
    known = program.constants.get(plain(program, value))
    if known is None or isinstance(known, Tracer) or np.size(known) != 1 or not jnp.issubdtype(jnp.result_type(known), jnp.number):
        return None
    return float(np.reshape(known, ()))


def is_zero(program: Trace, value: int) -> bool:
    """Whether a value is known to be 0: the number, or an array of zeros."""
    known = program.constants.get(plain(program, value))
    if known is None or isinstance(known, Tracer) or not jnp.issubdtype(jnp.result_type(known), jnp.number):
        return False
    return not np.any(np.asarray(known))


def multiple(program: Trace, value: int, x: int) -> float | None:
    """c where the value is c * x: 1 for x itself, NaN for a c that is trained; None where it is no multiple."""
    value, x = plain(program, value), plain(program, x)
    if value == x:
        return 1.0
    op = program.writer.get(value)
    if op is None or op.name not in ("mul", "div") or x not in (plain(program, number) for number in op.inputs):
        return None
    other = next((number for number in op.inputs if plain(program, number) != x), None)
    factor = None if other is None else constant(program, other)
    if other is None or (op.name == "div" and factor is None):
        return None
    if factor is None:
        # A parameter has no writer but reshaping ones; what is computed from the inputs has.
        return float("nan") if program.writer.get(plain(program, other)) is None else None
    return 1 / factor if op.name == "div" else factor


def never_negative(program: Trace, value: int, depth: int = 6) -> bool:
    """Whether a value is a square, an exponential or the like, or a sum or product of such."""
    known = constant(program, value)
    if known is not None:
        return known >= 0
    op = program.writer.get(plain(program, value))
    if op is None or depth == 0:
        return False
    if (
        op.name in POSITIVE
        or (op.name == "integer_pow" and op.params["y"] % 2 == 0)
        or (op.name in CUSTOM_RULES and is_softplus(program, op))
    ):
        return True
    if op.name == "mul" and len({plain(program, number) for number in op.inputs}) == 1:
        return True
    return op.name in KEEPS_SIGN and all(never_negative(program, number, depth - 1) for number in op.inputs)


def is_softplus(program: Trace, op: Op) -> bool:
    """log(exp(x) + exp(0)), as JAX writes it."""
    names = {inner.name for inner in flatten(closed_body(op.eqn)).ops}
    return {"log1p", "exp"} <= names and any(constant(program, number) == 0 for number in op.inputs)


def comes_from(program: Trace, value: int, names: frozenset[str], depth: int = 4) -> bool:
    """Whether an operation of these names is among the last few that made the value."""
    op = program.writer.get(plain(program, value))
    if op is None or depth == 0:
        return False
    return op.name in names or any(comes_from(program, number, names, depth - 1) for number in op.inputs)
