"""Where a program has layers, activation functions and normalisation: read from its operations and from which parameters they depend on.

A layer is a convolution or matrix product of something that depends on the images with something that does not but depends on a parameter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from jaxzc._compile.jaxpr import CUSTOM_RULES, SHAPING, Op, Trace, closed_body, flatten, scan_starts
from jaxzc.networks.analysis.nonlinear import is_normalisation, nonlinearity, rectifier


class Taint(NamedTuple):
    """What a value depends on: the images, or else parameter leaves, each as (leaf, how many of its leading axes loops have sliced)."""

    data: bool
    leaves: frozenset[tuple[int, int]] = frozenset()


class Point(NamedTuple):
    """Where a layer's output is read: after which operation; the transposition to [rows..., channels...]; how many axes are rows."""

    op: int
    axes: tuple[int, ...]
    rows: int


class Where(NamedTuple):
    """The loops around an operation: numbers of the `lax.scan`s, each in the program of the one before; their lengths; and what hides the
    operation from taps, where something does."""

    loops: tuple[int, ...] = ()
    lengths: tuple[int, ...] = ()
    hidden: str = ""

    @property
    def reason(self) -> str:
        return f"runs inside {self.hidden}" if self.hidden else ""

    def into(self, construct: str) -> "Where":
        return self._replace(hidden=self.hidden or construct)


@dataclass(frozen=True)
class Layer:
    """One call of a convolution or linear layer.

    leaves: its kernel's parameter leaf (several where same-sized parameters were combined); depth: leading axes that loops have sliced.
    macs: multiply-accumulates for the traced batch, loop iterations included.
    where: the loops around it.
    point: where its output is read; None where it cannot be, and `reason` says why.
    """

    leaves: tuple[int, ...]
    depth: int
    fan_in: int
    channels: int
    macs: int
    point: Point | None
    reason: str = ""
    where: Where = Where()  # noqa: RUF009


class Activation(NamedTuple):
    """One activation function: its kind (see `Nonlinearity`), the operation that completes it, which of its inputs it acts on, and the
    loops around it."""

    kind: str
    op: int
    position: int
    where: Where


@dataclass
class Found:
    """What a program has, in execution order."""

    layers: list[Layer] = field(default_factory=list)
    activations: list[Activation] = field(default_factory=list)
    normalises: bool = False


def analyse(program: Trace, shapes: Sequence[tuple[int, ...]]) -> Found:
    """Layers, activation functions and normalisation of `program`, whose inputs are parameter leaves of these shapes, and then the data."""
    found = Found()
    taints = [Taint(False, frozenset({(leaf, 0)})) for leaf in range(len(shapes))]
    _Walk(shapes, found).block(program, [*taints, *[Taint(True)] * (len(program.inputs) - len(shapes))], Where(), 1)
    return found


