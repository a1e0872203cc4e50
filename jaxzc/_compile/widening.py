"""A traced program in float64: its operations are widened one by one, and nobody's Python is run again with other types.

To trace a model anew on float64 inputs is not enough: layers cast to a dtype of their own, loops carry float32, `lax` operations refuse
operands of two types. In the program all of that is written down: every narrow float becomes float64, in values, constants, casts,
accumulators and in the bodies of loops and of functions with a derivative of their own.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxzc._compile.jaxpr import CUSTOM_RULES, Trace, bind, closed, closed_body, flatten
from jaxzc.types import JaxzcError

BITWISE = frozenset({"bitcast_convert_type", "nextafter"})
"""Operations on the bits of a number, which stay as they are."""


def widen(program: Trace) -> Trace:
    """The same program with float64 in the place of every narrower float; to be called, and its result run, with 64-bit types enabled.

    Custom derivatives stay. Raises `JaxzcError` for an operation that hides others where they cannot be widened.
    """
    return flatten(_traced(program, [program.avals[number] for number in program.inputs]))


def wide(dtype: Any) -> Any:
    """float64 for a narrower float, complex128 for a narrower complex number, any other dtype as it is."""
    if jnp.issubdtype(dtype, jnp.floating):
        return np.dtype(np.float64)
    return np.dtype(np.complex128) if jnp.issubdtype(dtype, jnp.complexfloating) else dtype


def _traced(body: Any, avals: Sequence[Any]) -> Any:
    return jax.make_jaxpr(partial(_run, body))(*(jax.ShapeDtypeStruct(a.shape, wide(a.dtype), weak_type=a.weak_type) for a in avals))


def _run(body: Any, *values: Any) -> list[Any]:
    """What a program, or a jaxpr in any form, makes of wide values."""
    program = body if isinstance(body, Trace) else flatten(body)
    env = {number: _constant(value, program.avals[number].dtype) for number, value in program.constants.items()}
    env.update(zip(program.inputs, values, strict=True))
    for op in program.ops:
        outputs = _operation(op.eqn, [env[number] for number in op.inputs])
        env.update(zip(op.outputs, outputs, strict=True))
        for number in op.last_reads:
            env.pop(number, None)
    return [env[number] for number in program.outputs]


def _constant(value: Any, dtype: Any) -> Any:
    if jnp.issubdtype(dtype, jax.dtypes.extended):  # keys of random numbers
        return value
    return value.astype(wide(dtype)) if isinstance(value, Tracer) else np.asarray(np.asarray(value, dtype), wide(dtype))


def _operation(eqn: Any, values: Sequence[Any]) -> Sequence[Any]:
    name = eqn.primitive.name
    if name in CUSTOM_RULES:
        return _with_own_jvp(eqn, values) if name == "custom_jvp_call" else _with_own_vjp(eqn, values)
    if name == "reduce_precision":
        return values
    if name in BITWISE:
        narrow = [jax.lax.convert_element_type(value, var.aval.dtype) for value, var in zip(values, eqn.invars, strict=True)]
        outputs = bind(eqn, narrow)
    else:
        outputs = bind(eqn.replace(params={key: _param(name, key, value) for key, value in eqn.params.items()}), values)
    return [_as_wide(output, var.aval.dtype) for output, var in zip(outputs, eqn.outvars, strict=True)]


def _as_wide(value: Any, dtype: Any) -> Any:
    return value if value.dtype == wide(dtype) else jax.lax.convert_element_type(value, wide(dtype))


def _param(name: str, key: str, value: Any) -> Any:
    """A parameter of an operation: a dtype, a body (of a loop, a branch, a reduction), or something that has no width."""
    if type(value) is tuple:
        return tuple(_param(name, key, part) for part in value)
    if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
        return wide(value)
    if key == "precision" and isinstance(value, jax.lax.DotAlgorithm | jax.lax.DotAlgorithmPreset):
        return None  # names the types of a product
    if hasattr(value, "eqns") or (hasattr(value, "jaxpr") and hasattr(value, "consts")):
        body = _traced(value, [var.aval for var in closed(value).jaxpr.invars])
        return body if hasattr(value, "consts") else body.jaxpr
    if callable(value) and key in ("jvp", "fwd", "bwd", "transpose", "call", "kernel"):
        raise JaxzcError(f"{name} hides operations that cannot be run in float64: leave out proxies that need it (those of synflow)")
    return value


def _narrow(eqn: Any) -> Callable[..., tuple[Any, ...]]:
    """The call as it was traced, with its own derivative."""
    return lambda *arguments: tuple(bind(eqn, arguments))


def _abstract(variables: Sequence[Any]) -> list[jax.ShapeDtypeStruct]:
    return [jax.ShapeDtypeStruct(var.aval.shape, var.aval.dtype) for var in variables]


def _floats(variables: Sequence[Any]) -> list[int]:
    return [place for place, var in enumerate(variables) if jnp.issubdtype(var.aval.dtype, jnp.inexact)]


def _with_own_jvp(eqn: Any, values: Sequence[Any]) -> Sequence[Any]:
    """A `jax.custom_jvp` function: its rule is traced in the types it was written for and then widened like the rest."""
    places, outs = _floats(eqn.invars), _floats(eqn.outvars)

    @jax.custom_jvp
    def call(*primals: Any) -> tuple[Any, ...]:
        return tuple(_run(closed_body(eqn), *primals))

    def derivative(primals: Sequence[Any], moved: Sequence[Any]) -> tuple[Any, Any]:
        def at(*floats: Any) -> tuple[Any, ...]:
            return _narrow(eqn)(*_placed(primals, places, floats))

        made, tangents = jax.jvp(at, tuple(primals[place] for place in places), tuple(moved))
        return made, [tangents[place] for place in outs]

    @call.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        moved = [tangents[place] for place in places]
        abstract = _abstract(eqn.invars)
        rule, shapes = _in_own_types(derivative, abstract, [abstract[place] for place in places])
        made, slopes = jax.tree.unflatten(jax.tree.structure(shapes), _run(rule, *primals, *moved))
        known = dict(zip(outs, slopes, strict=True))
        zero = [known[n] if n in known else np.zeros(np.shape(value), jax.dtypes.float0) for n, value in enumerate(made)]
        return tuple(made), tuple(zero)

    return call(*values)


def _with_own_vjp(eqn: Any, values: Sequence[Any]) -> Sequence[Any]:
    """A `jax.custom_vjp` function, likewise; its backward pass runs the forward rule once more."""
    places, outs = _floats(eqn.invars), _floats(eqn.outvars)

    @jax.custom_vjp
    def call(*primals: Any) -> tuple[Any, ...]:
        return tuple(_run(closed_body(eqn), *primals))

    def pulled(primals: Sequence[Any], cotangents: Sequence[Any]) -> Any:
        def at(*floats: Any) -> tuple[Any, ...]:
            made = _narrow(eqn)(*_placed(primals, places, floats))
            return tuple(made[place] for place in outs)

        return jax.vjp(at, *(primals[place] for place in places))[1](tuple(cotangents))

    def backward(primals: Any, cotangents: Any) -> Any:
        made = _abstract(eqn.outvars)
        rule, _ = _in_own_types(pulled, _abstract(eqn.invars), [made[place] for place in outs])
        slopes = _run(rule, *primals, *(cotangents[place] for place in outs))
        known: Mapping[int, Any] = dict(zip(places, slopes, strict=True))
        return tuple(known.get(place) for place in range(len(primals)))

    call.defvjp(lambda *primals: (call(*primals), primals), backward)
    return call(*values)


def _in_own_types(function: Callable[..., Any], *shapes: Any) -> tuple[Any, Any]:
    """The jaxpr of a rule, and the shapes of its results, in the types of the traced program: without 64-bit types, unless it had some."""
    wide_already = any(shape.dtype in (np.dtype(np.float64), np.dtype(np.int64)) for shape in jax.tree.leaves(shapes))
    with jax.enable_x64(wide_already):
        return jax.make_jaxpr(function, return_shape=True)(*shapes)


def _placed(values: Sequence[Any], places: Sequence[int], others: Sequence[Any]) -> list[Any]:
    placed = list(values)
    for place, value in zip(places, others, strict=True):
        placed[place] = value
    return placed
