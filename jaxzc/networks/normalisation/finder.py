"""The normalisations of a program, those inside its loops, branches and functions with derivatives of their own included."""

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

import jax.numpy as jnp

from jaxzc._compile.jaxpr import CUSTOM_RULES, SHAPING, Op, Trace, closed_body, flatten, scan_starts
from jaxzc.networks.normalisation.algebra import Algebra
from jaxzc.networks.normalisation.axes import alike, examples, varying
from jaxzc.networks.normalisation.forms import Edit, Form, Normalisation, Unknown, distinct
from jaxzc.networks.normalisation.roots import divides_by_deviation
from jaxzc.networks.normalisation.values import Values

ROOTS = frozenset({"sqrt", "rsqrt", "pow", "exp"})
KEEPING = SHAPING | {"slice", "stop_gradient"}
"""Operations of which a stored statistic remains one."""


@dataclass(frozen=True)
class Value:
    """What is known of a value before its program is looked at.

    data, trained: whether it depends on the inputs, or on a parameter. leaf: the leaf that it is, in some layout and dtype: a number
    among the arguments, -1 for a constant; None where it is computed, or may not be a stored statistic.
    """

    data: bool
    trained: bool
    leaf: int | None = None

    def __or__(self, other: "Value") -> "Value":
        return Value(self.data or other.data, self.trained or other.trained)


CONSTANT = Value(False, False, -1)


@dataclass
class Findings:
    """What a program has. inner: for the number of an operation that runs programs, the findings of each, in the order of `bodies`."""

    program: Trace
    normalisations: list[Normalisation] = field(default_factory=list)
    unknown: list[Unknown] = field(default_factory=list)
    inner: dict[int, list["Findings"]] = field(default_factory=dict)

    def all(self) -> Iterable["Findings"]:
        yield self
        for each in self.inner.values():
            for findings in each:
                yield from findings.all()


def bodies(op: Op) -> list[Any]:
    """The programs that an operation runs, in any form of jaxpr."""
    if op.name == "scan":
        return [op.params["jaxpr"]]
    if op.name == "while":
        return [op.params["body_jaxpr"]]
    if op.name == "cond":
        return list(op.params["branches"])
    if op.name in CUSTOM_RULES:
        return [closed_body(op.eqn)]
    return []


def find(program: Trace, values: Sequence[Value], larger: Trace | None, batch: int) -> tuple[Findings, list[Value]]:
    """What `program` normalises, and what is known of its outputs.

    values: of its arguments. larger: the same program for a larger batch than `batch`, None where there is none.
    """
    if larger is not None and not alike(program, larger):
        larger = None
    finder = _Finder(program, larger, batch, Findings(program), dict(zip(program.inputs, values, strict=True)))
    finder.walk()
    return finder.findings, [finder.values[output] for output in program.outputs]


