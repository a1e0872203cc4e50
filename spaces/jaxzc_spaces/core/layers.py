"""Layers of discrete networks: convolutions and pools as PyTorch pads them, batch normalisation, and one pass that a tap can read.

A network's module is called with images and a `Pass`; it hands every convolution's and linear layer's output and every ReLU's input to it,
in the order in which they run. Shapes: activations `[B, H, W, C]`, kernels HWIO (depthwise `[k, k, 1, C]`), linear `[in, out]`.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from jaxzc.numerics.linalg import binary_exponent, power_of_two
from jaxzc.types import Array, Norm, Normalise, Tap

BN_EPS = 1e-5


class Pass:
    """One pass through a discrete network.

    norm: how batch normalisation acts. tap: what is read. perturb, cell_perturb: what the tap is given for each layer and for each map, in
        the order of execution. layers, relus, norms, maps: what it kept, in that order.
    cell: the number of the cell that the module is in, where the module says so.
    exponent: with `norm="none"`, the power of two taken out of the activations so far.
    """

    def __init__(
        self,
        norm: Norm | Normalise = "batch",
        tap: Tap | None = None,
        perturb: Sequence[Any] | None = None,
        cell_perturb: Sequence[Any] | None = None,
    ):
        self.norm, self.tap, self.perturb, self.cell_perturb = norm, tap or Tap(), perturb, cell_perturb
        self.cell = -1
        self.layers: list[Any] = []
        self.relus: list[Any] = []
        self.norms: list[Any] = []
        self.maps: list[Any] = []
        self.exponent = jnp.zeros((), jnp.int32)

    def layer(self, kernel: nnx.Param, y: Array) -> Array:
        """The output of the convolution or linear layer with this kernel, its bias included."""
        if self.tap.layer is None:
            return y
        y, kept = self.tap.layer(y, None if self.perturb is None else self.perturb[len(self.layers)])
        self.layers.append(kept)
        return y

    def conv(self, op: Callable[[Array, Array], Array], x: Array, kernel: nnx.Param, bias: nnx.Param | None = None) -> Array:
        """The layer `op(x, kernel)`, with a bias on the scale of the activations."""
        y = op(x, kernel[...])
        return self.layer(kernel, y if bias is None else y + self.bias(bias[...]))

    def relu(self, x: Array, hooks: int = 1) -> Array:
        """ReLU. hooks: how many modules the authors' hooks count here, those whose type name contains "ReLU"."""
        if self.tap.relu is not None:
            self.relus.append(self.tap.relu(x))
        return jax.nn.relu(x)

    def normalising(self, x: Array) -> None:
        """The input of a batch normalisation."""
        if self.tap.norm is not None:
            self.norms.append(self.tap.norm(x))

    def map(self, x: Array) -> Array:
        """The output of the stem or of a cell."""
        if self.tap.cell is None:
            return x
        x, kept = self.tap.cell(x, None if self.cell_perturb is None else self.cell_perturb[len(self.maps)])
        self.maps.append(kept)
        return x

    def rescale(self, *xs: Array) -> tuple[Array, ...]:
        """Without normalisation, a power of two is taken out of all of `xs`, so that no depth overflows; exact, and constant under
        differentiation. Everything that is alive in the network must be among them."""
        if self.norm != "none":
            return xs
        largest = jnp.max(jnp.stack([jnp.max(jnp.abs(x)) for x in xs]))
        shift = lax.stop_gradient(binary_exponent(largest))
        self.exponent = self.exponent + shift
        return tuple(x * power_of_two(-shift, x.dtype) for x in xs)

    def bias(self, bias: Array) -> Array:
        """A layer's bias on the scale of the activations."""
        return bias * power_of_two(-self.exponent, bias.dtype) if self.norm == "none" else bias


class BatchNorm(nnx.Module):
    """Batch normalisation over all axes but the last; `affine=False` has no parameters."""

    def __init__(self, channels: int, eps: float = BN_EPS, affine: bool = True):
        self.eps, self.channels = eps, channels
        self.scale = nnx.Param(jnp.ones(channels, jnp.float32)) if affine else None
        self.bias = nnx.Param(jnp.zeros(channels, jnp.float32)) if affine else None

    def __call__(self, x: Array, p: Pass) -> Array:
        norm = p.norm
        p.normalising(x)
        scale = jnp.ones(self.channels, x.dtype) if self.scale is None else self.scale[...]
        bias = jnp.zeros(self.channels, x.dtype) if self.bias is None else self.bias[...]
        if callable(norm):
            return norm(x, scale, bias)
        if norm == "none":
            return x
        if norm == "init":
            return x * (scale * (1 + self.eps) ** -0.5) + bias
        axes = tuple(range(x.ndim - 1))
        centred = x - x.mean(axes)
        return centred * (scale * lax.rsqrt(jnp.square(centred).mean(axes) + self.eps)) + bias


def kernel(*shape: int) -> nnx.Param:
    """A kernel of zeros: a space draws all of its kernels at once."""
    return nnx.Param(jnp.zeros(shape, jnp.float32))


