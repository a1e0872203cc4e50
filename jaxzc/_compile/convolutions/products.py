"""Convolutions that are matrix products, written as such.

XLA for CPUs runs a convolution through one routine for all of them, which is slow where there is nothing to slide over. Three forms are
products of matrices:

    a kernel of one pixel (a pointwise convolution, and the gradient of its images)   `_pointwise`
    images of one pixel (any convolution of them, and the gradient of the images of a `_whole`)   `_single`
    a result of one pixel (the gradient of a pointwise kernel, and a classifier written as a convolution)   `_whole`

With groups it is a product for each group: per-example gradients, and architectures side by side, are written by JAX as groups.

Beware: strides and dilations of a kernel of one pixel only choose pixels and put zeros between them. They are applied to the images where
they make these smaller, and to the result where they make it larger.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxzc.types import Array


def form(eqn: Any) -> Callable[..., Array] | None:
    """The function that computes this convolution as a product; None where it is none, or where channels are not mixed."""
    (lhs, rhs), (out,), params = (v.aval for v in eqn.invars), (v.aval for v in eqn.outvars), eqn.params
    numbers = params["dimension_numbers"]
    if not (out.dtype == lhs.dtype == rhs.dtype and jnp.issubdtype(out.dtype, jnp.floating)):
        return None
    groups = params["feature_group_count"] * params["batch_group_count"]
    if groups > 1 and rhs.shape[numbers.rhs_spec[1]] * rhs.shape[numbers.rhs_spec[0]] // groups == 1:
        return None
    kernel, result = ([x.shape[d] for d in spec[2:]] for x, spec in zip((rhs, out), numbers[1:], strict=True))
    if not kernel:
        return None
    if math.prod(kernel) == 1:
        return _pointwise
    if math.prod(lhs.shape[d] for d in numbers.lhs_spec[2:]) == 1:
        return _single
    return _whole if math.prod(result) == math.prod(params["lhs_dilation"]) == 1 else None


def _pointwise(eqn: Any, images: Array, kernel: Array) -> Array:
    """sum_i images[b, y, i] kernel[i, o]."""
    params, numbers = eqn.params, eqn.params["dimension_numbers"]
    strides = dict(zip(numbers.lhs_spec[2:], params["window_strides"], strict=True))
    if not _moved(params):
        return _product(eqn, _every(images, strides), kernel, "images")
    y = _product(eqn, images, kernel, "images")
    rows = zip(numbers.out_spec[2:], params["padding"], params["lhs_dilation"], strict=True)
    pads = {place: (low, high, dilation - 1) for place, (low, high), dilation in rows}
    y = lax.pad(y, np.zeros((), y.dtype), [pads.get(place, (0, 0, 0)) for place in range(y.ndim)])
    return _every(y, dict(zip(numbers.out_spec[2:], params["window_strides"], strict=True)))


def _single(eqn: Any, images: Array, kernel: Array) -> Array:
    """sum_i images[b, i] kernel[low - y, i, o]: every pixel of the result sees one pixel of the kernel, or none."""
    params, numbers = eqn.params, eqn.params["dimension_numbers"]
    w = lax.rev(kernel, numbers.rhs_spec[2:])
    pads = [(0, 0, 0)] * w.ndim
    for place, (low, high), dilation in zip(numbers.rhs_spec[2:], params["padding"], params["rhs_dilation"], strict=True):
        reach = (w.shape[place] - 1) * dilation
        pads[place] = (low - reach, high - reach, dilation - 1)
    w = lax.pad(w, np.zeros((), w.dtype), pads)
    return _product(eqn, images, _every(w, dict(zip(numbers.rhs_spec[2:], params["window_strides"], strict=True))), "kernel")


def _whole(eqn: Any, images: Array, kernel: Array) -> Array:
    """sum_y,i images[b, y, i] kernel[y, i, o], where y are the images' pixels under the kernel in its only place."""
    params, numbers = eqn.params, eqn.params["dimension_numbers"]
    steps = dict(zip(numbers.lhs_spec[2:], params["rhs_dilation"], strict=True))
    seen, seeing = [slice(None)] * images.ndim, [slice(None)] * kernel.ndim
    for place, axis, (low, _) in zip(numbers.lhs_spec[2:], numbers.rhs_spec[2:], params["padding"], strict=True):
        step, last = steps[place], min(kernel.shape[axis] - 1, (images.shape[place] - 1 + low) // steps[place])
        first = max(0, -(-low // step))  # pixels of the kernel before it, and after the last, are over padding
        seen[place], seeing[axis] = slice(first * step - low, last * step - low + 1), slice(first, last + 1)
    return _product(eqn, _every(images[tuple(seen)], steps), kernel[tuple(seeing)], "both")


def _product(eqn: Any, images: Array, kernel: Array, pixels: Literal["images", "kernel", "both"]) -> Array:
    """The sum over channels of images times kernel, in the layout of the convolution's result.

    pixels: which of the two has pixels. The other one has a single one; if both have, the sum is over them too. Nothing is transposed
    before the product: XLA for CPUs multiplies transposed matrices as they lie, but copies to transpose."""
    params, numbers = eqn.params, eqn.params["dimension_numbers"]
    features, batches = params["feature_group_count"], params["batch_group_count"]
    left, right, result = (_names(spec, name) for spec, name in zip(numbers, ("bi", "oi", "bo"), strict=True))
    sizes, out = (list(images.shape), list(kernel.shape)), list(eqn.outvars[0].aval.shape)
    for place, in_images, in_kernel in zip(numbers.out_spec[2:], numbers.lhs_spec[2:], numbers.rhs_spec[2:], strict=True):
        out[place] = {"images": images.shape[in_images], "kernel": kernel.shape[in_kernel], "both": 1}[pixels]
    if features * batches > 1:
        for names, shape, name in ((left, sizes[0], "i" if features > 1 else "b"), (right, sizes[1], "o")):
            place = names.index(name)
            names.insert(place, "g")
            shape[place : place + 1] = [features * batches, shape[place] // (features * batches)]
        result.insert(result.index("o"), "g")
    for operand, names, shape in (("kernel", left, sizes[0]), ("images", right, sizes[1])):
        if pixels == operand:  # the other one's are dropped
            shape[:] = [size for name, size in zip(names, shape, strict=True) if not name.isupper()]
            names[:] = [name for name in names if not name.isupper()]
    result = [name for name in result if not (pixels == "both" and name.isupper())]
    subscripts = f"{''.join(left)},{''.join(right)}->{''.join(result)}"
    return jnp.einsum(subscripts, images.reshape(sizes[0]), kernel.reshape(sizes[1]), precision=params["precision"]).reshape(out)


def _names(spec: Sequence[int], name: str) -> list[str]:
    """A letter for every axis, in the order in which they lie: those of `name` for the two that `spec` names first, capitals for pixels."""
    return [letter for _, letter in sorted(zip(spec, name + "XYZUVW", strict=False))]


def _every(x: Array, steps: Mapping[int, int]) -> Array:
    """Every `steps[axis]`-th entry of the axes that are named, from the first."""
    return lax.slice(x, (0,) * x.ndim, x.shape, [steps.get(axis, 1) for axis in range(x.ndim)])


def _moved(params: Any) -> bool:
    """Whether there are zeros around the images or between their pixels."""
    return any(low or high for low, high in params["padding"]) or math.prod(params["lhs_dilation"]) > 1
