"""Float64 inside a program of 32-bit types.

JAX decides by one switch, read while tracing *and* while lowering, whether 64-bit types exist. To trace a function under `jax.enable_x64`
is not enough: an operation whose lowering traces again (the gradient of max pooling) would then meet float64 where there must be none. So
the traced function becomes one primitive that turns 64-bit types on while it is lowered, too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import ShapedArray, eval_jaxpr
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir

from jaxzc._compile.depthwise import rewritten
from jaxzc._compile.platforms import by_platform

_float64 = Primitive("float64")
_float64.multiple_results = True


def in_float64(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` run on float64 copies of its float arguments, its float results cast back; as it is in programs for TPUs, which have no
    float64.

    Works inside jit and vmap, whether or not the program enables 64-bit types: only these operations are widened. The function may
    differentiate inside; to differentiate through it from outside is an error of JAX.
    """

    def widened(*arguments: Any) -> Any:
        dtype = jnp.result_type(*(a for a in jax.tree.leaves(arguments) if jnp.issubdtype(jnp.result_type(a), jnp.floating)))
        with jax.enable_x64(True):
            wide = rewritten(lambda *a: _cast(function(*_cast(a, jnp.float64)), dtype))
            closed, shapes = jax.make_jaxpr(wide, return_shape=True)(*arguments)
        # What the function closes over may be traced, and comes in as an argument.
        results = _bind(_Run(closed.jaxpr, len(closed.consts)), [*closed.consts, *jax.tree.leaves(arguments)])
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


def _cast(tree: Any, dtype: Any) -> Any:
    return jax.tree.map(lambda a: jnp.asarray(a, dtype) if jnp.issubdtype(jnp.result_type(a), jnp.floating) else jnp.asarray(a), tree)


def _bind(run: Callable[..., Sequence[Any]], arguments: Sequence[Any]) -> Sequence[Any]:
    with jax.enable_x64(True):
        shapes = jax.eval_shape(run, *arguments)
    return _float64.bind(*arguments, run=run, results=tuple(ShapedArray(s.shape, s.dtype) for s in shapes))


def _now(*arguments: Any, run: Callable[..., Sequence[Any]], results: Sequence[Any]) -> Sequence[Any]:
    with jax.enable_x64(True):
        return jax.jit(run)(*arguments)


def _lower(context: Any, *arguments: Any, run: Callable[..., Sequence[Any]], results: Sequence[Any]) -> Any:
    with jax.enable_x64(True):
        return mlir.lower_fun(run, multiple_results=True)(context, *arguments)


def _batch(arguments: Any, axes: Any, *, run: Callable[..., Sequence[Any]], results: Sequence[Any]) -> Any:
    batched = _bind(jax.vmap(run, in_axes=axes), arguments)
    return batched, [0] * len(batched)


_float64.def_impl(_now)
_float64.def_abstract_eval(lambda *arguments, run, results: results)
mlir.register_lowering(_float64, _lower)
batching.primitive_batchers[_float64] = _batch
