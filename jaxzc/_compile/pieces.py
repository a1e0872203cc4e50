"""Compiles functions in pieces that many functions have in common, so that compiling one network prepares the next.

In a space of free widths and depths every architecture is a program of its own, and compiling that program takes many times as long as
running it. Two such programs, however, differ in a few layers only. So the traced function is cut into pieces (`jaxzc._compile.cutting`
says where), and every piece is compiled once for all functions that contain it. A `Plan` runs the pieces one after another from Python.

**What it costs when running.** Little on CPUs, since XLA for CPUs fuses nothing into a convolution anyway (`benchmarks/pieces.py` measures
it). Pieces run on one device and score one architecture at a time (`jaxzc.scoring.space.programs`).

**Loops.** A `scan` that contains heavy operations, as in per-example gradients by chunks, is unrolled by Python: its body is planned once
and called for each step (`_loop`). XLA for CPUs runs a convolution inside a loop up to 100 times slower than outside. A pass in float64
is one operation of the program, and is cut in its turn as well (`_widened`).

**Memory.** Between pieces every value is an array of its own, so the compiler cannot reuse buffers across pieces. A step drops the values
that nothing reads later, and `_peak_memory` computes the largest total in advance, so that a job can refuse a network that would not fit.
What was dropped and stays in the C library's heaps is given back to the system (`memory.Heap`), so that a process takes what was planned.

Beware:

- Compiled code takes thousands of memory mappings, and Linux limits a process to about 65,000 of them. The process dies without an error
  message when they run out. Hence `memory.let_go`.
- A cut function cannot be differentiated or vmapped. Trace the derivative, then cut.
- JAX flags are part of a plan's key: the same shapes under `jax.enable_x64` are another plan. Compiler threads have flags of their own,
  which `cache.under` sets.
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

from jaxzc._compile import cache, convolutions, float64, memory
from jaxzc._compile.cutting import ALONE, LONG, ONCE, Piece, cut
from jaxzc._compile.jaxpr import Op, Trace, closed_body, flatten, scan_starts
from jaxzc._compile.platforms import here, traced_for
from jaxzc._compile.recomputing import recomputed
from jaxzc._parallel.processors import one_blas_thread, processors


class Compiled(NamedTuple):
    """A compiled piece. run: inputs -> outputs. scratch: bytes of its temporaries, besides inputs and outputs."""

    run: Callable[..., Sequence[Any]]
    scratch: int


HELD: OrderedDict[str, Compiled] = OrderedDict()
"""The compiled pieces that this process holds, by their keys, the least recently used first. Clearing it lets go of them."""


class Step(NamedTuple):
    """One piece in a plan: the numbers of the values that it reads and writes, and of those that no later step reads. dropped: the bytes of
    the last."""

    compiled: Compiled
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    last_reads: tuple[int, ...]
    dropped: int


class Plan(NamedTuple):
    """A program, cut and compiled. memory: peak memory in bytes."""

    program: Trace
    steps: tuple[Step, ...]
    memory: int

    def run(self, values: Sequence[Any]) -> list[Any]:
        """The program's outputs for these inputs, computed when it returns: until then BLAS has one thread."""
        with one_blas_thread():
            return jax.block_until_ready(self.started(values))

    def started(self, values: Sequence[Any]) -> list[Any]:
        """The program's outputs for these inputs, perhaps still being computed."""
        env: dict[int, Any] = dict(self.program.constants)
        env.update(zip(self.program.inputs, values, strict=True))
        heap = memory.Heap(self.memory)
        for step in self.steps:
            env.update(zip(step.outputs, step.compiled.run(*[env[value] for value in step.inputs]), strict=True))
            for value in step.last_reads:
                del env[value]
            heap.dropped(step.dropped)
        return [env[value] for value in self.program.outputs]


class Pieced:
    """`function`, traced once for each combination of argument shapes, and run piece by piece.

    Calling it raises `JaxzcError` where a plan needs more memory than there is."""

    def __init__(self, function: Callable[..., Any]):
        self.function, self.plans = function, dict[Any, tuple[Plan, Any]]()

    def __call__(self, *args: Any) -> Any:
        flat, structure = jax.tree.flatten(args)
        shapes = (structure, *((np.shape(a), str(jnp.result_type(a))) for a in flat), *cache.settings())
        if shapes not in self.plans:
            with traced_for(here()):
                traced, results = jax.make_jaxpr(self.function, return_shape=True)(*args)
            self.plans[shapes] = plan(flatten(traced, here())), jax.tree.structure(results)
            memory.check(self.plans[shapes][0].memory)
        plan_, structure = self.plans[shapes]
        return jax.tree.unflatten(structure, plan_.run(flat))

    @property
    def memory(self) -> int:
        """Peak memory of the largest plan so far, in bytes."""
        return max((plan.memory for plan, _ in self.plans.values()), default=0)

    @property
    def compilations(self) -> int:
        """Number of plans: one for each combination of argument shapes."""
        return len(self.plans)


