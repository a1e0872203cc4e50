"""The layout of a layer's output in the program, its multiply-accumulates, and where its bias has been added."""

import math

from jaxzc._compile.jaxpr import SHAPING, Op, Trace
from jaxzc.networks.analysis.records import Layer, Point, Taint


def conv_layout(program: Trace, op: Op, side: int) -> tuple[tuple[int, ...], int, int]:
    """Axes of the output as [batch, space..., channels], how many are rows, and fan_in."""
    kernel = program.avals[op.inputs[side]].shape
    numbers = op.params["dimension_numbers"]
    batch, features, *space = numbers.out_spec
    return (batch, *space, features), 1 + len(space), math.prod(kernel) // kernel[numbers.rhs_spec[0]]


def multiply_accumulates(program: Trace, op: Op, out: tuple[int, ...], fan_in: int) -> int:
    """Multiply-accumulates of a layer: outputs x fan-in. A transposed convolution multiplies the zeros between its inputs by nothing: each
    of its inputs meets its kernel once."""
    if math.prod(op.params.get("lhs_dilation") or ()) == 1:
        return math.prod(out) * fan_in
    data, kernel = (program.avals[value].shape for value in op.inputs)
    channels = kernel[op.params["dimension_numbers"].rhs_spec[1]] * op.params["feature_group_count"]
    return math.prod(data) * math.prod(kernel) // channels


def dot_layout(program: Trace, op: Op, side: int) -> tuple[tuple[int, ...], int, int]:
    """Axes of the output as [data axes..., kernel axes...], how many are data axes, and fan_in; batch axes belong to the kernel here
    (a stack of kernels, each for its slice of the data, is one layer with groups)."""
    contract, batch = op.params["dimension_numbers"]
    shapes = [program.avals[value].shape for value in op.inputs]
    stacked = len(batch[0])
    middle = len(shapes[0]) - len(contract[0])
    end = len(program.avals[op.outputs[0]].shape)
    free = [range(stacked, middle), range(middle, end)]
    return (*free[1 - side], *range(stacked), *free[side]), len(free[1 - side]), math.prod(shapes[side][axis] for axis in contract[side])


def product(program: Trace, op: Op, side: int) -> int:
    """Multiply-accumulates of an operation on the data; side: which operand counts as the kernel."""
    convolves = op.name == "conv_general_dilated"
    fan_in = conv_layout(program, op, 1)[2] if convolves else dot_layout(program, op, side)[2]
    return multiply_accumulates(program, op, program.avals[op.outputs[0]].shape, fan_in)


def is_stacked(op: Op) -> bool:
    """Whether a product is one of many, along axes of both operands."""
    return op.name == "dot_general" and bool(op.params["dimension_numbers"][1][0])


def after_bias(program: Trace, env: dict[int, Taint], layer: Layer) -> Point:
    """The layer's point moved behind the addition of its bias, where it has one."""
    assert layer.point is not None
    value, axes = program.ops[layer.point.op].outputs[0], layer.point.axes
    while len(readers := program.readers.get(value, ())) == 1 and value not in program.outputs:
        (number, position), op = readers[0], program.ops[readers[0][0]]
        if op.name == "add":
            other = op.inputs[1 - position]
            bias = bool(env[other].leaves) and _narrowest(program, other) in (1, layer.channels)
            return Point(number, axes, layer.point.rows) if bias else layer.point
        if op.name == "transpose":
            axes = tuple(op.params["permutation"].index(axis) for axis in axes)
        elif op.name not in ("convert_element_type", "name", "sharding_constraint"):
            break
        value = op.outputs[0]
    return layer.point


def _narrowest(program: Trace, value: int) -> int:
    """The size that a value had before it was broadcast (a bias has one number per channel, a position embedding has more)."""
    size = math.prod(program.avals[value].shape)
    while (op := program.writer.get(value)) is not None and op.name in SHAPING:
        value = op.inputs[0]
        size = min(size, math.prod(program.avals[value].shape))
    return size
