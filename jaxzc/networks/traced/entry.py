"""Where a network's inputs become floats: what is differentiated, perturbed or set to ones where the inputs are integers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp

from jaxzc._compile.jaxpr import Op, Trace, closed_body, flatten, scan_starts
from jaxzc.networks.traced.examples import Layout
from jaxzc.networks.traced.tapped import Path
from jaxzc.types import JaxzcError

CONTROL = frozenset({"while", "cond"})
LOOKUPS = frozenset({"gather", "dot_general", "dynamic_slice", "select_n"})
"""Operations by which an embedding's table is read (`dot_general` with a one-hot vector)."""


@dataclass(frozen=True)
class Entry:
    """The first floating values of a program.

    leaves: places, among the inputs' leaves, of those that are floats. ops: operations that read an embedding, or make floats of integers.
    reason: why it cannot be replaced, where it cannot.

    What an operation inside loops gives is stacked behind the axis of the examples: `[B, steps, ...]`.
    """

    leaves: tuple[int, ...]
    ops: tuple[Path, ...] = ()
    reason: str = ""

    def checked(self) -> "Entry":
        """Itself; `JaxzcError` with the reason where there is one."""
        if self.reason:
            raise JaxzcError(self.reason)
        return self


@dataclass(frozen=True)
class _State:
    """What a value holds of the data (nothing, integers, the truth of a comparison as a number: "bits", another number made of integers, or
    floats), and whether it depends on parameters."""

    data: str = ""
    trained: bool = False


ORDER = ("", "integer", "bits", "number", "float")
"""What a value may hold of the data; of two that meet in a loop the later counts."""


@dataclass
class _Seen:
    lookups: list[Path] = field(default_factory=list)
    numbers: list[Path] = field(default_factory=list)
    hidden: str = ""


def find_entry(program: Trace, params: int) -> Entry:
    """The entry of a program whose first `params` inputs are parameters and whose others are data.

    Float inputs are entries themselves. Of integers it is every embedding that is read with them (a gather from a parameter, a product of
    one with one-hot rows); where there is neither, the first float that they are converted to.
    """
    data = program.inputs[params:]
    env = {number: _State(trained=True) for number in program.inputs[:params]}
    env |= {number: _State("float" if _is_float(program, number) else "integer") for number in data}
    seen = _Seen()
    _walk(program, env, (), seen)
    leaves = tuple(place for place, number in enumerate(data) if _is_float(program, number))
    if seen.lookups:
        return Entry(leaves, tuple(seen.lookups))
    if leaves:
        return Entry(leaves)
    if seen.hidden and not seen.numbers:
        return Entry((), (), f"the integer inputs become floats inside {seen.hidden}, where they cannot be differentiated or replaced")
    if not seen.numbers:
        return Entry((), (), "the inputs never become floats, so that there is nothing to differentiate or to replace")
    return Entry((), (seen.numbers[0],))


def _walk(program: Trace, env: dict[int, _State], loops: Path, seen: _Seen) -> None:
    """Adds the states of a program's values to those of its inputs, and notes what is an entry. loops: the numbers of those around it."""
    for number, op in enumerate(program.ops):
        states, place = [env.get(value, _State()) for value in op.inputs], (*loops, number)
        if op.name == "scan":
            env.update(zip(op.outputs, _scan(op, states, place, seen), strict=True))
            continue
        kinds, trained = {state.data for state in states}, any(state.trained for state in states)
        for output in op.outputs:
            env[output] = _State(_kind(program, place, output, kinds, trained, seen), trained)


def _scan(op: Op, states: list[_State], place: Path, seen: _Seen) -> list[_State]:
    """The states of a loop's results. What it carries takes up what its body gives, until nothing changes."""
    body, (first, second) = flatten(closed_body(op.eqn)), scan_starts(op.params)
    carry = states[first:second]
    while True:
        trial = _Seen()
        env = dict(zip(body.inputs, [*states[:first], *carry, *states[second:]], strict=True))
        _walk(body, env, place, trial)
        outs = [env.get(value, _State()) for value in body.outputs]
        new = [_State(max(a.data, b.data, key=ORDER.index), a.trained or b.trained) for a, b in zip(carry, outs, strict=False)]
        if new == carry:
            break
        carry = new
    seen.lookups += trial.lookups
    seen.numbers += trial.numbers
    seen.hidden = seen.hidden or trial.hidden
    return [*carry, *outs[len(carry) :]]


def _kind(program: Trace, place: Path, output: int, kinds: set[str], trained: bool, seen: _Seen) -> str:
    """What an operation's output holds of the data; notes it where it is an entry."""
    op = program.ops[place[-1]]
    if not kinds - {""} or "float" in kinds:
        return "float" if "float" in kinds and _is_float(program, output) else "integer" if kinds - {""} else ""
    if not _is_float(program, output):
        return "integer"
    if op.name in CONTROL:
        seen.hidden = f"lax.{op.name}" + ("_loop" if op.name == "while" else "")
        return "float"
    one_hot = op.name != "dot_general" or "bits" in kinds
    if trained and op.name in LOOKUPS and one_hot and len(op.outputs) == 1:
        seen.lookups.append(place)
        return "float"
    if "number" in kinds or "bits" in kinds:
        return "float" if trained else next(kind for kind in ("number", "bits") if kind in kinds)
    if len(op.outputs) == 1:
        seen.numbers.append(place)
    truth = op.inputs and all(program.avals[number].dtype == jnp.bool_ for number in op.inputs)
    return "bits" if truth else "number"


def _is_float(program: Trace, number: int) -> bool:
    return jnp.issubdtype(program.avals[number].dtype, jnp.inexact)


def check_examples(values: Sequence[Any], batch: int, layouts: Sequence[Layout | None] = ()) -> None:
    """Raises `JaxzcError` where an entry's first axis does not hold the examples. layouts: of the last values, where known."""
    for value, layout in zip(values, [*[Layout(0)] * (len(values) - len(layouts)), *layouts], strict=True):
        if value.shape[:1] != (batch,) or layout != Layout(0):
            raise JaxzcError(
                f"the first floats that the inputs become have shape {list(value.shape)}, and their first axis is not the {batch} examples"
            )


def replacements(entry: Entry, inputs: Sequence[Any], values: Sequence[Any]) -> tuple[list[Any], Mapping[Path, Any]]:
    """The inputs' leaves with the entry's floats among them replaced, and what to put in the place of which operation's output, with one
    leading axis for each loop around it."""
    count = len(entry.leaves)
    if len(values) != count + len(entry.ops):
        raise JaxzcError(f"entry has {len(values)} arrays, expected {count + len(entry.ops)}: one for each that network.entry returns")
    leaves = list(inputs)
    for place, value in zip(entry.leaves, values[:count], strict=True):
        leaves[place] = value
    steps = zip(entry.ops, values[count:], strict=True)
    return leaves, {place: jnp.moveaxis(value, 0, len(place) - 1) for place, value in steps}


def examples_first(value: Any, place: Path) -> Any:
    """What an operation gave in all steps of the loops around it, with the axis of the examples before those of the loops."""
    return jnp.moveaxis(value, len(place) - 1, 0)
