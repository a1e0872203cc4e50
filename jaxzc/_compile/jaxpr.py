"""A traced program as a flat list of operations that can be looked at, and run again with taps.

A model is not hooked: its pure function is traced to a jaxpr, calls that only group code (`jit`, `remat`) are inlined, and what is left
is a straight line of operations on numbered values. Running it binds every primitive again, so it can be traced, differentiated and
vmapped like the model itself; custom derivative rules stay in place because such calls are never opened when running.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from jax.extend.core import Jaxpr, JaxprEqn, Literal

from jaxzc._compile.platforms import NAME, traced_form

INLINED = frozenset({"jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint"})
"""Calls that only group code."""

CUSTOM_RULES = frozenset({"custom_jvp_call", "custom_vjp_call"})
"""Calls that carry their own derivative."""

SHAPING = frozenset(
    {
        *("reshape", "broadcast_in_dim", "convert_element_type", "squeeze", "transpose", "expand_dims", "copy"),
        *("name", "sharding_constraint"),  # a name for rematerialisation, a place on several devices
    }
)
"""Operations that change a value's layout, not its numbers."""

SETTINGS = ("jax_enable_x64", "jax_default_matmul_precision")
"""JAX's flags that are baked into a trace."""


PRODUCTS = frozenset({"conv_general_dilated", "dot_general"})
"""Operations that multiply and add up."""


@dataclass(frozen=True, eq=False)
class Op:
    """One operation: the jaxpr equation it binds, the numbers of the values it reads and writes, and those no later operation reads."""

    eqn: JaxprEqn
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    last_reads: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        return self.eqn.primitive.name

    @property
    def params(self) -> Mapping[str, Any]:
        return self.eqn.params


@dataclass(frozen=True, eq=False)
class Trace:
    """A traced function: a straight-line program on numbered values.

    ops: in execution order; those that the outputs do not need are gone.
    inputs, outputs: numbers of the arguments (flat, as the traced function took them) and of the results.
    avals: shape and dtype of every value.
    constants: values known when traced: literals and arrays that the function closed over.
    """

    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    avals: tuple[Any, ...]
    constants: Mapping[int, Any]

    @cached_property
    def readers(self) -> Mapping[int, list[tuple[int, int]]]:
        """For each value, which operations read it: (number of the operation, which of its inputs)."""
        readers: dict[int, list[tuple[int, int]]] = {}
        for number, op in enumerate(self.ops):
            for position, value in enumerate(op.inputs):
                readers.setdefault(value, []).append((number, position))
        return readers

    @cached_property
    def writer(self) -> Mapping[int, Op]:
        """For each value that is neither an argument nor a constant, the operation that makes it."""
        return {value: op for op in self.ops for value in op.outputs}

    def reaches(self, value: int, targets: frozenset[str], through: frozenset[str]) -> list[tuple[int, int]]:
        """Where `value` is read by an operation named in `targets`, directly or after operations named in `through`."""
        hits, todo, seen = [], [value], {value}
        while todo:
            for number, position in self.readers.get(todo.pop(), ()):
                op = self.ops[number]
                if op.name in targets:
                    hits.append((number, position))
                elif op.name in through:
                    new = [output for output in op.outputs if output not in seen]
                    seen.update(new)
                    todo.extend(new)
        return hits


class Closed(NamedTuple):
    """A jaxpr and the values of its constants (JAX before 0.12 has a class of its own for the pair, later versions have one class)."""

    jaxpr: Jaxpr
    consts: Sequence[Any]


def closed(body: Any) -> Closed:
    """Any form in which JAX hands out a jaxpr."""
    return Closed(getattr(body, "jaxpr", body), getattr(body, "consts", ()))


