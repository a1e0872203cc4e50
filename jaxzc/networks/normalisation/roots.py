"""Roots of sums of squares of the data: what divides by a deviation, whoever wrote it and however."""

from collections.abc import Callable

from jaxzc._compile.jaxpr import CUSTOM_RULES, SHAPING, Op, Trace, closed_body, flatten
from jaxzc.networks.analysis.values import plain
from jaxzc.networks.normalisation.axes import positional_sum
from jaxzc.networks.normalisation.values import are_one

ELEMENTWISE = SHAPING | {"add", "sub", "mul", "div", "max", "min", "neg", "abs", "select_n", "stop_gradient", "psum", "clamp"}
FOLLOWED = SHAPING | {"add", "max", "mul", "select_n"}
"""Operations after which a root is still what may divide."""
SQUARES = frozenset({"square", "integer_pow", "pow"})
PARTS = frozenset({"slice", "dynamic_slice", "gather"})
SUMS = frozenset({"reduce_sum", "reduce_mean", "reduce_window_sum", "cumsum"})

Data = Callable[[int], bool]
"""Whether a value of the program depends on the inputs."""


def divides_by_deviation(program: Trace, data: Data, op: Op) -> bool:
    """Whether this root, of a sum of squares of the data, divides something."""
    if op.name == "exp":  # a power by way of the logarithm
        return any(_sums_squares(program, data, value) for value in _logarithms(program, data, op.inputs[0]))
    inverse = op.name == "rsqrt" or (op.name == "pow" and _negative(program, op.inputs[1]))
    divides = inverse or any(
        position == 1 or program.ops[reader].name == "integer_pow"
        for reader, position in program.reaches(op.outputs[0], frozenset({"div", "integer_pow"}), FOLLOWED)
    )
    return divides and _sums_squares(program, data, op.inputs[0])


def _negative(program: Trace, exponent: int) -> bool:
    known = program.constants.get(exponent)
    try:
        return known is None or float(known) < 0
    except TypeError:  # not one number, or traced
        return True


def _logarithms(program: Trace, data: Data, value: int) -> list[int]:
    """The values whose logarithms, in some multiple and layout, make this one."""
    op = program.writer.get(value)
    while op is not None and op.name in SHAPING | {"mul", "neg", "div"}:
        position = 0 if data(op.inputs[0]) else -1
        op = program.writer.get(op.inputs[position])
    return [op.inputs[0]] if op is not None and op.name == "log" else []


def _sums_squares(program: Trace, data: Data, value: int) -> bool:
    todo, seen = [(value, False)], set[tuple[int, bool]]()
    while todo:
        state = todo.pop()
        op = program.writer.get(state[0])
        if state in seen or op is None or not data(state[0]):
            continue
        seen.add(state)
        if (state[1] and _squares(program, op)) or (op.name == "dot_general" and _multiplies_squares(program, op)):
            return True
        if op.name in CUSTOM_RULES and _hides_squares(op):
            return True
        if op.name in SUMS or positional_sum(op):
            todo.append((op.inputs[0], True))
        elif op.name in PARTS:
            todo.append((op.inputs[0], state[1]))
        elif op.name in ELEMENTWISE or op.name == "cond":  # as a diagonal is taken, for different devices
            todo.extend((number, state[1]) for number in op.inputs)
    return False


def _squares(program: Trace, op: Op) -> bool:
    return op.name in SQUARES or (op.name == "mul" and are_one(program, *op.inputs))


def _multiplies_squares(program: Trace, op: Op) -> bool:
    """Whether a matrix product sums squares: of something with itself, or of squares with anything, a mean where these are ones."""
    first, second = (plain(program, number) for number in op.inputs)
    makers = (program.writer.get(number) for number in (first, second))
    return first == second or any(maker is not None and _squares(program, maker) for maker in makers)


def _hides_squares(op: Op) -> bool:
    """Whether a function with a derivative of its own has a sum and a square, so that what it gives may be a sum of squares."""
    body = flatten(closed_body(op.eqn))
    return any(_squares(body, inner) for inner in body.ops) and any(inner.name in SUMS for inner in body.ops)
