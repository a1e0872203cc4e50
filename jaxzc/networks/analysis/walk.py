"""Where a program has layers, activation functions and normalisation: read from its operations and from which parameters they depend on.

A layer is a convolution or matrix product of something that depends on the images with something that does not but depends on a parameter.
Where that is a product of parameters (`x @ (A @ B)`), or a sum with one, all of its factors are kernels: `x @ A @ B` is the same network.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from jaxzc._compile.jaxpr import CUSTOM_RULES, PRODUCTS, Op, Trace, closed_body, flatten, jaxprs_of, scan_starts
from jaxzc.networks.analysis.layouts import after_bias, conv_layout, dot_layout, is_stacked, multiply_accumulates, product
from jaxzc.networks.analysis.nonlinear import is_normalisation, nonlinearity, rectifier
from jaxzc.networks.analysis.records import Activation, Analysis, Layer, Point, Source, Taint, Where
from jaxzc.types import JaxzcError


def analyse(program: Trace, shapes: Sequence[tuple[int, ...]]) -> Analysis:
    """Layers, activation functions and normalisation of `program`, whose inputs are parameter leaves of these shapes, and then the data."""
    analysis = Analysis()
    taints = [Taint(False, frozenset({Source(leaf, 0)})) for leaf in range(len(shapes))]
    _Walk(shapes, analysis).block(program, [*taints, *[Taint(True)] * (len(program.inputs) - len(shapes))], Where(), 1)
    return analysis


@dataclass(frozen=True)
class _Walk:
    shapes: Sequence[tuple[int, ...]]
    analysis: Analysis

    def block(self, program: Trace, taints: Sequence[Taint], where: Where, times: int) -> dict[int, Taint]:
        """Note what the block has, which is run `times` times; every value's taint."""
        first = len(self.analysis.layers)
        env = dict.fromkeys(program.constants, Taint(False)) | dict(zip(program.inputs, taints, strict=True))
        for number, op in enumerate(program.ops):
            ins = [env[value] for value in op.inputs]
            data = [taint.data for taint in ins]
            act = nonlinearity(program, op, data)
            if act is not None:
                self.analysis.activations.append(Activation(act.kind, number, act.position, where))
                outs = [_join(*ins)] * len(op.outputs)
            else:
                self.analysis.normalises |= is_normalisation(program, op, data)
                layer = self._layer(program, number, ins, where, times)
                self.analysis.layers += [] if layer is None else [layer]
                if layer is None and op.name in PRODUCTS and any(data):
                    self.analysis.products += product(program, op, 1 if data[0] else 0) * times
                outs = self._outputs(program, number, ins, where, times)
            env.update(zip(op.outputs, outs, strict=True))
        for place, layer in enumerate(self.analysis.layers[first:], first):
            if layer.point is not None and layer.where == where:
                self.analysis.layers[place] = replace(layer, point=after_bias(program, env, layer))
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
        if op.name in PRODUCTS and all(taint.leaves for taint in ins):
            ins = [taint._replace(leaves=frozenset(source._replace(factor=True) for source in taint.leaves)) for taint in ins]
        mixes = any(taint.data for taint in ins) and any(taint.leaves for taint in ins)
        if mixes and op.name not in CUSTOM_RULES and _hides_products(op):
            raise JaxzcError(
                f"the model runs {op.name}, and layers inside of it are not read: score the function that runs there, without it"
            )
        return [_join(*ins)] * len(op.outputs)

    def _loop(self, body: Any, fixed: list[Taint], state: list[Taint], xs: list[Taint], where: Where, times: int) -> list[Taint]:
        """Taints after a loop: its state may take up what the body's results depend on, until nothing changes."""
        while True:
            trial = Analysis()
            outs = _Walk(self.shapes, trial)._body(body, [*fixed, *state, *xs], where, times)
            new = [_join(*pair) for pair in zip(state, outs[: len(state)], strict=True)]
            if new == state:
                break
            state = new
        self.analysis.layers += trial.layers
        self.analysis.activations += trial.activations
        self.analysis.normalises |= trial.normalises
        self.analysis.products += trial.products
        return [*state, *outs[len(state) :]]

    def _slice(self, taint: Taint, shape: tuple[int, ...]) -> Taint:
        """The taint of one slice: a leaf handed over whole is a stack of kernels, anything computed from it is not."""
        sliced = (source._replace(depth=source.depth + (self.shape(source) == shape)) for source in taint.leaves)
        return taint._replace(leaves=frozenset(sliced))

    def shape(self, source: Source) -> tuple[int, ...]:
        """Of the kernel that a leaf holds, or of one of those that are stacked in it."""
        return self.shapes[source.leaf][source.depth :]

    def _layer(self, program: Trace, number: int, ins: list[Taint], where: Where, times: int) -> Layer | None:
        op = program.ops[number]
        if op.name == "ragged_dot_general" and ins[0].data and not ins[1].data:
            return self._ragged(program, number, ins[1].leaves, where, times)
        if op.name not in PRODUCTS or ins[0].data == ins[1].data:
            return None
        side = 1 if ins[0].data else 0
        kernels = self._kernels(ins[side].leaves, math.prod(program.avals[op.inputs[side]].shape))
        if not kernels or (op.name == "conv_general_dilated" and side == 0):
            return None
        kernel, out = program.avals[op.inputs[side]].shape, program.avals[op.outputs[0]].shape
        axes, rows, fan_in = (conv_layout if op.name == "conv_general_dilated" else dot_layout)(program, op, side)
        reason = where.reason
        if not reason and len(kernels) > 1:
            reason = "has a kernel made of several parameters"
        elif not reason and op.params.get("batch_group_count", 1) != 1:
            reason = "mixes images (batch_group_count)"
        elif not reason and is_stacked(op) and math.prod(kernel) > max(math.prod(self.shape(source)) for source in kernels):
            reason = "has its kernel repeated along an axis of the data"
        return Layer(
            kernels=kernels,
            fan_in=fan_in,
            channels=math.prod(out[axis] for axis in axes[rows:]),
            macs=multiply_accumulates(program, op, out, fan_in) * times,
            product=(number, side),
            point=None if reason else Point(number, axes, rows),
            reason=reason,
            where=where,
        )

    def _ragged(self, program: Trace, number: int, sources: frozenset[Source], where: Where, times: int) -> Layer | None:
        """A product of every row with one of several kernels, as of tokens with their experts."""
        op = program.ops[number]
        data, kernel, out = (program.avals[value].shape for value in (*op.inputs[:2], op.outputs[0]))
        kernels = self._kernels(sources, math.prod(kernel))
        (contract, _), _ = op.params["ragged_dot_dimension_numbers"].dot_dimension_numbers
        fan_in, macs, reason = math.prod(data[axis] for axis in contract), math.prod(out), "multiplies rows by kernels that the data choose"
        return Layer(kernels, fan_in, out[-1], macs * fan_in * times, (number, 1), None, reason, where) if kernels else None

    def _kernels(self, sources: frozenset[Source], size: int) -> tuple[Source, ...]:
        """Of the parameters that an operand of this many numbers was made from, those that are kernels: the largest with two axes (others
        scale or shift it), and every matrix that was multiplied with others."""
        plain = [source for source in sources if not source.factor and len(self.shape(source)) >= 2]
        used = {source.leaf for source in plain}
        multiplied = [source for source in sources if source.factor and source.leaf not in used]
        factors = [source for source in multiplied if sum(length > 1 for length in self.shape(source)) >= 2]
        sizes = {source: math.prod(self.shape(source)) for source in plain}
        largest = max(sizes.values(), default=0) if not factors else size
        return tuple(sorted([*(source for source, own in sizes.items() if own == largest), *factors]))


def _hides_products(op: Op) -> bool:
    """Whether an operation runs a program that has matrix products or convolutions."""
    bodies = [flatten(body) for value in op.params.values() for body in jaxprs_of(value)]
    return any(inner.name in PRODUCTS or _hides_products(inner) for body in bodies for inner in body.ops)


def _join(*taints: Taint) -> Taint:
    if any(taint.data for taint in taints):
        return Taint(True)
    return Taint(False, frozenset().union(*(taint.leaves for taint in taints)))
