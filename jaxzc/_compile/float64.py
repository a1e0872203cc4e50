"""Float64 inside a program of 32-bit types.

JAX decides by one switch, read while tracing *and* while lowering, whether 64-bit types exist. To trace a function under `jax.enable_x64`
is not enough: an operation whose lowering traces again (the gradient of max pooling) would then meet float64 where there must be none. So
the traced function becomes one primitive that turns 64-bit types on while it is lowered, too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import ShapedArray, eval_jaxpr
from jax.extend.core import JaxprEqn, Primitive
from jax.interpreters import ad, batching, mlir

from jaxzc._compile import convolutions, derivatives
from jaxzc._compile.platforms import by_platform

NAME = "float64"
"""Of the operation in a traced program."""

_float64 = Primitive(NAME)
_float64.multiple_results = True


def in_float64(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` run on float64 copies of its float arguments, its float results cast back; as it is in programs for TPUs, which have no
    float64.

    Works inside jit, vmap and grad, whether or not the program enables 64-bit types: only these operations are widened, those of their
    derivatives too.
    """

    def widened(*arguments: Any) -> Any:
        dtype = jnp.result_type(*(a for a in jax.tree.leaves(arguments) if jnp.issubdtype(jnp.result_type(a), jnp.floating)))
        with jax.enable_x64(True):
            wide = jax.make_jaxpr(lambda *a: _cast(function(*_cast(a, jnp.float64)), dtype), return_shape=True)
            closed, shapes = wide(*arguments)
            leaves = jax.tree.leaves(arguments)
            if convolutions.occurs(closed):
                closed = jax.make_jaxpr(partial(convolutions.outputs, closed))(leaves)
        # What the function closes over may be traced, and comes in as an argument.
        results = _bind(_Run(closed.jaxpr, len(closed.consts)), [*closed.consts, *leaves])
        return jax.tree.unflatten(jax.tree.structure(shapes), results)

    return lambda *arguments: by_platform(widened, *arguments, tpu=function)


@dataclass(frozen=True, eq=False)
class _Run:
    """A traced function, its constants first among its arguments. What it prints tells it from all others (see `jaxzc._compile.pieces`)."""

    jaxpr: Any
    constants: int

    def __call__(self, *values: Any) -> Sequence[Any]:
        return eval_jaxpr(self.jaxpr, values[: self.constants], *values[self.constants :])

    def __repr__(self) -> str:
        return str(self.jaxpr)


def body(eqn: JaxprEqn) -> Any:
    """The jaxpr that an operation of `in_float64` runs, inputs only, no constants. It is to be run under `jax.enable_x64(True)`."""
    jaxpr = eqn.params["run"].jaxpr
    return jaxpr.replace(constvars=[], invars=[*jaxpr.constvars, *jaxpr.invars])


def _cast(tree: Any, dtype: Any) -> Any:
    return jax.tree.map(lambda a: jnp.asarray(a, dtype) if jnp.issubdtype(jnp.result_type(a), jnp.floating) else jnp.asarray(a), tree)


def _bind(run: Callable[..., Sequence[Any]], arguments: Sequence[Any]) -> Sequence[Any]:
    """The operation that runs a function under 64-bit types. Other functions than `_Run` are traced, so that they can be told apart."""
    with jax.enable_x64(True):
        if not isinstance(run, _Run):
            closed = jax.make_jaxpr(run)(*arguments)
            run, arguments = _Run(closed.jaxpr, len(closed.consts)), [*closed.consts, *arguments]
    results = tuple(ShapedArray(var.aval.shape, var.aval.dtype) for var in run.jaxpr.outvars)
    return _float64.bind(*arguments, run=run, results=results)


def _now(*arguments: Any, run: Callable[..., Sequence[Any]], results: Sequence[Any]) -> Sequence[Any]:
    with jax.enable_x64(True):
        return jax.jit(run)(*arguments)


def _lower(context: Any, *arguments: Any, run: Callable[..., Sequence[Any]], results: Sequence[Any]) -> Any:
    with jax.enable_x64(True):
        return mlir.lower_fun(run, multiple_results=True)(context, *arguments)


def _batch(arguments: Any, axes: Any, *, run: Callable[..., Sequence[Any]], results: Sequence[Any]) -> Any:
    batched = _bind(jax.vmap(run, in_axes=axes), arguments)
    return batched, [0] * len(batched)


def _differentiate(primals: Sequence[Any], tangents: Sequence[Any], *, run: Callable[..., Sequence[Any]], results: Sequence[Any]) -> Any:
    """The outputs, and their derivative along the tangents: another operation in float64, linear in those."""
    outputs, moves = _bind(run, primals), derivatives.moving(tangents, results)
    along = derivatives.along(run, len(primals), moves)
    slopes = _bind(along, [*primals, *(tangents[place] for place in moves.arguments)]) if moves.results else ()
    return outputs, derivatives.all_tangents(slopes, outputs, moves)


def _transpose(cotangents: Sequence[Any], *arguments: Any, run: Callable[..., Sequence[Any]], results: Sequence[Any]) -> Sequence[Any]:
    """The transposed operation, of those arguments in which it is linear."""
    of = derivatives.linear_in(arguments)
    pulled = [ad.instantiate_zeros(cotangent) for cotangent in cotangents]
    back = _bind(derivatives.transposed(run, of), [*(arguments[place] for place in of.fixed), *pulled])
    among = dict(zip(of.linear, back, strict=True))
    return [among.get(place) for place in range(len(arguments))]


_float64.def_impl(_now)
_float64.def_abstract_eval(lambda *arguments, run, results: results)
mlir.register_lowering(_float64, _lower)
batching.primitive_batchers[_float64] = _batch
ad.primitive_jvps[_float64] = _differentiate
ad.primitive_transposes[_float64] = _transpose
