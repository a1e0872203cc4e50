"""Rewrites depthwise convolutions on CPUs as sums of shifted images.

XLA for CPUs runs a grouped convolution as a naive loop. It computes the gradient of the kernel as that of a dense convolution with a mask:
C times the work and the memory for C channels (one network with a 7x7 kernel of 6,144 channels planned 15.3 GB). Here a depthwise
convolution is a sum over the pixels of its kernel: shift the images, multiply by one number for each channel, add. XLA fuses this into one
vectorised loop. `benchmarks/README.md` has the measurements: 11 to 117 times faster for convolutions, 2 to 55 times for kernel gradients.

**Why it works on traced programs.** The convolutions are in anybody's models, and their derivatives are written by JAX. Rewriting the trace
catches both, at any order of derivative, without changing a model. Four forms occur, and `_form` tells them apart:

    a convolution, and the gradient of its images                                  `_convolution`
    the gradient of its kernel (JAX groups by batch)                               `_kernel_gradient`
    a derivative of the kernel gradient, written as kernel (as images) * images    `_second`
    anything else                                                                  None: left to XLA

**What was tried.**

- A dense convolution with a diagonal kernel, for up to 64 channels: fast to run, but twice as slow in training as the sums, compilation
  included.
- The kernel gradient written out for every pixel: up to four times slower than the loop (`lax.map`), and five to nine times slower to
  compile.

**Beware:**

- Kernels of more than `MOST_PIXELS` pixels are left to XLA, because the sum has one term for each pixel, written out.
- The `optimization_barrier` after padding is needed: without it XLA fuses the producer of the images into every term of the sum, and
  computes it once for each pixel of the kernel.
- The rewritten function is to be compiled, not to be differentiated: functions with a derivative of their own are opened up.
- Sums are in another order than XLA's, so results agree to rounding, not to the last bit.
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
from jaxzc._compile.platforms import by_platform
from jaxzc.types import Array

MOST_PIXELS = 81
"""Pixels of a kernel up to which its convolution is rewritten."""


def is_depthwise(eqn: Any) -> bool:
    """Whether `bind` rewrites this operation of a traced function in programs for CPUs."""
    return _form(eqn) is not None


def bind(eqn: Any, values: Sequence[Any]) -> Sequence[Any]:
    """The results of one operation of a traced function for these inputs, rewritten for CPUs where it is a depthwise convolution."""
    form = _form(eqn)
    if form is None:
        return program.bind(eqn, values)
    return by_platform(lambda *inputs: list(program.bind(eqn, inputs)), *values, cpu=lambda *inputs: [form(eqn, *inputs)])


def rewritten(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of arrays, with all its depthwise convolutions rewritten for CPUs, also those inside loops and branches.

    The result is to be compiled, not to be differentiated."""

    def run(*args: Any) -> Any:
        traced, results = jax.make_jaxpr(function, return_shape=True)(*args)
        return jax.tree.unflatten(jax.tree.structure(results), outputs(traced, jax.tree.leaves(args)))

    return run


def outputs(traced: Any, values: Sequence[Any]) -> Sequence[Any]:
    """The outputs of a jaxpr (in any form) for these inputs, with all its depthwise convolutions rewritten."""
    body = program.closed(traced)
    return _run(traced, *values) if occurs(traced) else eval_jaxpr(body.jaxpr, body.consts, *values)


def occurs(traced: Any) -> bool:
    """Whether there is a depthwise convolution in a jaxpr (in any form)."""
    return any(map(_anywhere, program.closed(traced).jaxpr.eqns))


def _run(body: Any, *values: Any) -> Sequence[Any]:
    """The outputs of a jaxpr (in any form) for these inputs, with depthwise convolutions rewritten."""
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
    """Whether an operation is a depthwise convolution, or contains one in a loop, branch or call."""
    inside = (v for value in eqn.params.values() for v in (value if isinstance(value, tuple | list) else (value,)) if _is_jaxpr(v))
    return is_depthwise(eqn) or any(_anywhere(inner) for body in inside for inner in program.closed(body).jaxpr.eqns)


def _is_jaxpr(value: Any) -> bool:
    """Whether a parameter is a jaxpr. (An operation of `jaxzc._compile.float64` holds one without constants, rewritten already.)"""
    return hasattr(value, "eqns") or (hasattr(value, "jaxpr") and hasattr(value, "consts"))


def _form(eqn: Any) -> Callable[..., Array] | None:
    """The function that computes this operation in its rewritten form; None where XLA's own is used on every platform."""
    if eqn.primitive.name != "conv_general_dilated":
        return None
    (lhs, rhs), (out,), params = (v.aval for v in eqn.invars), (v.aval for v in eqn.outvars), eqn.params
    numbers = params["dimension_numbers"]
    features, channels = rhs.shape[numbers.rhs_spec[0]], params["feature_group_count"] * params["batch_group_count"]
    if channels == 1 or not (out.dtype == lhs.dtype == rhs.dtype and jnp.issubdtype(out.dtype, jnp.floating)):
        return None
    pixels = [math.prod(x.shape[d] for d in spec[2:]) for x, spec in zip((lhs, rhs, out), numbers, strict=True)]
    if params["batch_group_count"] == features == lhs.shape[numbers.lhs_spec[0]]:
        return _kernel_gradient if pixels[2] <= MOST_PIXELS else None
    if params["feature_group_count"] != lhs.shape[numbers.lhs_spec[1]]:
        return None
    if features == channels and pixels[1] <= MOST_PIXELS:
        return _convolution
    return _second if lhs.shape[numbers.lhs_spec[0]] == 1 and pixels[0] <= MOST_PIXELS else None


