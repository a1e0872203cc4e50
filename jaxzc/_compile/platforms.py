"""What a program does differently on CPUs, TPUs and GPUs: chosen when it is lowered, by the platform that it is lowered for.

A Python `if` on `jax.default_backend()` asks which devices this process has. That is the wrong question where a program is compiled for
another machine: `jax.export` for a GPU, `jaxzc plan` for a TPU, or an array that was placed on the processor of a machine with a GPU. So
`by_platform` traces every form, and the lowering rule of its primitive puts one of them into the program. The compiler sees neither the
others nor a conditional, which XLA for CPUs would not look into when it rewrites convolutions.

Beware:

- A derivative of the result is the derivative of each form, chosen likewise. That of a form which is fast is not fast by itself: functions
  with a derivative of their own are better.
- What is no part of a program (the chunk, warnings of memory, the record of a job) asks `here`.
"""

import contextlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import ShapedArray, Tracer, eval_jaxpr
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxzc._compile import derivatives

NAME = "by_platform"
TOLD_APART = ("cpu", "tpu")
"""Platforms that may have a form of their own. GPUs of every maker have the form of the others."""

_alone = jax.make_user_context(None)  # JAX traces a function anew where it is another
_choice = Primitive(NAME)
_choice.multiple_results = True

Form = Callable[..., Any]


def here() -> str:
    """The platform of the device on which JAX runs what is not placed elsewhere: `cpu`, `tpu` or `gpu`."""
    device: Any = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]
    if device is None:
        return jax.default_backend()
    return device if isinstance(device, str) else device.platform


def platform_of(arrays: Any) -> str:
    """The platform on which a program of these arrays (a pytree) runs: that of the first one which lies on a device, else `here`."""
    placed = (leaf for leaf in jax.tree.leaves(arrays) if isinstance(leaf, jax.Array) and not isinstance(leaf, Tracer))
    device = next((next(iter(leaf.devices())) for leaf in placed), None)
    return here() if device is None else device.platform


@contextlib.contextmanager
def float32_products() -> Iterator[None]:
    """Inside the context, products and convolutions of float32 are traced to be computed in float32 on every platform.

    By default a TPU rounds their factors to bfloat16 and an NVIDIA GPU to TF32, and scores would differ from a CPU's in the second or third
    digit. Where the user has set `jax_default_matmul_precision`, that holds."""
    chosen: Any = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    with jax.default_matmul_precision("highest" if chosen is None else chosen):
        yield


def traced_for(platform: str) -> contextlib.AbstractContextManager[None]:
    """Inside the context, `by_platform` is the form for this platform and nothing else: for programs that run on no other.

    Forms are then traced, differentiated and batched once, and not once for each platform."""
    return _alone(platform)


def traced_now() -> str:
    """The platform whose forms a trace has that is made now: that of `traced_for`, or `here` outside of it."""
    return _alone.value or here()


def compiler_options(platform: str) -> dict[str, bool] | None:
    """Options of XLA for every program of a platform.

    On a GPU products of matrices are cuBLAS's and not fused with what precedes them: XLA's pass that fuses them ends the process where
    axes are reordered in a way that it does not follow (a failed check of `triton_tiling_propagation.cc` in JAX 0.11.2, for NAS-Bench-101
    and DARTS)."""
    return {"xla_gpu_enable_triton_gemm": False} if platform in ("gpu", "cuda") else None


def by_platform(others: Form, *arguments: Any, cpu: Form | None = None, tpu: Form | None = None) -> Any:
    """`cpu(*arguments)` in a program for CPUs, `tpu(*arguments)` in one for TPUs, else `others(*arguments)`.

    The forms take and return pytrees of arrays, results of the same shapes and dtypes. They may close over traced arrays. Raises
    `ValueError` where the results of two forms differ in structure, shape or dtype.
    """
    flat, structure = jax.tree.flatten(arguments)
    flat = [jnp.asarray(leaf) for leaf in flat]
    if _alone.value is not None:
        form = {"cpu": cpu, "tpu": tpu}.get(_alone.value) or others
        return form(*jax.tree.unflatten(structure, flat))
    names = ("", *(name for name, form in zip(TOLD_APART, (cpu, tpu), strict=True) if form is not None))
    traced = [_trace(form, structure, flat) for form in (others, cpu, tpu) if form is not None]
    if any(one.results != traced[0].results for one in traced):
        raise ValueError(f"the forms of {others} have different results: {', '.join(str(one.results) for one in traced)}")
    operands, forms = list(flat), []
    for one in traced:
        places = (*range(len(operands), len(operands) + len(one.constants)), *range(len(flat)))
        forms.append(_Traced(one.jaxpr, len(one.constants), places))
        operands += one.constants
    results = tuple(ShapedArray(shape, dtype) for shape, dtype in traced[0].results)
    outputs = _choice.bind(*operands, names=names, forms=tuple(forms), results=results)
    return jax.tree.unflatten(traced[0].structure, outputs)


def form_for(params: Any, platform: str) -> Form:
    """The form that an operation with these parameters has on a platform: a function from its operands to a sequence of results."""
    names = params["names"]
    return params["forms"][names.index(platform) if platform in names else 0]


