"""Activation functions in a program, judged by operations alone (modules' names are gone): which, and of which value.

A rectifier is linear on both sides of a kink at zero; the sign of its input is a unit's binary code. Whatever the spelling, it is
`max(x, 0)`, a choice by `x > 0` between x and a multiple of x, the larger of two multiples of x, a product of x and the truth of `x > 0`
or one of two slopes, `x + |x|` or `x - min(x, 0)`. No rectifiers are a clip of integers (of tokens or positions) or of what cannot be
negative, the clip of a shifted value that a hard sigmoid consists of, the clip of a variance, and the lower half of
`max(x, 0) - a max(-x, 0)`.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from jaxzc._compile.jaxpr import CUSTOM_RULES, PRODUCTS, SHAPING, Op, Trace, closed_body, flatten
from jaxzc.networks.analysis.halves import completes, halves
from jaxzc.networks.analysis.records import Nonlinearity
from jaxzc.networks.analysis.values import (
    comes_from,
    constant,
    constants,
    is_softplus,
    is_zero,
    multiple,
    never_negative,
    plain,
    readers,
    unscaled,
)
from jaxzc.types import RECTIFIERS

ROOTS = frozenset({"sqrt", "rsqrt"})
COMPARISONS = {"gt": 1, "ge": 1, "lt": -1, "le": -1}
OPENED = PRODUCTS | CUSTOM_RULES | {"scan", "while", "cond"}
"""Operations that a function with a derivative of its own may hide, and that are looked at by themselves."""
SMOOTH = {"tanh": "tanh", "logistic": "sigmoid", "erf": "gelu", "erfc": "gelu"}


def nonlinearity(program: Trace, op: Op, data: Sequence[bool]) -> Nonlinearity | None:
    """The activation function that is complete with `op`; None where there is none.

    data: for each input, whether it depends on the network's inputs.
    """
    if not any(data) or not op.outputs or not jnp.issubdtype(program.avals[op.outputs[0]].dtype, jnp.floating):
        return None
    if op.name in CUSTOM_RULES:
        return _custom(program, op)
    if op.name == "clamp":
        low, high = (constant(program, op.inputs[place]) for place in (0, 2))
        return _clipped(program, op.inputs[1], 1, low, high)
    if op.name == "max":
        return _maximum(program, op, data)
    if op.name == "select_n" and len(op.inputs) == 3:
        return _choice(program, op)
    if op.name == "mul":
        return _gate(program, op, data)
    if op.name in SMOOTH:
        return _smooth(program, op)
    return halves(program, op) if op.name in ("add", "sub", "min") else None


def _maximum(program: Trace, op: Op, data: Sequence[bool]) -> Nonlinearity | None:
    position = next((1 - place for place in (0, 1) if is_zero(program, op.inputs[place])), None)
    if position is not None:
        if not data[position] or program.reaches(op.outputs[0], ROOTS, SHAPING | {"add"}) or completes(program, op, position):
            return None
        around = [number for reader in readers(program, op.outputs[0]) for number in reader.inputs]
        if any(_is_exponential(program, number, op.inputs[position]) for number in around):
            return Nonlinearity("elu", position)
        if any(_softens(program, number) for number in around):
            return Nonlinearity("softplus", position)
        cap = next((c for reader in readers(program, op.outputs[0]) if reader.name == "min" for c in constants(program, reader)), None)
        return _clipped(program, op.inputs[position], position, 0.0, cap)
    for place in (0, 1):
        slope = multiple(program, op.inputs[1 - place], op.inputs[place])
        if data[place] and slope is not None and slope < 1:
            return Nonlinearity("prelu" if np.isnan(slope) else "leaky_relu", place)
    return None


def _clipped(program: Trace, value: int, position: int, low: float | None, high: float | None) -> Nonlinearity | None:
    """A clip from `low` to `high` (None: unbounded, or not known)."""
    if low != 0 or never_negative(program, value):
        return None
    writer = program.writer.get(plain(program, value))
    if writer is not None and writer.name == "min" and high is None:  # min(x, 6) first, then max(x, 0)
        capped = [number for number in writer.inputs if constant(program, number) is None]
        high = next(constants(program, writer), None)
        writer = program.writer.get(plain(program, capped[0])) if capped else writer
    if high is not None and writer is not None and writer.name in ("add", "sub") and any(c for c in constants(program, writer)):
        return Nonlinearity("hard_sigmoid", position)
    return Nonlinearity("relu" if high is None or np.isinf(high) else "relu6", position)


def _compared(program: Trace, truth: int) -> tuple[int, int] | None:
    """x and 1 where the value is `x > 0`, x and -1 where it is `x < 0`; None for anything else."""
    test = program.writer.get(plain(program, truth))
    if test is None or test.name not in COMPARISONS:
        return None
    for place in (0, 1):
        if is_zero(program, test.inputs[1 - place]):
            return test.inputs[place], COMPARISONS[test.name] * (1 - 2 * place)
    return None


def _choice(program: Trace, op: Op) -> Nonlinearity | None:
    """where(x > 0, x or a multiple, 0 or a multiple or something else of x)."""
    compared = _compared(program, op.inputs[0])
    if compared is None:
        return None
    x, above, below = compared[0], *_sides(compared[1])
    steep = multiple(program, op.inputs[above], x)
    if steep is None or not steep > 0 or never_negative(program, x):
        return None
    if is_zero(program, op.inputs[below]):
        return Nonlinearity("relu", above)
    slope = multiple(program, op.inputs[below], x)
    if slope is None:
        grows = comes_from(program, op.inputs[below], frozenset({"exp", "expm1", "exp2"}))
        return Nonlinearity("elu", above) if grows else None
    return None if slope == steep else Nonlinearity("prelu" if np.isnan(slope) else "leaky_relu", above)


def _sides(sign: int) -> tuple[int, int]:
    """The operands of a choice that are taken where the compared value is positive, and where it is negative."""
    return (2, 1) if sign > 0 else (1, 2)  # operand 1 where the test is false


def _gate(program: Trace, op: Op, data: Sequence[bool]) -> Nonlinearity | None:
    """x * (x > 0), or x * where(x > 0, slope, slope)."""
    for place in (0, 1):
        factor = op.inputs[1 - place]
        maker = program.writer.get(plain(program, factor))
        chooses = maker is not None and maker.name == "select_n" and len(maker.inputs) == 3
        compared = _compared(program, maker.inputs[0] if maker is not None and chooses else factor)
        if compared is None or plain(program, compared[0]) != plain(program, op.inputs[place]) or not all(data):
            continue
        if never_negative(program, compared[0]):
            return None
        if maker is None or not chooses:
            return Nonlinearity("relu", place) if compared[1] > 0 else None
        above, below = _sides(compared[1])
        steep, slope = (_slope(program, maker.inputs[side], compared[0], side == above) for side in (above, below))
        if steep is None or slope is None or not steep > 0 or slope == steep:
            return None
        return Nonlinearity("relu" if slope == 0 else "prelu" if np.isnan(slope) else "leaky_relu", place)
    return None


def _slope(program: Trace, value: int, x: int, above: bool) -> float | None:
    """The number that a factor is where x is above or below zero, NaN for one that is trained; None for one that is computed."""
    maker = program.writer.get(plain(program, value))
    inner = _compared(program, maker.inputs[0]) if maker is not None and maker.name == "select_n" and len(maker.inputs) == 3 else None
    if maker is not None and inner is not None and plain(program, inner[0]) == plain(program, x):
        return _slope(program, maker.inputs[_sides(inner[1])[not above]], x, above)
    known = constant(program, value)
    return known if known is not None else 0.0 if is_zero(program, value) else None if plain(program, value) in program.writer else np.nan


def _smooth(program: Trace, op: Op) -> Nonlinearity:
    kind = SMOOTH[op.name]
    if op.name == "logistic":
        x = plain(program, op.inputs[0])
        products = [reader for reader in readers(program, op.outputs[0]) if reader.name == "mul"]
        kind = "silu" if any(x in (plain(program, number) for number in reader.inputs) for reader in products) else kind
    if op.name == "tanh" and comes_from(program, op.inputs[0], frozenset({"integer_pow", "pow"}), 8):
        kind = "gelu"
    return Nonlinearity(kind, 0)


def _custom(program: Trace, op: Op) -> Nonlinearity | None:
    """A function with a derivative of its own: rectifiers, and softplus."""
    names = rectifier(op)
    if names is not None:
        return None if completes(program, op, 0) else _clipped(program, op.inputs[0], 0, 0.0, 6.0 if "min" in names else None)
    return Nonlinearity("softplus", 0) if is_softplus(program, op) else _only_rectifier(op)


def _only_rectifier(op: Op) -> Nonlinearity | None:
    """The rectifier of one of the function's arguments, where the function has no other activation function and no layer."""
    body = flatten(closed_body(op.eqn))
    if any(inner.name in OPENED for inner in body.ops):
        return None
    acts = [(inner, nonlinearity(body, inner, [True] * len(inner.inputs))) for inner in body.ops]
    acts = [(inner, act) for inner, act in acts if act is not None]
    if len(acts) != 1 or acts[0][1].kind not in RECTIFIERS:
        return None
    value = plain(body, acts[0][0].inputs[acts[0][1].position])
    return Nonlinearity(acts[0][1].kind, body.inputs.index(value)) if value in body.inputs else None


