"""Functions compiled in pieces that other functions have as well, so that one network's compilation serves the next.

In a space of free widths and depths every architecture is a program of its own, and compiling it takes fifty times as long as running it.
But two such programs differ in a few layers only. Here the traced function is cut at its convolutions and matrix products, what lies
between two of them falls into parts that have nothing to do with each other, and every piece is compiled once for all functions in which
it occurs. XLA for CPUs and GPUs does not merge anything across a convolution either, so little is lost when running.
"""

import hashlib
import math
import os
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxzc import memory, programs
from jaxzc.networks.program import CUSTOM_RULES, Op, Program, bind, closed, flatten

ALONE = frozenset({"conv_general_dilated", "dot_general", "random_bits", "scan", "while", "cond", "sort", "cholesky", "lu", "qr", "eigh"})
"""Operations that are pieces of their own."""

UNTOLD = frozenset({"jvp_jaxpr_fun", "jvp_jaxpr_thunk", "fwd_jaxpr_thunk", "bwd", "out_trees", "symbolic_zeros"})
"""Of a call with a custom derivative, what plays no part when nothing is differentiated any more."""

KEPT = 4096
"""Compiled pieces that a process holds at once; those used longest ago go first."""

LIGHT = 1024
"""The most elements of a list of scalars (one for each layer, say)."""

ONCE = "once"
"""What the key of a piece begins with that cannot be told from others, and is compiled for each function anew."""

_compiled: OrderedDict[str, "Compiled"] = OrderedDict()


class Compiled(NamedTuple):
    """An executable, and the bytes that it needs besides what it reads and makes."""

    run: Any
    scratch: int


class Piece(NamedTuple):
    """Operations that run as one, what they read and what of theirs is read later. key: equal for pieces that compute the same."""

    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    key: str


class Step(NamedTuple):
    """One piece of a function as it runs: the numbers of the values it reads and makes, and those that nothing reads afterwards."""

    compiled: Compiled
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    last_reads: tuple[int, ...]


class Plan(NamedTuple):
    program: Program
    steps: tuple[Step, ...]
    structure: Any
    memory: int


class Pieced:
    """`function`, traced once for each choice of argument shapes and run piece by piece."""

    def __init__(self, function: Callable[..., Any]):
        self.function, self.plans = function, dict[Any, Plan]()

    def __call__(self, *args: Any) -> Any:
        flat = jax.tree.leaves(args)
        shapes = (tuple((np.shape(a), str(jax.numpy.result_type(a))) for a in flat), *programs.settings())
        if shapes not in self.plans:
            self.plans[shapes] = plan(self.function, args)
            memory.check(self.plans[shapes].memory)
        made = self.plans[shapes]
        env: dict[int, Any] = dict(made.program.constants)
        env.update(zip(made.program.inputs, flat, strict=True))
        for step in made.steps:
            env.update(zip(step.outputs, step.compiled.run(*[env[value] for value in step.inputs]), strict=True))
            for value in step.last_reads:
                del env[value]
        return jax.tree.unflatten(made.structure, [env[value] for value in made.program.outputs])

    @property
    def memory(self) -> int:
        """Bytes that the largest plan so far needs at its fullest moment."""
        return max((made.memory for made in self.plans.values()), default=0)

    def _cache_size(self) -> int:
        return len(self.plans)


def plan(function: Callable[..., Any], args: Any) -> Plan:
    """The function for arguments of these shapes, cut and compiled."""
    traced, shapes = jax.make_jaxpr(function, return_shape=True)(*args)
    program = flatten(traced)
    pieces = cut(program)
    executables = compiled(pieces, program)
    steps, alive = [], set(program.outputs)
    for piece, made in zip(reversed(pieces), reversed(executables), strict=True):
        last_reads = tuple({*piece.inputs, *piece.outputs} - alive)
        alive.update(piece.inputs)
        steps.append(Step(made, piece.inputs, piece.outputs, last_reads))
    steps.reverse()
    return Plan(program, tuple(steps), jax.tree.structure(shapes), _fullest(program, steps))


def cut(program: Program) -> list[Piece]:
    """The pieces of a program, in an order in which they can run."""
    found: list[list[Op]] = []
    between: list[Op] = []
    for op in program.ops:
        if op.name in ALONE:
            found += [*_parts(between, program), [op]]
            between = []
        else:
            between.append(op)
    found += _parts(between, program)
    pieces, wanted = [], set(program.outputs)
    for ops in reversed(found):
        made = list(dict.fromkeys(value for op in ops for value in op.outputs))
        inputs = dict.fromkeys(value for op in ops for value in op.inputs if value not in program.constants)
        read = tuple(value for value in inputs if value not in made)
        outputs = tuple(value for value in made if value in wanted)
        wanted.update(read)
        pieces.append(Piece(tuple(ops), read, outputs, _key(ops, read, outputs, program)))
    return pieces[::-1]