def plan(program: Trace, frugal: bool = False) -> Plan:
    """Cuts and compiles a program. frugal: large values that are cheap are made again where they are read late
    (`jaxzc._compile.recomputing`)."""
    program = recomputed(program) if frugal else program
    pieces, sizes = cut(program), [math.prod(aval.shape) * aval.dtype.itemsize for aval in program.avals]
    steps: list[Step] = []
    alive = set(program.outputs)
    for piece, run in zip(reversed(pieces), reversed(compiled(pieces, program, frugal)), strict=True):
        last_reads = tuple({*piece.inputs, *piece.outputs} - alive)
        alive.update(piece.inputs)
        steps.append(Step(run, piece.inputs, piece.outputs, last_reads, sum(sizes[value] for value in last_reads)))
    steps.reverse()
    return Plan(program, tuple(steps), _peak_memory(program, steps, sizes))


def compiled(pieces: Sequence[Piece], program: Trace, frugal: bool = False) -> list[Compiled]:
    """The executables of pieces, in their order. They come from memory, else from disk; the rest is compiled, on all processors."""
    # Taken out at once, because compiling the pieces of a loop may drop others from the cache.
    held = {piece.key: HELD[piece.key] for piece in pieces if piece.key in HELD}
    new = {piece.key: piece for piece in pieces if piece.key not in held}
    bodies = {key: body for key, piece in new.items() if (body := _inner(piece.ops[0])) is not None}
    for key, body in bodies.items():
        held[key] = (_loop if new[key].ops[0].name == "scan" else _widened)(new[key], program, body, frugal)
    rest = [piece for key, piece in new.items() if key not in bodies]
    with cache.own_cache() as folder, ThreadPoolExecutor(processors()) as pool:
        results = pool.map(partial(_compile, program, folder, cache.settings()), rest)
        held |= {piece.key: one for piece, one in zip(rest, results, strict=True)}
    for key, one in held.items():
        HELD[key] = one
        HELD.move_to_end(key)
    memory.let_go(HELD, len(held))
    return [held[piece.key] for piece in pieces]


def _compile(program: Trace, folder: Path | None, settings: Sequence[Any], piece: Piece) -> Compiled:
    constants = _constants(piece, program)

    def run(*values: Any) -> list[Any]:
        env = constants | dict(zip(piece.inputs, values, strict=True))
        for op in piece.ops:
            env.update(zip(op.outputs, convolutions.bind(op.eqn, [env[value] for value in op.inputs]), strict=True))
        return [env[value] for value in piece.outputs]

    shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in (program.avals[value] for value in piece.inputs)]
    with cache.under(settings):
        executable = cache.read_or_compile(None if piece.key.startswith(ONCE) else folder, piece.key, jax.jit(run), shapes)
    return Compiled(executable, int(getattr(executable.memory_analysis(), "temp_size_in_bytes", 0)))


def _constants(piece: Piece, program: Trace) -> dict[int, Any]:
    return {value: program.constants[value] for op in piece.ops for value in op.inputs if value in program.constants}


def _inner(op: Op) -> Trace | None:
    """What is cut in its turn: the body of a scan that contains heavy operations, such as one over chunks of examples, and a pass in
    float64 that is as long as the network; None for every other operation."""
    if op.name == float64.NAME:
        body = flatten(float64.body(op.eqn), here())
        return body if len(body.ops) > LONG else None
    if op.name != "scan" or op.params["length"] == 0:
        return None
    body = flatten(closed_body(op.eqn), here())
    return body if any(inner.name in ALONE for inner in body.ops) else None


def _widened(piece: Piece, program: Trace, body: Trace, frugal: bool) -> Compiled:
    """An operation of `jaxzc._compile.float64`, piece by piece."""
    (op,), constants = piece.ops, _constants(piece, program)
    with jax.enable_x64(True):
        inner = plan(body, frugal)

    def run(*values: Any) -> list[Any]:
        env = constants | dict(zip(piece.inputs, values, strict=True))
        with jax.enable_x64(True):
            results = dict(zip(op.outputs, inner.started([env[value] for value in op.inputs]), strict=True))
        return [results[value] for value in piece.outputs]

    return Compiled(run, inner.memory)


def _loop(piece: Piece, program: Trace, repeated: Trace, frugal: bool) -> Compiled:
    """A `lax.scan` as a Python loop over its body, which is cut into pieces, too."""
    (op,) = piece.ops
    constants, params = _constants(piece, program), op.params
    body, (fixed, rows_from) = plan(repeated, frugal), scan_starts(params)
    carried = rows_from - fixed
    order = range(params["length"])[:: -1 if params["reverse"] else 1]

    def run(*values: Any) -> list[Any]:
        env = constants | dict(zip(piece.inputs, values, strict=True))
        inputs = [env[value] for value in op.inputs]
        carry, rows = inputs[fixed:rows_from], inputs[rows_from:]
        by_row: dict[int, list[Any]] = {}
        for number in order:
            results = body.started([*inputs[:fixed], *carry, *(_row(x, number) for x in rows)])
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


def _peak_memory(program: Trace, steps: Sequence[Step], sizes: Sequence[int]) -> int:
    """Largest number of bytes that live values and the temporaries of the running piece take together. sizes: bytes of each value."""
    alive = sum(sizes[value] for value in program.inputs)
    peak = alive
    for step in steps:
        alive += sum(sizes[value] for value in step.outputs)
        peak = max(peak, alive + step.compiled.scratch)
        alive -= step.dropped
    return peak