def rectifier(op: Op) -> list[str] | None:
    """The operations of a function with a custom derivative that is just `max(x, 0)`, or that and a `min`; None for any other."""
    body = flatten(closed_body(op.eqn))
    names = [inner.name for inner in body.ops if inner.name not in SHAPING]
    rectifies = len(op.inputs) == 1 and names in (["max"], ["max", "min"], ["clamp"])
    zero = any(inner.name in ("max", "clamp") and 0 in list(constants(body, inner)) for inner in body.ops)
    return (["max", "min"] if names == ["clamp"] else names) if rectifies and zero else None


def _is_exponential(program: Trace, value: int, x: int) -> bool:
    """Whether the value is a * (exp(min(x, 0) / b) - 1), the other half of a CELU."""
    op = unscaled(program, value)
    if op is None or op.name != "expm1":
        return False
    low = unscaled(program, op.inputs[0])
    return low is not None and low.name == "min" and plain(program, x) in {plain(program, number) for number in low.inputs}


def _softens(program: Trace, value: int) -> bool:
    """Whether the value is log(1 + exp(-|x|)), which makes a softplus of max(x, 0)."""
    op = program.writer.get(plain(program, value))
    return op is not None and op.name == "log1p" and comes_from(program, op.inputs[0], frozenset({"abs"}))


def is_normalisation(program: Trace, op: Op, data: Sequence[bool]) -> bool:
    """Whether this operation is the inverse square root of something that depends on the inputs."""
    if op.name not in ("rsqrt", "sqrt", "pow") or not data[0]:
        return False
    if op.name == "pow":
        return (constant(program, op.inputs[1]) or 0.0) < 0
    divisions = program.reaches(op.outputs[0], frozenset({"div"}), SHAPING | {"add", "max"})
    return op.name == "rsqrt" or any(position == 1 for _, position in divisions)
