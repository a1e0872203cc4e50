"""Depthwise convolutions on CPUs as sums of shifted images.

XLA runs a grouped convolution there as a naive loop, and the gradient of its kernel as that of a dense one: C times the work and the memory
(a 7x7 kernel of 6,144 channels took 15 GB). Here they are products and sums over whole images, one for each pixel of the kernel.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import eval_jaxpr

from jaxzc._compile import jaxpr as program
from jaxzc.types import Array

MOST_PIXELS = 81
"""Of a kernel, up to which its convolution is written out."""


def is_depthwise(eqn: Any) -> bool:
    """Whether `bind` has a way of its own for this operation of a traced function."""
    return _form(eqn) is not None


def bind(eqn: Any, values: Sequence[Any]) -> Sequence[Any]:
    """The results of one operation of a traced function for these inputs."""
    form = _form(eqn)
    return program.bind(eqn, values) if form is None else [form(eqn, *values)]


def rewritten(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of arrays with its depthwise convolutions done this way, those in loops too: to be compiled, not to be differentiated."""

    def run(*args: Any) -> Any:
        traced, results = jax.make_jaxpr(function, return_shape=True)(*args)
        body = program.closed(traced)
        values = jax.tree.leaves(args)
        made = _run(traced, *values) if any(map(_anywhere, body.jaxpr.eqns)) else eval_jaxpr(body.jaxpr, body.consts, *values)
        return jax.tree.unflatten(jax.tree.structure(results), made)

    return run


def _run(body: Any, *values: Any) -> Sequence[Any]:
    """What a jaxpr in any form makes of these inputs."""
    flat = program.flatten(body)
    env = dict(flat.constants) | dict(zip(flat.inputs, values, strict=True))
    for op in flat.ops:
        given = [env[value] for value in op.inputs]
        if op.name in program.CUSTOM_RULES and _anywhere(op.eqn):  # nothing asks for a derivative any more
            made = _run(program.closed_body(op.eqn), *given)
        else:
            made = bind(op.eqn.replace(params={name: _body(value) for name, value in op.params.items()}), given)
        env.update(zip(op.outputs, made, strict=True))
        for value in op.last_reads:
            env.pop(value, None)
    return [env[value] for value in flat.outputs]


def _body(value: Any) -> Any:
    """A parameter of an operation: what a loop repeats and what a choice offers is rewritten."""
    if type(value) is tuple:
        return tuple(map(_body, value))
    if not _is_jaxpr(value) or not any(map(_anywhere, program.closed(value).jaxpr.eqns)):
        return value
    avals: list[Any] = [v.aval for v in program.closed(value).jaxpr.invars]
    return jax.make_jaxpr(partial(_run, value))(*(jax.ShapeDtypeStruct(a.shape, a.dtype, weak_type=a.weak_type) for a in avals))


def _anywhere(eqn: Any) -> bool:
    """Whether an operation is a depthwise convolution or has one inside."""
    inside = (v for value in eqn.params.values() for v in (value if isinstance(value, tuple | list) else (value,)) if _is_jaxpr(v))
    return is_depthwise(eqn) or any(_anywhere(inner) for body in inside for inner in program.closed(body).jaxpr.eqns)


def _is_jaxpr(value: Any) -> bool:
    """What only holds one, as an operation of `jaxzc._compile.float64` does, is none, and was rewritten when it was made."""
    return hasattr(value, "eqns") or (hasattr(value, "jaxpr") and hasattr(value, "consts"))


def _form(eqn: Any) -> Callable[..., Array] | None:
    if eqn.primitive.name != "conv_general_dilated" or jax.default_backend() != "cpu":
        return None
    (lhs, rhs), (out,), params = (v.aval for v in eqn.invars), (v.aval for v in eqn.outvars), eqn.params
    numbers = params["dimension_numbers"]
    made, channels = rhs.shape[numbers.rhs_spec[0]], params["feature_group_count"] * params["batch_group_count"]
    if channels == 1 or not (out.dtype == lhs.dtype == rhs.dtype and jnp.issubdtype(out.dtype, jnp.floating)):
        return None
    pixels = [math.prod(x.shape[d] for d in spec[2:]) for x, spec in zip((lhs, rhs, out), numbers, strict=True)]
    if params["batch_group_count"] == made == lhs.shape[numbers.lhs_spec[0]]:
        return _kernel_gradient if pixels[2] <= MOST_PIXELS else None
    if params["feature_group_count"] != lhs.shape[numbers.lhs_spec[1]]:
        return None
    if made == channels and pixels[1] <= MOST_PIXELS:
        return _convolution
    return _second if lhs.shape[numbers.lhs_spec[0]] == 1 and pixels[0] <= MOST_PIXELS else None


def _convolution(eqn: Any, images: Array, kernel: Array) -> Array:
    """sum_k images[b, y * stride + k * dilation, c] kernel[k, c]: convolution, and gradient of its images."""
    params, numbers = eqn.params, eqn.params["dimension_numbers"]
    x = _padded(images, (numbers.lhs_spec[0], *numbers.lhs_spec[2:], numbers.lhs_spec[1]), params)
    w = kernel.transpose((*numbers.rhs_spec[2:], *numbers.rhs_spec[:2]))[..., 0]
    made = _sums(x, w, params["window_strides"], params["rhs_dilation"])
    return _arranged(made, (numbers.out_spec[0], *numbers.out_spec[2:], numbers.out_spec[1]))


