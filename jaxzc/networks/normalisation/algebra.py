"""What one operation makes of the forms of its inputs (see `forms`)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from jaxzc._compile.jaxpr import Op, Trace
from jaxzc.networks.normalisation.axes import positional_sum, varying
from jaxzc.networks.normalisation.centred import subtracts_again
from jaxzc.networks.normalisation.forms import (
    ABSOLUTE,
    FINISHED,
    HIDDEN,
    NEGATED,
    PASSING,
    RANK,
    SQUARED,
    STATISTICS,
    SUMMED,
    Edit,
    Form,
    State,
    joins,
    moved,
)
from jaxzc.networks.normalisation.lanes import sliced, stacked
from jaxzc.networks.normalisation.values import Values

TABLES = {"reduce_sum": SUMMED, "reduce_mean": SUMMED, "neg": NEGATED, "abs": ABSOLUTE}


@dataclass(frozen=True)
class Algebra:
    """The forms that operations give.

    values: what else is known of the program's values. forms: of each value that has any.
    commit: told of each division by a deviation: operation, the form that is divided, the deviation's, and the position of the former.
    extend: told of what else a normalisation does: a form of its result, and the edit.
    """

    values: Values
    forms: dict[int, tuple[Form, ...]]
    commit: Callable[[int, Form, Form, int], None]
    extend: Callable[[Form, Edit], None]

    @property
    def program(self) -> Trace:
        return self.values.program

    def of(self, value: int) -> tuple[Form, ...]:
        return self.forms.get(value, ())

    def results(self, number: int, op: Op) -> list[Form]:
        """The forms of what `op` (the program's operation of this number, with one output) gives."""
        name, first = "reduce_sum" if positional_sum(op) else op.name, op.inputs[0] if op.inputs else -1
        if name in PASSING:
            same = self.program.avals[first].shape == self.program.avals[op.outputs[0]].shape
            return [form if same or form.axes is None else replace(form, axes=None) for form in self.of(first)]
        if name in TABLES:
            return moved(self.of(first), TABLES[name])
        if name in ("square", "integer_pow", "pow"):
            return self._power(number, op)
        if name in ("sqrt", "rsqrt"):
            return self._root(number, op, "deviation" if name == "sqrt" else "inverse")
        if name == "max":
            return [form for position in (0, 1) for form in self._plus_free(number, op, position)]
        rules = {
            "slice": lambda: sliced(op, self.of),
            "stack": lambda: stacked(self.program, op, self.of),
            "concatenate": lambda: stacked(self.program, op, self.of),
            "select_n": lambda: self._selected(op),
            "dot_general": lambda: self._self_product(op),
            "mul": lambda: self._mul(number, op),
            "div": lambda: self._div(number, op),
            "add": lambda: self._sum(number, op),
            "sub": lambda: self._sum(number, op),
        }
        return list(rules[name]()) if name in rules else []

    def _selected(self, op: Op) -> Iterator[Form]:
        """A `where` between something and a constant."""
        cases = op.inputs[1:]
        for value in cases:
            if all(other == value or self.values.number(other) is not None for other in cases):
                for form in self.of(value):
                    if form.state in ("x", "masked"):
                        yield replace(form, state="masked")
                    elif form.state in HIDDEN:
                        yield form

    def _self_product(self, op: Op) -> list[Form]:
        """Sums of squares as a product of something with itself."""
        if not self.values.are_one(*op.inputs):
            return []
        return [
            replace(form, state=SUMMED[SQUARED[form.state]]) for form in self.of(op.inputs[0]) if form.state in ("x", "masked", "centred")
        ]

    def _power(self, number: int, op: Op) -> list[Form]:
        exponent = 2 if op.name == "square" else op.params["y"] if op.name == "integer_pow" else self.values.number(op.inputs[1])
        if exponent == 2:
            return moved(self.of(op.inputs[0]), SQUARED)
        if exponent == -1:
            return [replace(form, state="inverse") for form in self.of(op.inputs[0]) if form.state == "deviation"]
        if exponent in (0.5, -0.5):
            return self._root(number, op, "deviation" if exponent > 0 else "inverse")
        return []

    def _root(self, number: int, op: Op, state: State) -> list[Form]:
        roots = []
        for form in self.of(op.inputs[0]):
            if form.state in FINISHED:
                form = replace(form, path=(*form.path, Edit(number, "variance", 0)))
            elif form.state not in ("variance + eps", "stored + eps"):
                continue
            roots.append(replace(form, state=state, root=number))
        return roots

    def _plus_free(self, number: int, op: Op, position: int) -> Iterator[Form]:
        """A statistic or deviation, and a small number that keeps it above zero (added to it, or the least that it may be)."""
        other = op.inputs[1 - position]
        if self.values.data[other] or (self.program.avals[other].size != 1 and self.values.number(other) is None):
            return
        clipped = op.name == "max" and self.values.number(other) == 0
        for form in self.of(op.inputs[position]):
            if form.state == "deviation" or (clipped and form.state in ("power", "variance")) or (form.state == "stored" and clipped):
                yield form
            elif form.state in FINISHED:
                state = "stored + eps" if form.state == "stored" else "variance + eps"
                yield replace(form, state=state, path=(*form.path, Edit(number, "variance", position)))

    def _mul(self, number: int, op: Op) -> Iterator[Form]:
        if self.values.are_one(*op.inputs):
            yield from moved(self.of(op.inputs[0]), SQUARED)
            return
        for position in (0, 1):
            yield from self._divided(number, op, position, "inverse")
            yield from self._scaled(number, op, position)

    def _div(self, number: int, op: Op) -> Iterator[Form]:
        yield from self._divided(number, op, 0, "deviation")
        if not self.values.data[op.inputs[0]]:
            for form in self.of(op.inputs[1]):
                if form.state == "deviation":
                    yield self._with_scale(replace(form, state="inverse"), op.inputs[0])
        yield from self._scaled(number, op, 0)

    def _divided(self, number: int, op: Op, position: int, by: State) -> Iterator[Form]:
        """Data, or a mean, divided by a deviation (multiplied by its inverse)."""
        value, divisor = op.inputs[position], op.inputs[1 - position]
        best: tuple[tuple[int, int, int], Form, Form] | None = None
        for inverse in (form for form in self.of(divisor) if form.state == by):
            for form in self.of(value):
                stored = form.state in ("stored", "-stored") and inverse.stored
                if stored or (form.state in ("mean", "-mean", "mean scaled") and form.base == inverse.base):
                    edit = Edit(number, "offset", position, form.state in ("-stored", "-mean"))
                    yield replace(inverse, state="offset", path=(edit,), leaves=inverse.leaves | form.leaves)
                elif joins(form, inverse, value):
                    rank = (RANK[form.state], len(form.path), -(form.base or 0))
                    if best is None or rank > best[0]:
                        best = (rank, form, inverse)
        if best is not None:
            _, form, inverse = best
            self.commit(number, form, inverse, position)
            yield replace(inverse, state="normed", base=form.base, scaled=form.scaled or inverse.scaled, axes=inverse.axes or form.axes)

    def _scaled(self, number: int, op: Op, position: int) -> Iterator[Form]:
        """Something times (or divided by) what does not depend on the data, or a mask."""
        other = op.inputs[1 - position]
        for form, state in ((form, form.state) for form in self.of(op.inputs[position])):
            if state in STATISTICS:
                sign = 1 if op.name == "div" and self.values.data[other] else self.values.number(other) or 1
                if (op.name == "div" or self.values.is_single(other)) and (sign > 0 or state in NEGATED):
                    yield form if sign > 0 else replace(form, state=NEGATED[state])
                elif state in ("mean", "-mean") and self.values.is_parameter(other):
                    yield replace(form, state="mean scaled")
            elif self.values.is_mask(other) and state in ("x", "square", "centred", "centred square", "masked"):
                yield replace(form, state="masked") if state == "x" else form
            elif self.values.data[other]:
                continue
            elif state == "offset" or (state == "deviation" and self.values.is_single(other)):
                yield form
            elif state == "inverse":
                yield self._with_scale(form, other)
            elif state in ("x", "centred", "normed") and not form.scaled and not form.biased:
                yield from self._affine(form, Edit(number, "scale", position), other)

    def _affine(self, form: Form, edit: Edit, other: int) -> Iterator[Form]:
        """A scale of what is, or may become, normalised. A bare constant belongs to the normalisation only where a parameter follows."""
        form = replace(form, path=(*form.path, edit))
        if not self.values.is_parameter(other):
            if form.state != "x":
                yield form
            return
        if form.state == "normed":
            for part in form.path:
                self.extend(form, part)
        yield self._with_scale(replace(form, state="x scaled") if form.state == "x" else form, other)

    def _with_scale(self, form: Form, other: int) -> Form:
        return replace(form, scaled=True, axes=varying(self.program, other)) if self.values.is_parameter(other) else form

    def _sum(self, number: int, op: Op) -> Iterator[Form]:
        for position in (0, 1):
            value, other = op.inputs[position], op.inputs[1 - position]
            minus = op.name == "sub" and position == 0
            for form in self.of(value):
                yield from self._minus_mean(number, op, position, form, other)
                if form.state == "normed":
                    yield from self._biased(number, op, position, form, other)
                elif form.state == "offset" and not self.values.data[other] and not form.biased:
                    yield replace(form, biased=True)
                elif form.state in ("power", "variance") and (minus or op.name == "add"):
                    squares = "-mean squared" if not minus else "mean squared" if form.state == "power" else "mean centred squared"
                    if any(f.state == squares and f.base == form.base for f in self.of(other)):
                        yield replace(form, state="variance")
                elif form.state == "x" and (minus or op.name == "add") and self.values.number(other) == 0:
                    yield form
            if op.name == "add":
                yield from self._plus_free(number, op, position)

    def _minus_mean(self, number: int, op: Op, position: int, form: Form, other: int) -> Iterator[Form]:
        edit = Edit(number, "centre", position)
        if form.state == "centred" and op.name == "sub" and position == 0 and subtracts_again(self.program, form, other, self.of(other)):
            yield replace(form, path=(*form.path, edit))
        if form.state != "x":
            return
        stored: State = "stored" if op.name == "sub" else "-stored"
        for mean in self.of(other):
            if mean.state == ("mean" if op.name == "sub" else "-mean") and mean.base == form.base:
                yield replace(form, state="-centred" if op.name == "sub" and position == 1 else "centred", path=(*form.path, edit))
            elif mean.state == stored and (op.name == "add" or position == 0) and form.base == op.inputs[position]:
                yield replace(form, state="centred", stored=True, path=(*form.path, edit), leaves=mean.leaves)

    def _biased(self, number: int, op: Op, position: int, form: Form, other: int) -> Iterator[Form]:
        """A bias added to what is normalised, or the mean subtracted after the division."""
        if op.name == "sub" and position == 1:
            return
        edit = Edit(number, "shift", position)
        offsets = [f for f in self.of(other) if f.state == "offset" and f.root == form.root]
        if offsets:
            offset = max(offsets, key=lambda f: f.path[-1].op)
            for part in (*form.path, *offset.path, edit):
                self.extend(replace(form, leaves=offset.leaves), part)
            yield replace(form, path=(), biased=offset.biased)
        elif not form.biased and self.values.is_parameter(other):
            axes = varying(self.program, other)
            if len(axes) <= 1 or (form.axes is not None and axes <= form.axes):
                for part in (*form.path, edit):
                    self.extend(form, part)
                yield replace(form, path=(), biased=True)
