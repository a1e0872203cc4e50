"""Functions compiled in pieces that other functions have as well, so that one network's compilation serves the next.

In a space of free widths and depths every architecture is a program of its own, and compiling it takes many times as long as running it.
But two such programs differ in a few layers only. Here the traced function is cut at its convolutions and matrix products, what lies
between two of them falls into parts that have nothing to do with each other, and every piece is compiled once for all functions in which
it occurs. XLA for CPUs merges nothing with a convolution either, so little is lost when running.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxzc._compile import cache, depthwise, memory
from jaxzc._compile.cutting import ALONE, ONCE, Piece, cut
from jaxzc._compile.devices import processors
from jaxzc._compile.jaxpr import Op, Trace, closed_body, flatten, scan_starts

MOST = 2048
"""Compiled pieces that a process holds at once, about half a megabyte each; those used longest ago go first."""
CROWDED = 0.5
"""Share of a process's memory mappings; where more is taken, pieces go as well. One network's may take as much again."""


class Compiled(NamedTuple):
    """What runs a piece, and the bytes that it needs besides what it reads and makes."""

    run: Callable[..., Sequence[Any]]
    scratch: int


_compiled: OrderedDict[str, Compiled] = OrderedDict()


class Step(NamedTuple):
    """One piece as it runs: the numbers of the values it reads and makes, and those that nothing reads afterwards."""

    compiled: Compiled
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    last_reads: tuple[int, ...]


class Plan(NamedTuple):
    """A program cut and compiled. memory: bytes at its fullest moment."""

    program: Trace
    steps: tuple[Step, ...]
    memory: int

    def run(self, values: Sequence[Any]) -> list[Any]:
        """The program's outputs for these inputs."""
        env: dict[int, Any] = dict(self.program.constants)
        env.update(zip(self.program.inputs, values, strict=True))
        for step in self.steps:
            env.update(zip(step.outputs, step.compiled.run(*[env[value] for value in step.inputs]), strict=True))
            for value in step.last_reads:
                del env[value]
        return [env[value] for value in self.program.outputs]


class Pieced:
    """`function`, traced once for each choice of argument shapes and run piece by piece."""

    def __init__(self, function: Callable[..., Any]):
        self.function, self.plans = function, dict[Any, tuple[Plan, Any]]()

    def __call__(self, *args: Any) -> Any:
        flat, structure = jax.tree.flatten(args)
        shapes = (structure, *((np.shape(a), str(jnp.result_type(a))) for a in flat), *cache.settings())
        if shapes not in self.plans:
            traced, results = jax.make_jaxpr(self.function, return_shape=True)(*args)
            self.plans[shapes] = plan(flatten(traced)), jax.tree.structure(results)
            memory.check(self.plans[shapes][0].memory)
        plan_, structure = self.plans[shapes]
        return jax.tree.unflatten(structure, plan_.run(flat))

    @property
    def memory(self) -> int:
        """Bytes that the largest plan so far needs at its fullest moment."""
        return max((plan.memory for plan, _ in self.plans.values()), default=0)

    @property
    def compilations(self) -> int:
        """How many plans there are, one for each shape of the arguments."""
        return len(self.plans)


def plan(program: Trace) -> Plan:
    """The program cut and compiled."""
    pieces = cut(program)
    steps: list[Step] = []
    alive = set(program.outputs)
    for piece, run in zip(reversed(pieces), reversed(compiled(pieces, program)), strict=True):
        last_reads = tuple({*piece.inputs, *piece.outputs} - alive)
        alive.update(piece.inputs)
        steps.append(Step(run, piece.inputs, piece.outputs, last_reads))
    steps.reverse()
    return Plan(program, tuple(steps), _fullest(program, steps))