class Linear(nnx.Module):
    """The classifier: a linear layer with bias."""

    def __init__(self, features: int, classes: int):
        self.kernel = kernel(features, classes)
        self.bias = nnx.Param(jnp.zeros(classes, jnp.float32))

    def __call__(self, x: Array, p: Pass) -> Array:
        return p.layer(self.kernel, x @ self.kernel[...] + p.bias(self.bias[...]))


class Head(nnx.Module):
    """Global mean and classifier."""

    def __init__(self, channels: int, classes: int):
        self.linear = Linear(channels, classes)

    def __call__(self, x: Array, p: Pass) -> Array:
        return self.linear(x.mean((1, 2)), p)


def conv(x: Array, kernel: nnx.Param, p: Pass, stride: int | tuple[int, int] = 1, bias: nnx.Param | None = None) -> Array:
    """Convolution with padding (k - 1) // 2 on both sides, as PyTorch's networks have it: "SAME" would pad one side less at stride 2."""
    strides = (stride, stride) if isinstance(stride, int) else stride
    y = _convolution(x, kernel[...], strides, 1, 1)
    return p.layer(kernel, y if bias is None else y + p.bias(bias[...]))


def conv_valid(x: Array, kernel: nnx.Param, p: Pass) -> Array:
    """Convolution without padding."""
    return p.layer(kernel, lax.conv_general_dilated(x, kernel[...], (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")))


def depthwise(x: Array, kernel: nnx.Param, p: Pass, stride: int = 1, dilation: int = 1) -> Array:
    """Depthwise convolution with padding dilation * (k - 1) // 2 on both sides."""
    return p.layer(kernel, _convolution(x, kernel[...], (stride, stride), dilation, x.shape[-1]))


def _convolution(x: Array, w: Array, strides: tuple[int, int], dilation: int, groups: int) -> Array:
    rows, columns = (dilation * (k - 1) // 2 for k in w.shape[:2])
    padding = ((rows, rows), (columns, columns))
    return lax.conv_general_dilated(
        x, w, strides, padding, rhs_dilation=(dilation,) * 2, feature_group_count=groups, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


@jax.custom_jvp
def larger(x: Array, y: Array) -> Array:
    """The larger of two, elementwise, of any derivative; ties share it.

    JAX's own derivatives of maxima ask which operand equals the maximum. Where a compiler computes an operand twice and rounds it otherwise
    the second time, none does, and the derivative is 0 (`maximum`) or not finite (`reduce_max`). Which one is larger always has an answer.
    """
    return jnp.maximum(x, y)


@larger.defjvp
def _(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    x, y = primals
    share = jnp.where(x == y, 0.5, x > y).astype(x.dtype)
    return larger(x, y), share * tangents[0] + (1 - share) * tangents[1]


def max_pool(x: Array, size: int, stride: int = 1) -> Array:
    """Maximum over windows of `size` x `size` pixels (odd), padded with -infinity."""
    # Shifted maxima, rows and then columns: reduce_window has no fast second derivative on a CPU.
    for axis in (1, 2):
        x = _windows(x, size, stride, axis, -np.inf, larger)
    return x


def avg_pool(x: Array, size: int, stride: int = 1) -> Array:
    """Mean over those pixels of windows of `size` x `size` (odd) that lie inside the image: padding is never counted."""
    inside = np.ones((1, *x.shape[1:3], 1), np.float32)
    for axis in (1, 2):
        x, inside = (_windows(a, size, stride, axis, 0, add) for a, add in ((x, jnp.add), (inside, np.add)))
    return x / jnp.asarray(inside, x.dtype)


def _windows(x: Any, size: int, stride: int, axis: int, fill: float, combine: Any) -> Any:
    """Windows along one axis, of a jax or numpy array."""
    numpy = np if isinstance(x, np.ndarray) else jnp
    out = (x.shape[axis] - 1) // stride + 1
    padded = numpy.pad(x, [(0, 0) if a != axis else (size // 2,) * 2 for a in range(4)], constant_values=fill)
    before = (slice(None),) * axis
    return reduce(combine, [padded[(*before, slice(i, i + stride * (out - 1) + 1, stride))] for i in range(size)])


def shifted(x: Array) -> Array:
    """`x` moved by one pixel up and to the left; a row and a column of zeros come in at the bottom and at the right."""
    return jnp.pad(x[:, 1:, 1:], ((0, 0), (0, 1), (0, 1), (0, 0)))


class FactorizedReduce(nnx.Module):
    """ReLU, two 1x1 convolutions of stride 2, the second on pixels moved by (1, 1), side by side, and batch normalisation.

    Without padding (DARTS) both sides must be even; the padded form (NDS, TransNAS-Bench) shares all values with it at even sizes.
    """

    def __init__(self, c_in: int, c_out: int, affine: bool = True):
        self.conv1 = kernel(1, 1, c_in, c_out // 2)
        self.conv2 = kernel(1, 1, c_in, c_out // 2)
        self.bn = BatchNorm(c_out, affine=affine)

    def __call__(self, x: Array, p: Pass) -> Array:
        x = p.relu(x)
        halves = [conv(x, self.conv1, p, 2), conv(shifted(x), self.conv2, p, 2)]
        return self.bn(jnp.concatenate(halves, -1), p)
