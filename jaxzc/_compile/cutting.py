"""Where a traced program is cut into pieces, and what tells one piece from all others (see `jaxzc._compile.pieces`)."""

import hashlib
import math
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend.core import Literal

from jaxzc._compile.cache import settings
from jaxzc._compile.depthwise import is_depthwise
from jaxzc._compile.jaxpr import CUSTOM_RULES, Op, Trace, closed

ALONE = frozenset({"conv_general_dilated", "dot_general", "random_bits", "scan", "while", "cond", "sort", "cholesky", "lu", "qr", "eigh"})
"""Operations that are pieces of their own."""

UNTOLD = frozenset({"jvp_jaxpr_fun", "jvp_jaxpr_thunk", "fwd_jaxpr_thunk", "bwd", "out_trees", "symbolic_zeros"})
"""Of a call with a custom derivative, what plays no part when nothing is differentiated any more."""

LIGHT = 1024
"""The most elements of a list of scalars (one for each layer, say)."""

ONCE = "once"
"""What the key of a piece begins with that cannot be told from others, and is compiled for each function anew."""


class Piece(NamedTuple):
    """Operations that run as one, what they read and what of theirs is read later. key: equal for pieces that compute the same."""

    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    key: str


def cut(program: Trace) -> list[Piece]:
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


def _parts(ops: Sequence[Op], program: Trace) -> list[list[Op]]:
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


def _key(ops: Sequence[Op], inputs: Sequence[int], outputs: Sequence[int], program: Trace) -> str:
    """Digest of all that decides what a piece computes: operations, how they are connected, and the shapes and dtypes that go in."""
    number = {value: place for place, value in enumerate(inputs)}
    words = [_aval(program.avals[value]) for value in inputs]
    for op in ops:
        read = [str(number[v]) if v in number else _constant(program.constants[v], program.avals[v]) for v in op.inputs]
        number |= {value: len(number) + place for place, value in enumerate(op.outputs)}
        words.append(f"{op.name}{' by pixels' * is_depthwise(op.eqn)}({','.join(read)}){_params(op)}")
    words += [str([number[value] for value in outputs]), str(settings())]
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
    return "".join(f"{k}={_word(v)};" for k, v in sorted(op.params.items()) if not (op.name in CUSTOM_RULES and k in UNTOLD))


def _word(value: Any) -> str:
    if type(value) in (tuple, list):
        return f"({','.join(map(_word, value))})"
    if isinstance(value, np.ndarray | jax.Array):
        return _constant(value, jax.typeof(value))
    return f"{value}{_arrays(value)}" if _is_jaxpr(value) else repr(value)


def _is_jaxpr(value: Any) -> bool:
    return hasattr(value, "eqns") or hasattr(value, "jaxpr")


def _arrays(jaxpr: Any) -> list[str]:
    """Of a jaxpr in any form and those inside, the arrays: printed, they are only a shape."""
    body, constants = closed(jaxpr)
    found = [_constant(value, jax.typeof(value)) for value in constants]
    for eqn in body.eqns:
        found += [_constant(atom.val, atom.aval) for atom in eqn.invars if isinstance(atom, Literal) and np.size(atom.val) > 1]
        for value in eqn.params.values():
            for part in value if isinstance(value, tuple | list) else (value,):
                if isinstance(part, np.ndarray | jax.Array) or _is_jaxpr(part):
                    found.append(_word(part))
    return found
