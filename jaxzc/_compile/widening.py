"""Rewrites a traced program so that it computes in float64.

Proxies of the synflow family need the range of float64 for the networks of any user. **Tracing a model again with float64 inputs does not
do**: layers cast to a dtype of their own, loops carry float32, and `lax` operations refuse operands of two types. A trace, however, has
every dtype written down. So each narrow float in it becomes float64: in values, constants, casts and accumulators, and in the bodies of
loops, branches and functions with a derivative of their own. No Python code of the model runs again.

**Custom derivatives** are the hard part. Their rules are Python functions, written and traced for float32. A rule is therefore traced in
the types it was written for, by differentiating the original call, and the trace of that derivative is widened (`_with_own_jvp`,
`_with_own_vjp`). The widened call is again a function with a custom derivative, because ordinary differentiation of its body would give
another result (a straight-through estimator, say).

Beware:

- `jax.enable_x64` has to be on while the widened program is built and run, and off while a rule is traced, unless the program had 64-bit
  types itself (`_in_own_types`).
- The backward pass of a `custom_vjp` computes its forward rule once more, since residuals are not carried over from the widened forward
  pass.
- An operation whose parameters hide Python functions (a Pallas kernel, a callback) cannot be widened. It is an error, never float32 in
  silence. A new kind of such parameter has to be added to the list in `_param`.
- `reduce_precision` is dropped, and operations on bits (`BITWISE`) stay narrow: both have no meaning in a wider type.
- Matrix products with an algorithm that names its types lose that algorithm.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxzc._compile.jaxpr import CUSTOM_RULES, Trace, bind, closed, closed_body, flatten, jaxprs_of
from jaxzc.types import JaxzcError

BITWISE = frozenset({"bitcast_convert_type", "nextafter"})
"""Operations on the bits of a number. They run on narrow floats, and their results are widened."""
WIDE = frozenset(map(np.dtype, ("int64", "uint64", "float64", "complex128")))
"""Types that a program has only where 64-bit types were enabled when it was traced."""


def widen(program: Trace) -> Trace:
    """The same program with every float widened to float64, and every complex number to complex128; custom derivatives are kept.

    Call it, and run its result, under `jax.enable_x64(True)`. Raises `JaxzcError` for an operation that hides others, such as a callback.
    """
    return flatten(_traced(program, [program.avals[number] for number in program.inputs]))


def wide(dtype: Any) -> Any:
    """The widened dtype: float64 for floats, complex128 for complex numbers, any other dtype unchanged."""
    if jnp.issubdtype(dtype, jnp.floating):
        return np.dtype(np.float64)
    return np.dtype(np.complex128) if jnp.issubdtype(dtype, jnp.complexfloating) else dtype


def _traced(body: Any, avals: Sequence[Any]) -> Any:
    return jax.make_jaxpr(partial(_run, body))(*(jax.ShapeDtypeStruct(a.shape, wide(a.dtype), weak_type=a.weak_type) for a in avals))


def _run(body: Any, *values: Any) -> list[Any]:
    """The outputs of a program, or of a jaxpr in any form, for widened inputs."""
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
    """A parameter of an operation, widened: a dtype, or the body of a loop, branch or reduction. All others are returned unchanged."""
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
    """A function that makes the original call, in the original types and with its custom derivative."""
    return lambda *arguments: tuple(bind(eqn, arguments))


def _abstract(variables: Sequence[Any]) -> list[jax.ShapeDtypeStruct]:
    return [jax.ShapeDtypeStruct(var.aval.shape, var.aval.dtype) for var in variables]


def _floats(variables: Sequence[Any]) -> list[int]:
    return [place for place, var in enumerate(variables) if jnp.issubdtype(var.aval.dtype, jnp.inexact)]


def _with_own_jvp(eqn: Any, values: Sequence[Any]) -> Sequence[Any]:
    """A call of a `jax.custom_jvp` function: its rule is traced in the original types, and the trace is widened."""
    places, outs = _floats(eqn.invars), _floats(eqn.outvars)

    @jax.custom_jvp
    def call(*primals: Any) -> tuple[Any, ...]:
        return tuple(_run(closed_body(eqn), *primals))

    def derivative(primals: Sequence[Any], moved: Sequence[Any]) -> tuple[Any, Any]:
        def at(*floats: Any) -> tuple[Any, ...]:
            return _narrow(eqn)(*_placed(primals, places, floats))

        outputs, tangents = jax.jvp(at, tuple(primals[place] for place in places), tuple(moved))
        return outputs, [tangents[place] for place in outs]

    @call.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        moved = [tangents[place] for place in places]
        abstract = _abstract(eqn.invars)
        rule, shapes = _in_own_types(eqn, derivative, abstract, [abstract[place] for place in places])
        outputs, slopes = jax.tree.unflatten(jax.tree.structure(shapes), _run(rule, *primals, *moved))
        known = dict(zip(outs, slopes, strict=True))
        zero = [known[n] if n in known else np.zeros(np.shape(value), jax.dtypes.float0) for n, value in enumerate(outputs)]
        return tuple(outputs), tuple(zero)

    return call(*values)


def _with_own_vjp(eqn: Any, values: Sequence[Any]) -> Sequence[Any]:
    """A call of a `jax.custom_vjp` function, likewise. Its backward pass runs the forward rule once more."""
    places, outs = _floats(eqn.invars), _floats(eqn.outvars)

    @jax.custom_vjp
    def call(*primals: Any) -> tuple[Any, ...]:
        return tuple(_run(closed_body(eqn), *primals))

    def pulled(primals: Sequence[Any], cotangents: Sequence[Any]) -> Any:
        def at(*floats: Any) -> tuple[Any, ...]:
            outputs = _narrow(eqn)(*_placed(primals, places, floats))
            return tuple(outputs[place] for place in outs)

        return jax.vjp(at, *(primals[place] for place in places))[1](tuple(cotangents))

    def backward(primals: Any, cotangents: Any) -> Any:
        results = _abstract(eqn.outvars)
        rule, _ = _in_own_types(eqn, pulled, _abstract(eqn.invars), [results[place] for place in outs])
        slopes = _run(rule, *primals, *(cotangents[place] for place in outs))
        known: Mapping[int, Any] = dict(zip(places, slopes, strict=True))
        return tuple(known.get(place) for place in range(len(primals)))

    call.defvjp(lambda *primals: (call(*primals), primals), backward)
    return call(*values)


def _in_own_types(eqn: Any, function: Callable[..., Any], *shapes: Any) -> tuple[Any, Any]:
    """The jaxpr of a rule of this call and the shapes of its results, traced with 64-bit types only if the call has such (in a loop's
    counter, say): the original program had them then."""
    types = {shape.dtype for shape in jax.tree.leaves(shapes)}
    with jax.enable_x64(not types.isdisjoint(WIDE) or _has_wide_types(closed_body(eqn))):
        return jax.make_jaxpr(function, return_shape=True)(*shapes)


def _has_wide_types(body: Any) -> bool:
    program = flatten(body)
    if any(getattr(aval, "dtype", None) in WIDE for aval in program.avals):
        return True
    return any(_has_wide_types(inner) for op in program.ops for value in op.params.values() for inner in jaxprs_of(value))


def _placed(values: Sequence[Any], places: Sequence[int], others: Sequence[Any]) -> list[Any]:
    """`values` with `others` at `places`."""
    placed = list(values)
    for place, value in zip(places, others, strict=True):
        placed[place] = value
    return placed