@dataclass
class _Finder:
    program: Trace
    larger: Trace | None
    batch: int
    findings: Findings
    values: dict[int, Value]
    records: dict[int, Normalisation] = field(default_factory=dict)

    def walk(self) -> None:
        values, forms = self.values, dict[int, tuple[Form, ...]]()
        values.update(dict.fromkeys(self.program.constants, CONSTANT))
        data = {number: value.data for number, value in values.items()}
        trained = {number: value.trained for number, value in values.items()}
        algebra = Algebra(Values(self.program, data, trained), forms, self.commit, self.extend)
        for number in list(values):
            forms[number] = self._own(number)
        for number, op in enumerate(self.program.ops):
            outs = self._results(number, op)
            for value, out in zip(op.outputs, outs, strict=True):
                values[value], data[value], trained[value] = out, out.data, out.trained
            results = algebra.results(number, op) if len(op.outputs) == 1 else []
            for value in op.outputs:
                forms[value] = distinct([*self._own(value), *(form for form in results if form.state != "stored")])
        self._finish(forms)

    def _own(self, number: int) -> tuple[Form, ...]:
        value, aval = self.values[number], self.program.avals[number]
        if value.data:
            return (Form("x", number),)
        if value.leaf is None or not getattr(aval, "shape", ()) or not jnp.issubdtype(aval.dtype, jnp.floating):
            return ()
        return (Form("stored", None, stored=True, leaves=frozenset({value.leaf})),)

    def _results(self, number: int, op: Op) -> list[Value]:
        """What is known of an operation's outputs; what runs inside it is found on the way."""
        ins = [self.values[value] for value in op.inputs]
        inner = bodies(op)
        if not inner:
            out = reduce(operator.or_, ins, Value(False, False))
            return [replace(out, leaf=self._leaf(op, ins))] * len(op.outputs)
        if op.name == "scan":
            carry, xs = scan_starts(op.params)
            outs = self._loop(number, inner[0], ins[:carry], ins[carry:xs], ins[xs:])
        elif op.name == "while":
            fixed, state = op.params["cond_nconsts"], op.params["cond_nconsts"] + op.params["body_nconsts"]
            outs = self._loop(number, inner[0], ins[fixed:state], ins[state:], [])
        elif op.name == "cond":
            branches = [self._inside(number, index, body, ins[1:]) for index, body in enumerate(inner)]
            outs = [reduce(operator.or_, each, ins[0]) for each in zip(*branches, strict=True)]
        else:
            outs = self._inside(number, 0, inner[0], ins)
        return [replace(out, leaf=None) for out in outs]

    def _leaf(self, op: Op, ins: list[Value]) -> int | None:
        """The leaf that an operation's output still is, in a layout, a part, or a multiple of it."""
        if not ins or len(op.outputs) != 1:
            return None
        if op.name in KEEPING:
            number = bool(self.program.avals[op.inputs[0]].shape) or ins[0].leaf == -1  # a statistic is no number that is broadcast
            return ins[0].leaf if number else None
        if op.name in ("mul", "div") and ins[1] == CONSTANT and self.program.avals[op.inputs[1]].size == 1:
            return ins[0].leaf
        return None

    def _loop(self, number: int, body: Any, fixed: list[Value], state: list[Value], xs: list[Value]) -> list[Value]:
        """After a loop: what it carries may come to depend on what its body gives, until nothing changes."""
        while True:
            outs = self._inside(number, 0, body, [*fixed, *state, *xs])
            new = [old | out if (old | out) != replace(old, leaf=None) else old for old, out in zip(state, outs[: len(state)], strict=True)]
            if new == state:
                return outs
            state = new

    def _inside(self, number: int, index: int, body: Any, values: list[Value]) -> list[Value]:
        larger = None if self.larger is None else flatten(bodies(self.larger.ops[number])[index])
        findings, outs = find(flatten(body), values, larger, self.batch)
        each = self.findings.inner.setdefault(number, [])
        each[index:] = [findings]
        return outs

    def commit(self, number: int, form: Form, inverse: Form, position: int) -> None:
        op = self.program.ops[number]
        edits = [*form.path, *inverse.path, Edit(number, "scale", position)]
        variance = next(self.program.ops[edit.op].inputs[edit.position] for edit in edits if edit.role == "variance")
        axes = tuple(sorted(varying(self.program, op.inputs[1 - position]))) if inverse.stored else ()
        assert form.base is not None
        record = self.records.setdefault(
            inverse.root, Normalisation(form.base, inverse.root, variance, inverse.stored, form.state == "centred", {}, axes)
        )
        record.edits.update((edit.op, edit) for edit in edits)
        record.centred |= form.state == "centred"
        record.leaves |= form.leaves | inverse.leaves
        shapes = {self.program.avals[value].shape for value in (record.base, form.base, op.inputs[position])}
        if inverse.stored and (record.base != form.base or len(shapes) > 1):
            record.axes = (-1,)  # one deviation for two values, or in another layout: not to be made anew

    def extend(self, form: Form, edit: Edit) -> None:
        record = self.records[form.root]
        record.edits[edit.op] = edit
        record.centred |= edit.role == "offset"
        record.leaves |= form.leaves

    def _finish(self, forms: dict[int, tuple[Form, ...]]) -> None:
        """Decide which records are normalisations, and find the roots of statistics that none of them explains."""
        for root, record in self.records.items():
            if record.stored and not record.centred:
                continue
            size = self.program.avals[record.variance].size
            shape = self.program.avals[record.base].shape
            own = math.prod(shape[axis] for axis in record.axes)
            if record.stored and (-1 in record.axes or size not in (own, math.prod(shape))):
                self.findings.unknown.append(Unknown(self.program.ops[root].name, record.variance, True))
                continue
            record.pools = None if record.stored else self._pools(record.base, record.variance)
            self.findings.normalisations.append(record)
        for number, op in enumerate(self.program.ops):
            if number in self.records or op.name not in ROOTS or not self._is_data(op.inputs[0]):
                continue
            if divides_by_deviation(self.program, self._is_data, op):
                self.findings.unknown.append(Unknown(op.name, op.inputs[0], False, self._pools(None, op.inputs[0])))

    def _pools(self, base: int | None, statistic: int) -> bool | None:
        """Whether a statistic is taken over several examples."""
        if self.larger is None:
            return None
        if base is not None and examples(self.program, self.larger, base) < self.batch:
            return False  # one example at a time, in a loop over them
        return examples(self.program, self.larger, statistic) < self.batch

    def _is_data(self, value: int) -> bool:
        return self.values[value].data
