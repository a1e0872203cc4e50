"""A program run in a norm mode: its normalisations with statistics of the batch, with mean 0 and variance 1, or left out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from jaxzc._compile.jaxpr import CUSTOM_RULES, Op, bind, scan_starts
from jaxzc.networks.normalisation.axes import named_sum
from jaxzc.networks.normalisation.finder import Findings
from jaxzc.networks.normalisation.forms import Edit, Normalisation
from jaxzc.numerics.trees import wide_dtype
from jaxzc.types import Array, Norm


def changes(normalisation: Normalisation, norm: Norm) -> bool:
    """Whether a normalisation acts otherwise in this mode than in the program. Statistics of one example are what they are in train and
    eval mode alike."""
    if norm == "batch":
        return normalisation.stored
    return norm == "none" or normalisation.stored or normalisation.pools is not False


def run_in_mode(findings: Findings, arguments: Sequence[Any], norm: Norm, axes: Sequence[str] = ()) -> tuple[list[Any], frozenset[int]]:
    """The outputs of the program in a norm mode, and the numbers of the arguments that they need.

    axes: names of axes that are there only so that the program could be traced, of size 1.
    """
    run = _Run(findings, norm, frozenset(axes), dict(zip(findings.program.inputs, arguments, strict=True)))
    for number in run.order():
        run.value(findings.program.ops[number].outputs[0])
    outputs = [run.value(output) for output in findings.program.outputs]
    for op in findings.program.ops:
        if op.eqn.effects and not named_sum(op, run.axes) and not any(output in run.env for output in op.outputs):
            bind(op.eqn, [run.value(value) for value in op.inputs])
    return outputs, frozenset(run.needed)


def touched(findings: Findings, norm: Norm, axes: frozenset[str]) -> bool:
    """Whether anything in these findings is other in this mode than in the program."""
    named = bool(axes) and any(named_sum(op, axes) for each in findings.all() for op in each.program.ops)
    return named or any(changes(one, norm) for each in findings.all() for one in each.normalisations)


@dataclass
class _Run:
    findings: Findings
    norm: Norm
    axes: frozenset[str]
    arguments: dict[int, Any]
    env: dict[int, Any] = field(default_factory=dict)
    needed: set[int] = field(default_factory=set)
    numbers: dict[int, int] = field(default_factory=dict)
    edits: dict[int, tuple[Edit, Normalisation]] = field(default_factory=dict)
    bodies: dict[int, "_Bodies"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        program = self.findings.program
        self.env.update(program.constants)
        self.numbers.update((output, number) for number, op in enumerate(program.ops) for output in op.outputs)
        for one in self.findings.normalisations:
            if changes(one, self.norm):
                self.edits.update((edit.op, (edit, one)) for edit in one.edits.values())

    def order(self) -> list[int]:
        """The operations that the outputs need, in the program's order but for those that now read what came later."""
        latest: dict[int, int] = {}
        todo = [self.numbers[output] for output in self.findings.program.outputs if output in self.numbers]
        while todo:
            number = todo[-1]
            reads = [self.numbers[value] for value in self._reads(self.findings.program.ops[number]) if value in self.numbers]
            missing = [read for read in reads if read not in latest]
            if missing:
                todo.extend(missing)
            else:
                latest[todo.pop()] = max([number, *(latest[read] for read in reads)])
        return sorted(latest, key=lambda number: (latest[number], number))

    def value(self, number: int) -> Any:
        """A value, computed when it is first asked for (with a stack of its own, as programs are deeper than Python's)."""
        todo = [number]
        while todo:
            current = todo[-1]
            if current in self.env:
                todo.pop()
            elif current in self.arguments:
                self.needed.add(self.findings.program.inputs.index(current))
                self.env[current] = self.arguments[current]
            else:
                op = self.findings.program.ops[self.numbers[current]]
                missing = [value for value in self._reads(op) if value not in self.env]
                if missing:
                    todo.extend(missing)
                else:
                    self.env.update(zip(op.outputs, self._results(op), strict=True))
        return self.env[number]

    def _reads(self, op: Op) -> Sequence[int]:
        """The values that an operation needs in this mode."""
        number = self.numbers[op.outputs[0]]
        if number in self.edits:
            edit, one = self.edits[number]
            own = [op.inputs[edit.position]]
            others = [value for position, value in enumerate(op.inputs) if position != edit.position]
            if edit.role == "centre":
                return own
            if edit.role == "offset":
                return [] if self.norm != "batch" else [*others, one.base]
            if edit.role == "variance":
                return others if self.norm != "batch" else [*others, one.base]
            if self.norm == "none":
                return own
        elif number in self.findings.inner:
            return [value for value, needs in zip(op.inputs, self._bodies(op).needs, strict=True) if needs]
        return op.inputs

    def _results(self, op: Op) -> Sequence[Any]:
        number = self.numbers[op.outputs[0]]
        if number in self.edits:
            return [self._edited(op, *self.edits[number])]
        if named_sum(op, self.axes):
            return [self.env[value] for value in op.inputs]
        if number in self.findings.inner:
            return self._bodies(op).run([self.env.get(value) for value in op.inputs])
        return bind(op.eqn, [self.env[value] for value in op.inputs])

    def _edited(self, op: Op, edit: Edit, one: Normalisation) -> Any:
        """What an operation of a normalisation gives in this mode."""
        out = self.findings.program.avals[op.outputs[0]]
        batch = self.norm == "batch"
        if edit.role == "offset" and not batch:
            return jnp.zeros(out.shape, out.dtype)
        if edit.role == "centre" or (edit.role in ("scale", "shift") and self.norm == "none"):
            value = self.env[op.inputs[edit.position]]
            if batch:
                value = value - _statistics(value, one)[0].astype(value.dtype)
            return jnp.broadcast_to(value, out.shape).astype(out.dtype)
        values = [self.env.get(value) for value in op.inputs]
        if edit.role in ("offset", "variance"):
            aval = self.findings.program.avals[op.inputs[edit.position]]
            statistic = jnp.ones(())
            if batch:
                statistic = _statistics(self.env[one.base], one)[edit.role == "variance"] * (-1 if edit.negative else 1)
                statistic = statistic.reshape(aval.shape) if statistic.size == aval.size else statistic
            values[edit.position] = jnp.broadcast_to(statistic.astype(aval.dtype), aval.shape)
        return bind(op.eqn, values)[0]

    def _bodies(self, op: Op) -> "_Bodies":
        """An operation that runs programs, as it is in this mode."""
        number = self.numbers[op.outputs[0]]
        if number not in self.bodies:
            self.bodies[number] = self._switched(op, self.findings.inner[number])
        return self.bodies[number]

    def _switched(self, op: Op, inner: Sequence[Findings]) -> "_Bodies":
        if not any(touched(each, self.norm, self.axes) for each in inner):
            return _Bodies([True] * len(op.inputs), lambda values: bind(op.eqn, values))
        avals = [self.findings.program.avals[value] for value in op.inputs]
        if op.name in CUSTOM_RULES:
            return self._opened(inner[0])
        switched, needs = zip(*(self._traced(each) for each in inner), strict=True)
        if op.name == "scan":
            params, fixed = {"jaxpr": switched[0]}, scan_starts(op.params)[0]
            needed = [needs[0][i] if i < fixed or i >= scan_starts(op.params)[1] else True for i in range(len(op.inputs))]
        elif op.name == "while":
            params, (first, count) = {"body_jaxpr": switched[0]}, (op.params["cond_nconsts"], op.params["body_nconsts"])
            needed = [True] * first + needs[0][:count] + [True] * (len(op.inputs) - first - count)
        else:
            params, needed = {"branches": tuple(switched)}, [True, *(any(each) for each in zip(*needs, strict=True))]
        eqn = op.eqn.replace(params={**op.params, **params})

        def run(values: Sequence[Any]) -> Sequence[Any]:
            filled = [jnp.zeros(aval.shape, aval.dtype) if value is None else value for value, aval in zip(values, avals, strict=True)]
            return bind(eqn, filled)

        return _Bodies(needed, run)

    def _opened(self, inner: Findings) -> "_Bodies":
        """A function with a derivative of its own, which in another mode is another function: derived as it runs."""
        _, needs = self._traced(inner)
        return _Bodies(needs, lambda values: run_in_mode(inner, values, self.norm, tuple(self.axes))[0])

    def _traced(self, inner: Findings) -> tuple[Any, list[bool]]:
        needed: list[frozenset[int]] = []

        def body(*values: Any) -> Any:
            outputs, used = run_in_mode(inner, values, self.norm, tuple(self.axes))
            needed.append(used)
            return outputs

        shapes = [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in (inner.program.avals[i] for i in inner.program.inputs)]
        closed = jax.make_jaxpr(body)(*shapes)
        return closed, [i in needed[0] for i in range(len(shapes))]


@dataclass(frozen=True)
class _Bodies:
    """needs: whether each input is read; run: gives the outputs, for inputs of which those not read may be None."""

    needs: Sequence[bool]
    run: Callable[[Sequence[Any]], Sequence[Any]]


def _statistics(value: Array, one: Normalisation) -> tuple[Array, Array]:
    """Mean and variance of the batch (in two passes) over the axes along which the stored ones do not vary, in at least float32."""
    rest = tuple(axis for axis in range(value.ndim) if axis not in one.axes)
    wide = value.astype(wide_dtype(value.dtype))
    mean = jnp.mean(wide, rest, keepdims=True)
    return mean, jnp.mean(jnp.square(wide - mean), rest, keepdims=True)
