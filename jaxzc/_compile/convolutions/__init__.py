"""Rewrites convolutions that XLA for CPUs runs slowly, in traced functions, at any order of derivative.

The convolutions are in anybody's models, and their derivatives are written by JAX. Rewriting the trace catches both, without changing a
model. Two kinds are rewritten; every other convolution is left to XLA, and all of them are on other platforms:

    depthwise    channels that are not mixed: a sum of shifted images
    products     a kernel of one pixel, or a result of one pixel: a matrix product

Sums are in another order than XLA's, so results agree to rounding, not to the last bit.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
from jax.core import eval_jaxpr

from jaxzc._compile import jaxpr as program
from jaxzc._compile.convolutions import depthwise, products
from jaxzc._compile.platforms import by_platform
from jaxzc.types import Array

Form = Callable[..., Array]


def kind(eqn: Any) -> str:
    """What `bind` rewrites this operation of a traced function to in programs for CPUs: "depthwise", "product", or "" for nothing."""
    if eqn.primitive.name != "conv_general_dilated":
        return ""
    return "product" if products.form(eqn) else "depthwise" if depthwise.form(eqn) else ""


def _form(eqn: Any) -> Form | None:
    """The function that computes an operation in its rewritten form; None where XLA's own is used on every platform."""
    return (products.form(eqn) or depthwise.form(eqn)) if eqn.primitive.name == "conv_general_dilated" else None


def bind(eqn: Any, values: Sequence[Any]) -> Sequence[Any]:
    """The results of one operation of a traced function for these inputs, rewritten for CPUs where it is such a convolution."""
    form = _form(eqn)
    if form is None:
        return program.bind(eqn, values)
    return by_platform(lambda *inputs: list(program.bind(eqn, inputs)), *values, cpu=lambda *inputs: [form(eqn, *inputs)])


def rewritten(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of arrays, with these convolutions rewritten for CPUs, also those inside loops and branches.

    The result is to be compiled, not to be differentiated."""

    def run(*args: Any) -> Any:
        traced, results = jax.make_jaxpr(function, return_shape=True)(*args)
        return jax.tree.unflatten(jax.tree.structure(results), outputs(traced, jax.tree.leaves(args)))

    return run


def outputs(traced: Any, values: Sequence[Any]) -> Sequence[Any]:
    """The outputs of a jaxpr (in any form) for these inputs, with these convolutions rewritten."""
    body = program.closed(traced)
    return _run(traced, *values) if occurs(traced) else eval_jaxpr(body.jaxpr, body.consts, *values)


def occurs(traced: Any) -> bool:
    """Whether there is such a convolution in a jaxpr (in any form)."""
    return any(map(_anywhere, program.closed(traced).jaxpr.eqns))


def _run(body: Any, *values: Any) -> Sequence[Any]:
    """The outputs of a jaxpr (in any form) for these inputs, with these convolutions rewritten."""
    flat = program.flatten(body)
    env = dict(flat.constants) | dict(zip(flat.inputs, values, strict=True))
    for op in flat.ops:
        inputs = [env[value] for value in op.inputs]
        if op.name in program.CUSTOM_RULES and _anywhere(op.eqn):  # nothing asks for a derivative any more
            outputs = _run(program.closed_body(op.eqn), *inputs)
        else:
            outputs = bind(op.eqn.replace(params={name: _body(value) for name, value in op.params.items()}), inputs)
        env.update(zip(op.outputs, outputs, strict=True))
        for value in op.last_reads:
            env.pop(value, None)
    return [env[value] for value in flat.outputs]


def _body(value: Any) -> Any:
    """A parameter of an operation; the bodies of loops and branches are rewritten, everything else is returned as it is."""
    if type(value) is tuple:
        return tuple(map(_body, value))
    if not _is_jaxpr(value) or not any(map(_anywhere, program.closed(value).jaxpr.eqns)):
        return value
    avals: list[Any] = [v.aval for v in program.closed(value).jaxpr.invars]
    return jax.make_jaxpr(partial(_run, value))(*(jax.ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in avals))


def _anywhere(eqn: Any) -> bool:
    """Whether an operation is such a convolution, or contains one in a loop, branch or call."""
    inside = (v for value in eqn.params.values() for v in (value if isinstance(value, tuple | list) else (value,)) if _is_jaxpr(v))
    return _form(eqn) is not None or any(_anywhere(inner) for body in inside for inner in program.closed(body).jaxpr.eqns)


def _is_jaxpr(value: Any) -> bool:
    """Whether a parameter is a jaxpr. (An operation of `jaxzc._compile.float64` holds one without constants, rewritten already.)"""
    return hasattr(value, "eqns") or (hasattr(value, "jaxpr") and hasattr(value, "consts"))
