"""Cuts a traced program into pieces, and gives every piece a key by which equal pieces of other programs are recognised.

`jaxzc._compile.pieces` compiles one executable per key. This module decides what a piece is. The goal is a small number of different
pieces over a whole search space, not a small number of pieces in one program.

**Where the cuts are.** Heavy operations (`ALONE`) are pieces of their own. The light operations between two heavy ones (normalisation,
activation, sums) are split further, into groups that exchange no values. Without this split, two branches of a cell would be one piece,
and every combination of branches would be compiled anew.

**Why scalars get a group of their own.** A proxy sums over all layers. Those few additions of scalars connect every layer with every other,
so that grouping by shared values would give one huge piece which no other network has. So `_parts` first finds the values that are
computed from scalars (or short vectors of scalars, see `LIGHT`) and are not read again between the same two heavy operations; their
operations form the last group. Where such values are read again (a threshold from all layers that every layer is compared with), the group
is long, and `_stages` splits it: what comes before the scalars, the scalars, what comes after them.

**What a key contains.** The operations with their parameters, how they are connected, the shapes and dtypes of the inputs, the contents of
constants, and the JAX flags that change a program. Values are renumbered from 0, so a layer has the same key at every depth.

Beware:

- A key must contain everything that changes the result. Arrays inside a nested jaxpr print as their shape only, which is why `_arrays`
  adds digests of their contents. When an operation hides data in a parameter, check how that parameter prints.
- A parameter that prints a memory address (`at 0x...`) cannot be compared. Such a piece gets a random key (`ONCE`): it is compiled for
  every program and never stored. That is slow but right. If many pieces begin with `ONCE`, give the object a `__repr__` of its contents.
- `UNREAD` names parameters that hold functions for differentiation. The cut program is never differentiated again, so they are left out.
  Were they part of the key, every call of a custom derivative would be unique, because they print addresses.
- Some convolutions compile to something else on CPUs (`jaxzc._compile.convolutions`), so the key says when that happens.
"""

import hashlib
import math
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend.core import Literal

from jaxzc._compile import convolutions
from jaxzc._compile.cache import settings
from jaxzc._compile.jaxpr import CUSTOM_RULES, Op, Trace, closed

ALONE = frozenset(
    {
        *("conv_general_dilated", "dot_general", "random_bits", "scan", "while", "cond", "sort", "cholesky", "lu", "qr", "eigh"),
        "float64",
    }
)
"""Operations that are pieces of their own."""

LONG = 150
"""Operations in a group from which it is split into stages as well."""

UNREAD = frozenset({"jvp_jaxpr_fun", "jvp_jaxpr_thunk", "fwd_jaxpr_thunk", "bwd", "out_trees", "symbolic_zeros"})
"""Parameters of a call with a custom derivative that only differentiation reads. Keys leave them out."""

LIGHT = 1024
"""Elements up to which a vector that is computed from scalars counts as light, such as one number for each layer."""

ONCE = "once"
"""Beginning of the key of a piece whose contents cannot be compared. Such a piece is compiled anew for each program."""


class Piece(NamedTuple):
    """Operations that are compiled together.

    inputs: numbers of the values that the piece reads. outputs: numbers of those of its values that later pieces, or the caller, read.
    key: equal keys mean equal computations.
    """

    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    key: str


def cut(program: Trace) -> list[Piece]:
    """The pieces of a program, in an order in which they can run."""
    groups: list[list[Op]] = []
    between: list[Op] = []
    for op in program.ops:
        if op.name in ALONE:
            groups += [*_parts(between, program), [op]]
            between = []
        else:
            between.append(op)
    groups += _parts(between, program)
    pieces, wanted = [], set(program.outputs)
    for ops in reversed(groups):
        written = list(dict.fromkeys(value for op in ops for value in op.outputs))
        inputs = dict.fromkeys(value for op in ops for value in op.inputs if value not in program.constants)
        read = tuple(value for value in inputs if value not in written)
        outputs = tuple(value for value in written if value in wanted)
        wanted.update(read)
        pieces.append(Piece(tuple(ops), read, outputs, _key(ops, read, outputs, program)))
    return pieces[::-1]


def _parts(ops: Sequence[Op], program: Trace) -> list[list[Op]]:
    """Splits operations into groups that exchange no values.

    Light arithmetic whose results no other operation of the list reads, such as a sum over all layers, is the last group: it reads from
    all others and would join them into one (see the module's docstring).
    """
    light = set[int]()  # values computed from scalars alone
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
    groups = []
    for group in _connected(ops, sorted(set(range(len(ops))) - last)):
        groups += [group] if len(group) < LONG else _stages(ops, group, light)
    return [[ops[place] for place in group] for group in (*groups, *([sorted(last)] if last else []))]