def _parts(ops: Sequence[Op], program: Program) -> list[list[Op]]:
    """The operations in groups that share no value. Arithmetic on scalars, and lists of them, that nothing else here reads (a sum over
    all layers) would tie everything together: it is a group of its own, the last."""
    light = set[int]()  # what is made of scalars alone
    for op in ops:
        sizes = [math.prod(program.avals[value].shape) for value in (*op.inputs, *op.outputs)]
        if all(n == 1 or value in light for value, n in zip(op.inputs, sizes, strict=False)) and max(sizes) <= LIGHT:
            light.update(op.outputs)
    last, read = set[int](), set[int]()
    for place in reversed(range(len(ops))):
        if light.issuperset(ops[place].outputs) and read.isdisjoint(ops[place].outputs):
            last.add(place)
        else:
            read.update(ops[place].inputs)
    home: dict[int, int] = {}
    groups: dict[int, list[int]] = {}
    for place in sorted(set(range(len(ops))) - last):
        joined = {home[value] for value in ops[place].inputs if value in home}
        mine = min(joined, default=place)
        members = [*groups.pop(mine, []), *(other for group in joined - {mine} for other in groups.pop(group)), place]
        groups[mine] = members
        home |= {value: mine for other in (members if len(joined) > 1 else [place]) for value in ops[other].outputs}
    places = [*(sorted(group) for _, group in sorted(groups.items())), *([sorted(last)] if last else [])]
    return [[ops[place] for place in group] for group in places]


def _key(ops: Sequence[Op], inputs: Sequence[int], outputs: Sequence[int], program: Program) -> str:
    """Digest of all that decides what a piece computes: operations, how they are connected, and the shapes and dtypes that go in."""
    number = {value: place for place, value in enumerate(inputs)}
    words = [_aval(program.avals[value]) for value in inputs]
    for op in ops:
        read = [str(number[v]) if v in number else _constant(program.constants[v], program.avals[v]) for v in op.inputs]
        number |= {value: len(number) + place for place, value in enumerate(op.outputs)}
        words.append(f"{op.name}({','.join(read)}){_params(op)}")
    words += [str([number[value] for value in outputs]), str(programs.settings())]
    text = "\n".join(words)
    # An object that is known by its address only might be another one tomorrow.
    return f"{ONCE} {uuid.uuid4().hex}" if " at 0x" in text else hashlib.sha256(text.encode()).hexdigest()


def _aval(aval: Any) -> str:
    return f"{np.shape(aval)}{aval.dtype}{getattr(aval, 'weak_type', '')}"


def _constant(value: Any, aval: Any) -> str:
    content = np.asarray(value)
    digest = str(content) if content.size == 1 else hashlib.sha256(content.tobytes()).hexdigest()
    return f"{digest}:{_aval(aval)}"


def _params(op: Op) -> str:
    return "".join(f"{k}={_jaxpr(v)};" for k, v in sorted(op.params.items()) if not (op.name in CUSTOM_RULES and k in UNTOLD))


def _jaxpr(value: Any) -> str:
    constants = [_constant(c, jax.typeof(c)) for c in closed(value).consts] if hasattr(value, "eqns") or hasattr(value, "jaxpr") else []
    return f"{value}{constants or ''}"


def compiled(pieces: Sequence[Piece], program: Program) -> list[Compiled]:
    """The pieces compiled: those at hand, those kept on disk, and for the others as many compilers at a time as there are processors."""
    wanted = {piece.key: piece for piece in pieces}
    new = [piece for key, piece in wanted.items() if key not in _compiled]
    with programs.own_cache() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        made = pool.map(lambda piece: _compile(piece, program, folder), new)
        _compiled.update(zip([piece.key for piece in new], made, strict=True))
    for key in wanted:
        _compiled.move_to_end(key)
    found = [_compiled[piece.key] for piece in pieces]
    while len(_compiled) > KEPT:
        _compiled.popitem(last=False)
    return found


def _compile(piece: Piece, program: Program, folder: Path | None) -> Compiled:
    constants = {v: program.constants[v] for op in piece.ops for v in op.inputs if v in program.constants}

    def run(*values: Any) -> list[Any]:
        env = constants | dict(zip(piece.inputs, values, strict=True))
        for op in piece.ops:
            env.update(zip(op.outputs, bind(op.eqn, [env[value] for value in op.inputs]), strict=True))
        return [env[value] for value in piece.outputs]

    shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in (program.avals[value] for value in piece.inputs)]
    made = programs.read_or_make(None if piece.key.startswith(ONCE) else folder, piece.key, jax.jit(run), shapes)
    return Compiled(made, int(getattr(made.memory_analysis(), "temp_size_in_bytes", 0)))


def _fullest(program: Program, steps: Sequence[Step]) -> int:
    """Bytes of the values alive and of the running piece's own needs, at the moment when they are most."""
    size = {value: math.prod(aval.shape) * aval.dtype.itemsize for value, aval in enumerate(program.avals)}
    alive = sum(size[value] for value in program.inputs)
    fullest = alive
    for step in steps:
        alive += sum(size[value] for value in step.outputs)
        fullest = max(fullest, alive + step.compiled.scratch)
        alive -= sum(size[value] for value in step.last_reads)
    return fullest