def _convolution(eqn: Any, images: Array, kernel: Array) -> Array:
    """A depthwise convolution, or the gradient of its images: sum_k images[b, y * stride + k * dilation, c] kernel[k, c]."""
    params, numbers = eqn.params, eqn.params["dimension_numbers"]
    x = _padded(images, (numbers.lhs_spec[0], *numbers.lhs_spec[2:], numbers.lhs_spec[1]), params)
    w = kernel.transpose((*numbers.rhs_spec[2:], *numbers.rhs_spec[:2]))[..., 0]
    result = _sums(x, w, params["window_strides"], params["rhs_dilation"])
    return _arranged(result, (numbers.out_spec[0], *numbers.out_spec[2:], numbers.out_spec[1]))


def _second(eqn: Any, kernel: Array, images: Array) -> Array:
    """The gradient of `_kernel_gradient` by its images or its cotangent: sum_k kernel[y * stride + k * dilation, c] images[b, k, c].

    JAX writes this as a convolution of a small image (the kernel) with a large kernel (the images). Here the reversed images are convolved
    with the reversed kernel, which gives the same numbers with few terms."""
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
    result = _sums(x, lax.rev(u, range(u.ndim - 1)), params["window_strides"], params["lhs_dilation"])
    result = jnp.moveaxis(result, 0, -1).reshape(1, *sizes, -1)
    return _arranged(result, (numbers.out_spec[0], *numbers.out_spec[2:], numbers.out_spec[1]))


def _sums(x: Array, w: Array, strides: Sequence[int], dilation: Sequence[int]) -> Array:
    """sum_k x[b, y * stride + k * dilation, c] w[k, c] for `x [images, *pixels, channels]` and `w [*pixels, channels]`."""
    sizes = _sizes(x.shape[1:-1], w.shape[:-1], strides, dilation)
    total = jnp.zeros((), x.dtype)
    for pixel in product(*map(range, w.shape[:-1])):
        moved = _every(x, [k * d for k, d in zip(pixel, dilation, strict=True)], sizes, strides)
        total = total + moved * lax.broadcast_to_rank(w[pixel], x.ndim)
    return total


def _kernel_gradient(eqn: Any, images: Array, cotangent: Array) -> Array:
    """The gradient of a depthwise convolution's kernel: sum_b,y images[b, k * stride + y * dilation, c] cotangent[b, y, c]."""
    params, numbers = eqn.params, eqn.params["dimension_numbers"]
    x = _padded(images, (*numbers.lhs_spec[1:], numbers.lhs_spec[0]), params)
    g = cotangent.transpose((*numbers.rhs_spec[1:], numbers.rhs_spec[0]))
    sizes = _sizes(x.shape[1:-1], g.shape[1:-1], params["window_strides"], params["rhs_dilation"])
    reach = [(n - 1) * d + 1 for n, d in zip(g.shape[1:-1], params["rhs_dilation"], strict=True)]

    def at(pixel: Array) -> Array:
        starts = [k * stride for k, stride in zip(pixel, params["window_strides"], strict=True)]
        window = lax.dynamic_slice(x, [np.int32(0), *starts, np.int32(0)], (len(x), *reach, x.shape[-1]), allow_negative_indices=False)
        return (_every(window, [0] * len(reach), g.shape[1:-1], params["rhs_dilation"]) * g).sum(range(g.ndim - 1))

    kernel_pixels = np.stack(np.unravel_index(np.arange(math.prod(sizes)), sizes), 1, dtype=np.int32)
    result = lax.map(at, kernel_pixels).reshape(1, *sizes, -1)
    return _arranged(result, (numbers.out_spec[0], *numbers.out_spec[2:], numbers.out_spec[1]))


def _padded(x: Array, order: Sequence[int], params: Any) -> Array:
    """`x` transposed to `[images, *pixels, channels]`, with the convolution's padding, and zeros between pixels where it dilates them."""
    rows = [(low, high, dilation - 1) for (low, high), dilation in zip(params["padding"], params["lhs_dilation"], strict=True)]
    x = lax.pad(x.transpose(order), np.zeros((), x.dtype), [(0, 0, 0), *rows, (0, 0, 0)])
    return lax.optimization_barrier(x)  # else XLA computes the images again for every pixel of the kernel


def _sizes(pixels: Sequence[int], window: Sequence[int], strides: Sequence[int], dilation: Sequence[int]) -> list[int]:
    """Pixels of the output of a convolution without padding."""
    return [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(pixels, window, strides, dilation, strict=True)]


def _every(x: Array, starts: Sequence[int], sizes: Sequence[int], strides: Sequence[int]) -> Array:
    """A strided slice of the pixels of `x [images, *pixels, channels]`: `sizes` of them, from `starts`, every `strides`-th."""
    stops = [start + (size - 1) * stride + 1 for start, size, stride in zip(starts, sizes, strides, strict=True)]
    return lax.slice(x, (0, *starts, 0), (x.shape[0], *stops, x.shape[-1]), (1, *strides, 1))


def _arranged(x: Array, places: Sequence[int]) -> Array:
    """`x` with axis n moved to `places[n]`."""
    return x.transpose([places.index(axis) for axis in range(x.ndim)])