@dataclass(frozen=True)
class _Walk:
    shapes: Sequence[tuple[int, ...]]
    found: Found

    def block(self, program: Trace, taints: Sequence[Taint], where: Where, times: int) -> dict[int, Taint]:
        """Note what the block has, which is run `times` times; every value's taint."""
        first = len(self.found.layers)
        env = dict.fromkeys(program.constants, Taint(False)) | dict(zip(program.inputs, taints, strict=True))
        for number, op in enumerate(program.ops):
            ins = [env[value] for value in op.inputs]
            data = [taint.data for taint in ins]
            act = nonlinearity(program, op, data)
            if act is not None:
                self.found.activations.append(Activation(act.kind, number, act.position, where))
                outs = [_join(*ins)] * len(op.outputs)
            else:
                self.found.normalises |= is_normalisation(program, op, data)
                layer = self._layer(program, number, ins, where, times)
                self.found.layers += [] if layer is None else [layer]
                outs = self._outputs(program, number, ins, where, times)
            env.update(zip(op.outputs, outs, strict=True))
        for place, layer in enumerate(self.found.layers[first:], first):
            if layer.point is not None and layer.where == where:
                self.found.layers[place] = replace(layer, point=_after_bias(program, env, layer))
        return env

    def _body(self, body: Any, taints: Sequence[Taint], where: Where, times: int) -> list[Taint]:
        program = flatten(body)
        env = self.block(program, taints, where, times)
        return [env[value] for value in program.outputs]

    def _outputs(self, program: Trace, number: int, ins: list[Taint], where: Where, times: int) -> list[Taint]:
        op = program.ops[number]
        p = op.params
        if op.name == "scan":
            start = scan_starts(p)
            pairs = zip(ins[start[1] :], op.inputs[start[1] :], strict=True)
            sliced = [self._slice(taint, program.avals[value].shape) for taint, value in pairs]
            within = where._replace(loops=(*where.loops, number), lengths=(*where.lengths, p["length"]))
            return self._loop(p["jaxpr"], ins[: start[0]], ins[start[0] : start[1]], sliced, within, times * p["length"])
        if op.name == "while":
            start = p["cond_nconsts"], p["cond_nconsts"] + p["body_nconsts"]
            return self._loop(p["body_jaxpr"], ins[start[0] : start[1]], ins[start[1] :], [], where.into("lax.while_loop"), times)
        if op.name == "cond":
            branches = [self._body(body, ins[1:], where.into("lax.cond"), times) for body in p["branches"]]
            return [_join(ins[0], *outs) for outs in zip(*branches, strict=True)]
        if op.name in CUSTOM_RULES and rectifier(op) is None:
            return self._body(closed_body(op.eqn), ins, where.into("a function with a custom derivative"), times)
        return [_join(*ins)] * len(op.outputs)

    def _loop(self, body: Any, fixed: list[Taint], state: list[Taint], xs: list[Taint], where: Where, times: int) -> list[Taint]:
        """Taints after a loop: its state may take up what the body's results depend on, until nothing changes."""
        while True:
            trial = Found()
            outs = _Walk(self.shapes, trial)._body(body, [*fixed, *state, *xs], where, times)
            new = [_join(*pair) for pair in zip(state, outs[: len(state)], strict=True)]
            if new == state:
                break
            state = new
        self.found.layers += trial.layers
        self.found.activations += trial.activations
        self.found.normalises |= trial.normalises
        return [*state, *outs[len(state) :]]

    def _slice(self, taint: Taint, shape: tuple[int, ...]) -> Taint:
        """The taint of one slice: a leaf handed over whole is a stack of kernels, anything computed from it is not."""
        return taint._replace(leaves=frozenset((leaf, depth + (self.shapes[leaf][depth:] == shape)) for leaf, depth in taint.leaves))

    def _layer(self, program: Trace, number: int, ins: list[Taint], where: Where, times: int) -> Layer | None:
        op = program.ops[number]
        if op.name not in ("conv_general_dilated", "dot_general") or ins[0].data == ins[1].data:
            return None
        side = 1 if ins[0].data else 0
        sizes = {
            (leaf, depth): math.prod(self.shapes[leaf][depth:]) for leaf, depth in ins[side].leaves if len(self.shapes[leaf]) - depth >= 2
        }
        if not sizes or (op.name == "conv_general_dilated" and side == 0):
            return None
        largest = sorted(key for key, size in sizes.items() if size == max(sizes.values()))
        kernel, out = program.avals[op.inputs[side]].shape, program.avals[op.outputs[0]].shape
        axes, rows, fan_in = (_conv_layout if op.name == "conv_general_dilated" else _dot_layout)(program, op, side)
        reason = where.reason
        if not reason and len(largest) > 1:
            reason = "has a kernel made of several parameters"
        elif not reason and op.params.get("batch_group_count", 1) != 1:
            reason = "mixes images (batch_group_count)"
        elif not reason and op.name == "dot_general" and op.params["dimension_numbers"][1][0] and math.prod(kernel) > max(sizes.values()):
            reason = "has its kernel repeated along an axis of the data"
        return Layer(
            leaves=tuple(leaf for leaf, _ in largest),
            depth=largest[0][1],
            fan_in=fan_in,
            channels=math.prod(out[axis] for axis in axes[rows:]),
            macs=_macs(program, op, out, fan_in) * times,
            point=None if reason else Point(number, axes, rows),
            reason=reason,
            where=where,
        )


def _conv_layout(program: Trace, op: Op, side: int) -> tuple[tuple[int, ...], int, int]:
    """Axes of the output as [batch, space..., channels], how many are rows, and fan_in."""
    kernel = program.avals[op.inputs[side]].shape
    numbers = op.params["dimension_numbers"]
    batch, features, *space = numbers.out_spec
    return (batch, *space, features), 1 + len(space), math.prod(kernel) // kernel[numbers.rhs_spec[0]]


def _macs(program: Trace, op: Op, out: tuple[int, ...], fan_in: int) -> int:
    """Multiply-accumulates of a layer: outputs x fan-in. A transposed convolution multiplies the zeros between its inputs by nothing: each
    of its inputs meets its kernel once."""
    if math.prod(op.params.get("lhs_dilation") or ()) == 1:
        return math.prod(out) * fan_in
    data, kernel = (program.avals[value].shape for value in op.inputs)
    channels = kernel[op.params["dimension_numbers"].rhs_spec[1]] * op.params["feature_group_count"]
    return math.prod(data) * math.prod(kernel) // channels


def _dot_layout(program: Trace, op: Op, side: int) -> tuple[tuple[int, ...], int, int]:
    """Axes of the output as [data axes..., kernel axes...], how many are data axes, and fan_in; batch axes belong to the kernel here
    (a stack of kernels, each for its slice of the data, is one layer with groups)."""
    contract, batch = op.params["dimension_numbers"]
    shapes = [program.avals[value].shape for value in op.inputs]
    stacked = len(batch[0])
    middle = len(shapes[0]) - len(contract[0])
    end = len(program.avals[op.outputs[0]].shape)
    free = [range(stacked, middle), range(middle, end)]
    return (*free[1 - side], *range(stacked), *free[side]), len(free[1 - side]), math.prod(shapes[side][axis] for axis in contract[side])


def _after_bias(program: Trace, env: dict[int, Taint], layer: Layer) -> Point:
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
        elif op.name != "convert_element_type":
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


def _join(*taints: Taint) -> Taint:
    if any(taint.data for taint in taints):
        return Taint(True)
    return Taint(False, frozenset().union(*(taint.leaves for taint in taints)))