def compiled(pieces: Sequence[Piece], program: Trace) -> list[Compiled]:
    """The pieces compiled: those at hand, those kept on disk, and for the others as many compilers at a time as there are processors."""
    held = {piece.key: _compiled[piece.key] for piece in pieces if piece.key in _compiled}  # a loop's pieces may push others out meanwhile
    new = {piece.key: piece for piece in pieces if piece.key not in held}
    bodies = {key: body for key, piece in new.items() if (body := _loop_body(piece.ops[0])) is not None}
    held |= {key: _loop(new[key], program, body) for key, body in bodies.items()}
    rest = [piece for key, piece in new.items() if key not in bodies]
    with cache.own_cache() as folder, ThreadPoolExecutor(processors()) as pool:
        results = pool.map(partial(_compile, program, folder, cache.settings()), rest)
        held |= {piece.key: one for piece, one in zip(rest, results, strict=True)}
    for key, one in held.items():
        _compiled[key] = one
        _compiled.move_to_end(key)
    while len(_compiled) > MOST:
        _compiled.popitem(last=False)
    while len(_compiled) > len(held) and memory.crowded(CROWDED):
        for _ in range(1 + (len(_compiled) - len(held)) // 2):
            _compiled.popitem(last=False)
    return [held[piece.key] for piece in pieces]


def _compile(program: Trace, folder: Path | None, settings: Sequence[Any], piece: Piece) -> Compiled:
    constants = _constants(piece, program)

    def run(*values: Any) -> list[Any]:
        env = constants | dict(zip(piece.inputs, values, strict=True))
        for op in piece.ops:
            env.update(zip(op.outputs, depthwise.bind(op.eqn, [env[value] for value in op.inputs]), strict=True))
        return [env[value] for value in piece.outputs]

    shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in (program.avals[value] for value in piece.inputs)]
    with cache.under(settings):
        executable = cache.read_or_compile(None if piece.key.startswith(ONCE) else folder, piece.key, jax.jit(run), shapes)
    return Compiled(executable, int(getattr(executable.memory_analysis(), "temp_size_in_bytes", 0)))


def _constants(piece: Piece, program: Trace) -> dict[int, Any]:
    return {value: program.constants[value] for op in piece.ops for value in op.inputs if value in program.constants}


def _loop_body(op: Op) -> Trace | None:
    """Of a scan over layers (a chunk of examples at a time, as in per-example gradients) what it repeats; None for all else."""
    if op.name != "scan" or op.params["length"] == 0:
        return None
    body = flatten(closed_body(op.eqn))
    return body if any(inner.name in ALONE for inner in body.ops) else None


def _loop(piece: Piece, program: Trace, repeated: Trace) -> Compiled:
    """A `lax.scan` whose body is cut as well, called by Python. (XLA for CPUs runs convolutions in a loop up to 100 times slower.)"""
    (op,) = piece.ops
    constants, params = _constants(piece, program), op.params
    body, (fixed, rows_from) = plan(repeated), scan_starts(params)
    carried = rows_from - fixed
    order = range(params["length"])[:: -1 if params["reverse"] else 1]

    def run(*values: Any) -> list[Any]:
        env = constants | dict(zip(piece.inputs, values, strict=True))
        inputs = [env[value] for value in op.inputs]
        carry, rows = inputs[fixed:rows_from], inputs[rows_from:]
        by_row: dict[int, list[Any]] = {}
        for number in order:
            results = body.run([*inputs[:fixed], *carry, *(_row(x, number) for x in rows)])
            carry, by_row[number] = results[:carried], results[carried:]
        columns = zip(*(by_row[number] for number in range(len(order))), strict=True)
        results = dict(zip(op.outputs, [*carry, *(_stacked(*column) for column in columns)], strict=True))
        return [results[value] for value in piece.outputs]

    return Compiled(run, body.memory)


@jax.jit
def _row(x: Any, number: Any) -> Any:
    return lax.dynamic_index_in_dim(x, number, keepdims=False)


@jax.jit
def _stacked(*rows: Any) -> Any:
    return jnp.stack(rows)


def _fullest(program: Trace, steps: Sequence[Step]) -> int:
    """Bytes of the values alive and of the running piece's own needs, at the moment when they are most."""
    size = {value: math.prod(aval.shape) * aval.dtype.itemsize for value, aval in enumerate(program.avals)}
    alive = sum(size[value] for value in program.inputs)
    fullest = alive
    for step in steps:
        alive += sum(size[value] for value in step.outputs)
        fullest = max(fullest, alive + step.compiled.scratch)
        alive -= sum(size[value] for value in step.last_reads)
    return fullest