def traced_form(eqn: Any, platform: str) -> Any:
    """The jaxpr of the form that an operation of a traced function has on a platform."""
    avals = [variable.aval for variable in (*eqn.invars, *eqn.outvars)]
    wide = any(aval.dtype in (np.float64, np.int64, np.uint64) for aval in avals)
    shapes = [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in avals[: len(eqn.invars)]]
    with jax.enable_x64(wide or bool(jax.config.jax_enable_x64)):  # pyright: ignore[reportAttributeAccessIssue]
        return jax.make_jaxpr(form_for(eqn.params, platform))(*shapes)


@dataclass(frozen=True)
class _Trace:
    jaxpr: Any
    constants: Sequence[Any]
    structure: Any
    results: tuple[tuple[tuple[int, ...], Any], ...]


@dataclass(frozen=True, eq=False)
class _Traced:
    """A form, traced. constants: how many of its own it has. places: its constants and arguments among the operation's operands."""

    jaxpr: Any
    constants: int
    places: tuple[int, ...]

    def __call__(self, *operands: Any) -> Sequence[Any]:
        mine = [operands[place] for place in self.places]
        return eval_jaxpr(self.jaxpr, mine[: self.constants], *mine[self.constants :])

    def __repr__(self) -> str:
        return f"{self.jaxpr} of {self.places}"


def _trace(form: Form, structure: Any, flat: Sequence[Any]) -> _Trace:
    shapes = tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in flat)
    if getattr(form, "__closure__", True) is None:
        config: Any = jax.config
        return _remembered(form, structure, shapes, (config.jax_enable_x64, config.jax_default_matmul_precision))
    return _anew(form, structure, shapes)


@lru_cache(maxsize=1024)
def _remembered(form: Form, structure: Any, shapes: Sequence[Any], settings: Hashable) -> _Trace:
    """A network has many layers of one shape; their forms are traced once. settings: of JAX, those that jaxzc changes while tracing."""
    return _anew(form, structure, shapes)


def _anew(form: Form, structure: Any, shapes: Sequence[Any]) -> _Trace:
    closed, results = jax.make_jaxpr(lambda *flat: form(*jax.tree.unflatten(structure, flat)), return_shape=True)(*shapes)
    leaves = tuple((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(results))
    return _Trace(closed.jaxpr, closed.consts, jax.tree.structure(results), leaves)


def _now(*operands: Any, names: Any, forms: Any, results: Any) -> Sequence[Any]:
    return form_for({"names": names, "forms": forms}, platform_of(operands))(*operands)


def _lowering(platform: str) -> Callable[..., Any]:
    def lower(context: Any, *operands: Any, names: Any, forms: Any, results: Any) -> Any:
        form = form_for({"names": names, "forms": forms}, platform)
        return mlir.lower_fun(form, multiple_results=True)(context, *operands)

    return lower


def _batch(operands: Any, axes: Any, *, names: Any, forms: Any, results: Any) -> Any:
    size = next(operand.shape[axis] for operand, axis in zip(operands, axes, strict=True) if axis is not None)
    mapped = tuple(jax.vmap(form, in_axes=tuple(axes), axis_size=size) for form in forms)
    wider = tuple(ShapedArray((size, *one.shape), one.dtype) for one in results)
    return _choice.bind(*operands, names=names, forms=mapped, results=wider), [0] * len(results)


def _differentiate(primals: Any, tangents: Any, *, names: Any, forms: Any, results: Any) -> Any:
    outputs, moves = _choice.bind(*primals, names=names, forms=forms, results=results), derivatives.moving(tangents, results)
    slopes: Sequence[Any] = ()
    if moves.results:
        along = tuple(derivatives.along(form, len(primals), moves) for form in forms)
        tangent_types = tuple(results[place] for place in moves.results)
        slopes = _choice.bind(*primals, *(tangents[place] for place in moves.arguments), names=names, forms=along, results=tangent_types)
    return outputs, derivatives.all_tangents(slopes, outputs, moves)


def _transpose(cotangents: Any, *arguments: Any, names: Any, forms: Any, results: Any) -> Sequence[Any]:
    of = derivatives.linear_in(arguments)
    pulled = [ad.instantiate_zeros(cotangent) for cotangent in cotangents]
    turned = tuple(derivatives.transposed(form, of) for form in forms)
    types = tuple(ShapedArray(one.shape, one.dtype) for one in of.shapes)
    back = _choice.bind(*(arguments[place] for place in of.fixed), *pulled, names=names, forms=turned, results=types)
    among = dict(zip(of.linear, back, strict=True))
    return [among.get(place) for place in range(len(arguments))]


_choice.def_impl(_now)
_choice.def_abstract_eval(lambda *operands, names, forms, results: results)
batching.primitive_batchers[_choice] = _batch
ad.primitive_jvps[_choice] = _differentiate
ad.primitive_transposes[_choice] = _transpose
mlir.register_lowering(_choice, _lowering(""))
for _platform in TOLD_APART:
    mlir.register_lowering(_choice, _lowering(_platform), platform=_platform)