def flatten(jaxpr: Any, platform: str | None = None) -> Trace:
    """The program of a jaxpr in any form (see `closed`), with grouping calls inlined and unused operations dropped.

    platform: where the program will run; operations with a form for each platform (`jaxzc._compile.platforms`) are replaced by their form
    there. None: they stay as they are."""
    traced = closed(jaxpr)
    ops: list[Op] = []
    avals: list[Any] = []
    constants: dict[int, Any] = {}

    def new(aval: Any) -> int:
        avals.append(aval)
        return len(avals) - 1

    def known(value: Any, aval: Any) -> int:
        number = new(aval)
        constants[number] = value
        return number

    def inline(jaxpr: Jaxpr, consts: Sequence[Any], args: Sequence[int]) -> list[int]:
        env: dict[Any, int] = dict(zip(jaxpr.invars, args, strict=True))
        env.update((var, known(const, var.aval)) for var, const in zip(jaxpr.constvars, consts, strict=True))

        def read(atom: Any) -> int:
            return known(atom.val, atom.aval) if isinstance(atom, Literal) else env[atom]

        for eqn in jaxpr.eqns:
            inputs = tuple(read(atom) for atom in eqn.invars)
            if eqn.primitive.name in INLINED:
                body = closed_body(eqn)
                env.update(zip(eqn.outvars, inline(body.jaxpr, body.consts, inputs), strict=True))
                continue
            if eqn.primitive.name == NAME and platform is not None:
                form = closed(traced_form(eqn, platform))
                env.update(zip(eqn.outvars, inline(form.jaxpr, form.consts, inputs), strict=True))
                continue
            outputs = tuple(new(var.aval) for var in eqn.outvars)
            env.update(zip(eqn.outvars, outputs, strict=True))
            ops.append(Op(eqn, inputs, outputs))
        return [read(atom) for atom in jaxpr.outvars]

    arguments = tuple(new(var.aval) for var in traced.jaxpr.invars)
    results = tuple(inline(traced.jaxpr, traced.consts, arguments))
    return Trace(needed(ops, results), arguments, results, tuple(avals), constants)


def closed_body(eqn: JaxprEqn) -> Closed:
    """The jaxpr that a call-like equation runs."""
    return closed(next(eqn.params[key] for key in ("jaxpr", "call_jaxpr", "fun_jaxpr") if key in eqn.params))


def jaxprs_of(value: Any) -> Iterator[Any]:
    """The jaxprs that a parameter of an operation is, or holds."""
    if type(value) is tuple:
        for part in value:
            yield from jaxprs_of(part)
    elif hasattr(value, "eqns") or (hasattr(value, "jaxpr") and hasattr(value, "consts")):
        yield value


def scan_starts(params: Mapping[str, Any]) -> tuple[int, int]:
    """Where the carry and the scanned inputs of a scan begin among its inputs."""
    if "num_consts" in params:
        return params["num_consts"], params["num_consts"] + params["num_carry"]
    consts, carry, _ = (len(part.vals) for part in params["ft_in"].unpack())  # JAX 0.12 on
    return consts, consts + carry


def needed(ops: Sequence[Op], results: Sequence[int]) -> tuple[Op, ...]:
    """The operations that the results (or an effect) need, each with the values that are read there for the last time."""
    alive = set(results)
    alive_ops: list[Op] = []
    for op in reversed(ops):
        if op.eqn.effects or not alive.isdisjoint(op.outputs):
            last_reads = tuple({value for value in (*op.inputs, *op.outputs) if value not in alive})
            alive.update(op.inputs)
            alive_ops.append(replace(op, last_reads=last_reads))
    return tuple(reversed(alive_ops))


def run(program: Trace, args: Sequence[Any]) -> list[Any]:
    """Run the program on flat arguments and return its outputs."""
    env: dict[int, Any] = dict(program.constants)
    env.update(zip(program.inputs, args, strict=True))
    for op in program.ops:
        env.update(zip(op.outputs, bind(op.eqn, [env[value] for value in op.inputs]), strict=True))
        for value in op.last_reads:  # an eager run must not hold every value
            env.pop(value, None)
    return [env[value] for value in program.outputs]


def bind(eqn: JaxprEqn, values: Sequence[Any]) -> Any:
    """The results of one equation for these inputs, a sequence."""
    bound = eqn.primitive.get_bind_params(eqn.params)
    functions, params = bound if isinstance(bound, tuple) else ((), bound)
    context = getattr(eqn, "ctx", None)
    with nullcontext() if context is None else context.manager:
        result = eqn.primitive.bind(*functions, *values, **params)
    return result if eqn.primitive.multiple_results else [result]
