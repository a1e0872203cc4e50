"""Running a program with taps in it, those inside loops too: what is kept there has one entry for each step, as `lax.scan` stacks it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from jaxzc._compile.jaxpr import Op, Trace, bind, closed_body, flatten, scan_starts

Path = tuple[int, ...]
"""Where an operation stands: its number in the program, or the numbers of the loops around it and then its own in the innermost body."""
Look = Callable[[Sequence[Any]], Any]
"""A function of an operation's inputs, that returns what to keep."""
Change = Callable[[Any, Any], tuple[Any, Any]]
"""A function of an operation's output and of a perturbation, that returns the output to go on with and what to keep."""


def run_tapped(
    program: Trace,
    args: Sequence[Any],
    before: Mapping[Path, Look],
    after: Mapping[Path, Change],
    perturb: Mapping[Path, Any],
) -> tuple[list[Any], dict[Path, Any], dict[Path, Any]]:
    """The program's outputs; what was kept before operations, and after operations, by their places, with one leading axis for each loop.

    perturb: what a change is given, with the same leading axes; None where there is no entry.
    """
    env: dict[int, Any] = dict(program.constants)
    env.update(zip(program.inputs, args, strict=True))
    loops = {path[0] for path in (*before, *after) if len(path) > 1}
    seen: dict[Path, Any] = {}
    records: dict[Path, Any] = {}
    for number, op in enumerate(program.ops):
        values, place = [env[value] for value in op.inputs], (number,)
        if place in before:
            seen[place] = before[place](values)
        if number in loops:
            outputs, *inner = _scan(op, values, _within(before, number), _within(after, number), _within(perturb, number))
            seen |= {(number, *path): value for path, value in inner[0].items()}
            records |= {(number, *path): value for path, value in inner[1].items()}
        else:
            outputs = bind(op.eqn, values)
        if place in after:
            changed, records[place] = after[place](outputs[0], perturb.get(place))
            outputs = [changed]
        env.update(zip(op.outputs, outputs, strict=True))
        for value in op.last_reads:  # an eager run must not hold every activation
            env.pop(value, None)
    return [env[value] for value in program.outputs], seen, records


def _scan(op: Op, values: Sequence[Any], before: Mapping[Path, Look], after: Mapping[Path, Change], perturb: Mapping[Path, Any]) -> Any:
    body, params = flatten(closed_body(op.eqn)), op.params
    first, second = scan_starts(params)
    states = second - first

    def step(carry: list[Any], slices: tuple[list[Any], Any]) -> Any:
        xs, moved = slices
        outputs, seen, records = run_tapped(body, [*values[:first], *carry, *xs], before, after, moved)
        return outputs[:states], (outputs[states:], seen, records)

    carry, (ys, seen, records) = jax.lax.scan(
        step,
        list(values[first:second]),
        (list(values[second:]), dict(perturb)),
        length=params["length"],
        reverse=params["reverse"],
        unroll=params["unroll"],
    )
    return [*carry, *ys], seen, records


def _within(hooks: Mapping[Path, Any], number: int) -> dict[Path, Any]:
    """Those inside the loop of this number, by their places in its body."""
    return {path[1:]: hook for path, hook in hooks.items() if path[0] == number and len(path) > 1}