def _second(eqn: Any, kernel: Array, images: Array) -> Array:
    """sum_k kernel[y * stride + k * dilation, c] images[b, k, c]: of `_kernel_gradient`, the gradient of its images or of its cotangent.

    JAX writes it as a convolution of the kernel by large images. It is one of the reversed images by the reversed kernel."""
    params, numbers = eqn.params, eqn.params["dimension_numbers"]
    u = kernel.transpose((*numbers.lhs_spec[2:], *numbers.lhs_spec[:2]))[..., 0, :]
    x = images.transpose((*numbers.rhs_spec[2:], *numbers.rhs_spec[:2]))[..., 0]
    x = jnp.moveaxis(lax.rev(x, range(x.ndim - 1)).reshape(*x.shape[:-1], u.shape[-1], -1), -1, 0)
    sizes, rows = [eqn.outvars[0].aval.shape[d] for d in numbers.out_spec[2:]], []
    for n, size, k, (low, _), stride, within, between in zip(
        x.shape[1:-1],
        sizes,
        u.shape[:-1],
        params["padding"],
        params["window_strides"],
        params["lhs_dilation"],
        params["rhs_dilation"],
        strict=True,
    ):
        rows.append((low + within * (k - 1) - between * (n - 1), stride * (size - 1) - low, between - 1))
    x = lax.optimization_barrier(lax.pad(x, np.zeros((), x.dtype), [(0, 0, 0), *rows, (0, 0, 0)]))
    made = _sums(x, lax.rev(u, range(u.ndim - 1)), params["window_strides"], params["lhs_dilation"])
    made = jnp.moveaxis(made, 0, -1).reshape(1, *sizes, -1)
    return _arranged(made, (numbers.out_spec[0], *numbers.out_spec[2:], numbers.out_spec[1]))


def _sums(x: Array, w: Array, strides: Sequence[int], dilation: Sequence[int]) -> Array:
    """sum_k x[b, y * stride + k * dilation, c] w[k, c] for `x [images, *pixels, channels]` and `w [*pixels, channels]`."""
    sizes = _sizes(x.shape[1:-1], w.shape[:-1], strides, dilation)
    total = jnp.zeros((), x.dtype)
    for pixel in product(*map(range, w.shape[:-1])):
        total = total + _every(x, [k * d for k, d in zip(pixel, dilation, strict=True)], sizes, strides) * w[pixel]
    return total


def _kernel_gradient(eqn: Any, images: Array, cotangent: Array) -> Array:
    """sum_b,y images[b, k * stride + y * dilation, c] cotangent[b, y, c]: gradient of a depthwise convolution's kernel."""
    params, numbers = eqn.params, eqn.params["dimension_numbers"]
    x = _padded(images, (*numbers.lhs_spec[1:], numbers.lhs_spec[0]), params)
    g = cotangent.transpose((*numbers.rhs_spec[1:], numbers.rhs_spec[0]))
    sizes = _sizes(x.shape[1:-1], g.shape[1:-1], params["window_strides"], params["rhs_dilation"])
    reach = [(n - 1) * d + 1 for n, d in zip(g.shape[1:-1], params["rhs_dilation"], strict=True)]

    def at(pixel: Array) -> Array:  # a loop: as fast as all pixels written out, or up to four times faster, and soon compiled
        starts = [k * stride for k, stride in zip(pixel, params["window_strides"], strict=True)]
        there = lax.dynamic_slice(x, [np.int32(0), *starts, np.int32(0)], (len(x), *reach, x.shape[-1]), allow_negative_indices=False)
        return (_every(there, [0] * len(reach), g.shape[1:-1], params["rhs_dilation"]) * g).sum(range(g.ndim - 1))

    made = lax.map(at, np.stack(np.unravel_index(np.arange(math.prod(sizes)), sizes), 1, dtype=np.int32)).reshape(1, *sizes, -1)
    return _arranged(made, (numbers.out_spec[0], *numbers.out_spec[2:], numbers.out_spec[1]))


def _padded(x: Array, order: Sequence[int], params: Any) -> Array:
    """In the form `[images, *pixels, channels]`, with the convolution's padding and its zeros between pixels."""
    rows = [(low, high, dilation - 1) for (low, high), dilation in zip(params["padding"], params["lhs_dilation"], strict=True)]
    x = lax.pad(x.transpose(order), np.zeros((), x.dtype), [(0, 0, 0), *rows, (0, 0, 0)])
    return lax.optimization_barrier(x)  # else what makes the images is computed again for every pixel


def _sizes(pixels: Sequence[int], window: Sequence[int], strides: Sequence[int], dilation: Sequence[int]) -> list[int]:
    return [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(pixels, window, strides, dilation, strict=True)]


def _every(x: Array, starts: Sequence[int], sizes: Sequence[int], strides: Sequence[int]) -> Array:
    """Of the pixels of `x`, `sizes` from `starts`, every `strides`-th."""
    stops = [start + (size - 1) * stride + 1 for start, size, stride in zip(starts, sizes, strides, strict=True)]
    return lax.slice(x, (0, *starts, 0), (x.shape[0], *stops, x.shape[-1]), (1, *strides, 1))


def _arranged(x: Array, places: Sequence[int]) -> Array:
    """With axis n moved to `places[n]`."""
    return x.transpose([places.index(axis) for axis in range(x.ndim)])
