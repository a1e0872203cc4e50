"""Activation functions in a program, judged by operations alone (modules' names are gone): which, and of which value.

A rectifier is linear on both sides of a kink at zero; the sign of its input is a unit's binary code. Whatever the spelling, it is
`max(x, 0)`, a choice by `x > 0` between x and a multiple of x, the larger of two multiples of x, or a product of x and the truth of
`x > 0`. No rectifiers are a clip of what cannot be negative, the clip of a shifted value that a hard sigmoid consists of, and the clip of
a variance.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxzc._compile.jaxpr import CUSTOM_RULES, SHAPING, Op, Trace, closed_body, flatten

ROOTS = frozenset({"sqrt", "rsqrt"})
COMPARISONS = {"gt": 1, "ge": 1, "lt": -1, "le": -1}
POSITIVE = frozenset({"exp", "exp2", "abs", "logistic", "square", "sqrt", "rsqrt", "erfc", "cosh"})
"""Operations whose result is never negative."""
KEEPS_SIGN = frozenset({"mul", "div", "add", "max", "reduce_sum", "reduce_max", "cumsum", "log1p"})
"""Operations that give nothing negative where they take nothing negative."""
SMOOTH = {"tanh": "tanh", "logistic": "sigmoid", "erf": "gelu", "erfc": "gelu"}


class Nonlinearity(NamedTuple):
    """kind: "relu", "relu6", "leaky_relu", "prelu", "elu", "hard_sigmoid", "softplus", "silu", "gelu", "tanh" or "sigmoid". position: which
    input of the operation it acts on, up to a positive factor."""

    kind: str
    position: int


def nonlinearity(program: Trace, op: Op, data: Sequence[bool]) -> Nonlinearity | None:
    """The activation function that is complete with `op`; None where there is none.

    data: for each input, whether it depends on the network's inputs.
    """
    if not any(data):
        return None
    if op.name in CUSTOM_RULES:
        return _custom(program, op)
    if op.name == "clamp":
        low, high = (_constant(program, op.inputs[place]) for place in (0, 2))
        return _clipped(program, op.inputs[1], 1, low, high)
    if op.name == "max":
        return _maximum(program, op, data)
    if op.name == "select_n" and len(op.inputs) == 3:
        return _choice(program, op)
    if op.name == "mul":
        return _gate(program, op, data)
    if op.name in SMOOTH:
        return _smooth(program, op)
    return None


def _maximum(program: Trace, op: Op, data: Sequence[bool]) -> Nonlinearity | None:
    position = next((1 - place for place in (0, 1) if _constant(program, op.inputs[place]) == 0), None)
    if position is not None:
        if not data[position] or program.reaches(op.outputs[0], ROOTS, SHAPING | {"add"}):
            return None
        around = [number for reader in _readers(program, op.outputs[0]) for number in reader.inputs]
        if any(_is_exponential(program, number, op.inputs[position]) for number in around):
            return Nonlinearity("elu", position)
        cap = next((c for reader in _readers(program, op.outputs[0]) if reader.name == "min" for c in _constants(program, reader)), None)
        return _clipped(program, op.inputs[position], position, 0.0, cap)
    for place in (0, 1):
        slope = _slope(program, op.inputs[1 - place], op.inputs[place])
        if data[place] and slope is not None and slope < 1:
            return Nonlinearity("prelu" if np.isnan(slope) else "leaky_relu", place)
    return None


def _clipped(program: Trace, value: int, position: int, low: float | None, high: float | None) -> Nonlinearity | None:
    """A clip from `low` to `high` (None: unbounded, or not known)."""
    if low != 0 or _never_negative(program, value):
        return None
    writer = program.writer.get(_plain(program, value))
    if writer is not None and writer.name == "min" and high is None:  # min(x, 6) first, then max(x, 0)
        capped = [number for number in writer.inputs if _constant(program, number) is None]
        high = next(_constants(program, writer), None)
        writer = program.writer.get(_plain(program, capped[0])) if capped else writer
    if high is not None and writer is not None and writer.name in ("add", "sub") and any(c for c in _constants(program, writer)):
        return Nonlinearity("hard_sigmoid", position)
    return Nonlinearity("relu" if high is None or np.isinf(high) else "relu6", position)


def _choice(program: Trace, op: Op) -> Nonlinearity | None:
    """where(x > 0, x or a multiple, 0 or a multiple or something else of x)."""
    test = program.writer.get(_plain(program, op.inputs[0]))
    if test is None or test.name not in COMPARISONS:
        return None
    sign = COMPARISONS[test.name]
    if _constant(program, test.inputs[1]) == 0:
        x = test.inputs[0]
    elif _constant(program, test.inputs[0]) == 0:
        x, sign = test.inputs[1], -sign
    else:
        return None
    above, below = (2, 1) if sign > 0 else (1, 2)  # operand 1 where the test is false
    steep = _slope(program, op.inputs[above], x)
    if steep is None or not steep > 0 or _never_negative(program, x):
        return None
    if _constant(program, op.inputs[below]) == 0:
        return Nonlinearity("relu", above)
    slope = _slope(program, op.inputs[below], x)
    if slope is None:
        grows = _made_of(program, op.inputs[below], frozenset({"exp", "expm1", "exp2"}))
        return Nonlinearity("elu", above) if grows else None
    return None if slope == steep else Nonlinearity("prelu" if np.isnan(slope) else "leaky_relu", above)


def _gate(program: Trace, op: Op, data: Sequence[bool]) -> Nonlinearity | None:
    """x * (x > 0)."""
    for place in (0, 1):
        test = program.writer.get(_plain(program, op.inputs[1 - place]))
        if test is None or test.name not in COMPARISONS or not all(data):
            continue
        left = COMPARISONS[test.name] > 0
        x, zero = test.inputs if left else test.inputs[::-1]
        if _plain(program, x) == _plain(program, op.inputs[place]) and _constant(program, zero) == 0:
            return None if _never_negative(program, x) else Nonlinearity("relu", place)
    return None


def _smooth(program: Trace, op: Op) -> Nonlinearity:
    kind = SMOOTH[op.name]
    if op.name == "logistic":
        x = _plain(program, op.inputs[0])
        products = [reader for reader in _readers(program, op.outputs[0]) if reader.name == "mul"]
        kind = "silu" if any(x in (_plain(program, number) for number in reader.inputs) for reader in products) else kind
    if op.name == "tanh" and _made_of(program, op.inputs[0], frozenset({"integer_pow", "pow"}), 8):
        kind = "gelu"
    return Nonlinearity(kind, 0)


def _custom(program: Trace, op: Op) -> Nonlinearity | None:
    """A function with a derivative of its own: rectifiers, and softplus."""
    names = rectifier(op)
    if names is not None:
        return _clipped(program, op.inputs[0], 0, 0.0, 6.0 if "min" in names else None)
    return Nonlinearity("softplus", 0) if _is_softplus(program, op) else None


def _is_softplus(program: Trace, op: Op) -> bool:
    """log(exp(x) + exp(0)), as JAX writes it."""
    names = {inner.name for inner in flatten(closed_body(op.eqn)).ops}
    return {"log1p", "exp"} <= names and any(_constant(program, number) == 0 for number in op.inputs)


def rectifier(op: Op) -> list[str] | None:
    """The operations of a function with a custom derivative that is just `max(x, 0)`, or that and a `min`; None for any other."""
    body = flatten(closed_body(op.eqn))
    names = [inner.name for inner in body.ops if inner.name not in SHAPING]
    rectifies = len(op.inputs) == 1 and names in (["max"], ["max", "min"], ["clamp"])
    zero = any(inner.name in ("max", "clamp") and 0 in list(_constants(body, inner)) for inner in body.ops)
    return (["max", "min"] if names == ["clamp"] else names) if rectifies and zero else None


def _slope(program: Trace, value: int, x: int) -> float | None:
    """c where the value is c * x: 1 for x itself, NaN for a c that is trained; None where it is no multiple."""
    value, x = _plain(program, value), _plain(program, x)
    if value == x:
        return 1.0
    op = program.writer.get(value)
    if op is None or op.name not in ("mul", "div") or x not in (_plain(program, number) for number in op.inputs):
        return None
    other = next((number for number in op.inputs if _plain(program, number) != x), None)
    factor = None if other is None else _constant(program, other)
    if other is None or (op.name == "div" and factor is None):
        return None
    if factor is None:
        # A parameter has no writer but reshaping ones; what is computed from the inputs has.
        return float("nan") if program.writer.get(_plain(program, other)) is None else None
    return 1 / factor if op.name == "div" else factor


def _never_negative(program: Trace, value: int, depth: int = 6) -> bool:
    """Whether a value is a square, an exponential or the like, or a sum or product of such."""
    known = _constant(program, value)
    if known is not None:
        return known >= 0
    op = program.writer.get(_plain(program, value))
    if op is None or depth == 0:
        return False
    if (
        op.name in POSITIVE
        or (op.name == "integer_pow" and op.params["y"] % 2 == 0)
        or (op.name in CUSTOM_RULES and _is_softplus(program, op))
    ):
        return True
    if op.name == "mul" and len({_plain(program, number) for number in op.inputs}) == 1:
        return True
    return op.name in KEEPS_SIGN and all(_never_negative(program, number, depth - 1) for number in op.inputs)


def _made_of(program: Trace, value: int, names: frozenset[str], depth: int = 4) -> bool:
    """Whether an operation of these names is among the last few that made the value."""
    op = program.writer.get(_plain(program, value))
    if op is None or depth == 0:
        return False
    return op.name in names or any(_made_of(program, number, names, depth - 1) for number in op.inputs)


def _is_exponential(program: Trace, value: int, x: int) -> bool:
    """Whether the value is a * (exp(min(x, 0) / b) - 1), the other half of a CELU."""
    op = _unscaled(program, value)
    if op is None or op.name != "expm1":
        return False
    low = _unscaled(program, op.inputs[0])
    return low is not None and low.name == "min" and _plain(program, x) in {_plain(program, number) for number in low.inputs}


def _unscaled(program: Trace, value: int) -> Op | None:
    """What made a value, factors that are known left out."""
    op = program.writer.get(_plain(program, value))
    while op is not None and op.name in ("mul", "div"):
        others = [number for number in op.inputs if _constant(program, number) is None]
        if len(others) != 1:
            return op
        op = program.writer.get(_plain(program, others[0]))
    return op


def _plain(program: Trace, value: int) -> int:
    """The value that this one is a reshaped, broadcast or converted form of."""
    while (op := program.writer.get(value)) is not None and op.name in SHAPING:
        value = op.inputs[0]
    return value


def _readers(program: Trace, value: int) -> Iterator[Op]:
    """Operations that read the value, or a converted form of it."""
    for number, _ in program.readers.get(value, ()):
        op = program.ops[number]
        if op.name in SHAPING:
            yield from _readers(program, op.outputs[0])
        else:
            yield op


def _constants(program: Trace, op: Op) -> Iterator[float]:
    return (known for known in (_constant(program, number) for number in op.inputs) if known is not None)


def _constant(program: Trace, value: int) -> float | None:
    """The number that a value is known to be (a literal, converted or broadcast)."""
    known = program.constants.get(_plain(program, value))
    if known is None or isinstance(known, Tracer) or np.size(known) != 1 or not jnp.issubdtype(jnp.result_type(known), jnp.number):
        return None
    return float(np.reshape(known, ()))


def is_normalisation(program: Trace, op: Op, data: Sequence[bool]) -> bool:
    """Whether this operation is the inverse square root of something that depends on the inputs."""
    if op.name not in ("rsqrt", "sqrt", "pow") or not data[0]:
        return False
    if op.name == "pow":
        return (_constant(program, op.inputs[1]) or 0.0) < 0
    divisions = program.reaches(op.outputs[0], frozenset({"div"}), SHAPING | {"add", "max"})
    return op.name == "rsqrt" or any(position == 1 for _, position in divisions)