def _stages(ops: Sequence[Op], places: Sequence[int], light: set[int]) -> list[list[int]]:
    """Splits a group where it passes through light values: operations between two such passages, by groups that exchange no values, and
    the light ones of each passage."""
    stage: dict[int, int] = {}  # even: heavy, odd: light
    members: dict[int, list[int]] = {}
    for place in places:
        before = max((stage.get(value, 0) for value in ops[place].inputs), default=0)
        here = before + (before % 2 != light.issuperset(ops[place].outputs))
        stage |= dict.fromkeys(ops[place].outputs, here)
        members.setdefault(here, []).append(place)
    return [group for _, chosen in sorted(members.items()) for group in _connected(ops, chosen)]


def _connected(ops: Sequence[Op], chosen: Sequence[int]) -> list[list[int]]:
    """The operations of these places in groups that exchange no values, each in order, in the order of their first operations."""
    home: dict[int, int] = {}
    groups: dict[int, list[int]] = {}
    for place in chosen:
        joined = {home[value] for value in ops[place].inputs if value in home}
        mine = min(joined, default=place)
        members = [*groups.pop(mine, []), *(other for group in joined - {mine} for other in groups.pop(group)), place]
        groups[mine] = members
        home |= {value: mine for other in (members if len(joined) > 1 else [place]) for value in ops[other].outputs}
    return [sorted(group) for _, group in sorted(groups.items())]


def _key(ops: Sequence[Op], inputs: Sequence[int], outputs: Sequence[int], program: Trace) -> str:
    """SHA-256 of everything that decides what a piece computes: its operations, their connections, and the inputs' shapes and dtypes."""
    number = {value: place for place, value in enumerate(inputs)}
    words = [_aval(program.avals[value]) for value in inputs]
    for op in ops:
        read = [str(number[v]) if v in number else _constant(program.constants[v], program.avals[v]) for v in op.inputs]
        number |= {value: len(number) + place for place, value in enumerate(op.outputs)}
        words.append(f"{op.name}{convolutions.kind(op.eqn)}({','.join(read)}){_params(op)}")
    words += [str([number[value] for value in outputs]), str(settings())]
    text = "\n".join(words)
    # An object that prints its address only cannot be compared with that of another program.
    return f"{ONCE} {uuid.uuid4().hex}" if " at 0x" in text else hashlib.sha256(text.encode()).hexdigest()


def _aval(aval: Any) -> str:
    return f"{np.shape(aval)}{aval.dtype}{getattr(aval, 'weak_type', '')}"


def _constant(value: Any, aval: Any) -> str:
    content = np.asarray(jax.random.key_data(value) if jax.numpy.issubdtype(aval.dtype, jax.dtypes.prng_key) else value)
    digest = str(content) if content.size == 1 else hashlib.sha256(content.tobytes()).hexdigest()
    return f"{digest}:{_aval(aval)}"


def _params(op: Op) -> str:
    return "".join(f"{k}={_word(v)};" for k, v in sorted(op.params.items()) if not (op.name in CUSTOM_RULES and k in UNREAD))


def _word(value: Any) -> str:
    if type(value) in (tuple, list):
        return f"({','.join(map(_word, value))})"
    if isinstance(value, np.ndarray | jax.Array):
        return _constant(value, jax.typeof(value))
    return f"{value}{_arrays(value)}" if _is_jaxpr(value) else repr(value)


def _is_jaxpr(value: Any) -> bool:
    return hasattr(value, "eqns") or hasattr(value, "jaxpr")


def _arrays(jaxpr: Any) -> list[str]:
    """Digests of the arrays in a jaxpr (in any form) and in the jaxprs inside it. A printed jaxpr shows only their shapes."""
    body, constants = closed(jaxpr)
    digests = [_constant(value, jax.typeof(value)) for value in constants]
    for eqn in body.eqns:
        digests += [_constant(atom.val, atom.aval) for atom in eqn.invars if isinstance(atom, Literal) and np.size(atom.val) > 1]
        for value in eqn.params.values():
            for part in value if isinstance(value, tuple | list) else (value,):
                if isinstance(part, np.ndarray | jax.Array) or _is_jaxpr(part):
                    digests.append(_word(part))
    return digests
