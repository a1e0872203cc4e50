"""Layers of networks: convolutions as PyTorch pads them, linear layers, batch normalisation, activations; all that a tap can read.

A network's module is called with images and a `Pass` (see `passes.py`), without one as any module: its normalisations then have running
statistics. Shapes: activations `[B, H, W, C]`, kernels HWIO (depthwise `[k, k, 1, C]`), linear `[in, out]`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxzc.types import Array, JaxzcError
from jaxzc_spaces.core.passes import Mode, Pass
from jaxzc_spaces.core.pools import shifted

BN_EPS = 1e-5


class NetworkModule(nnx.Module):
    """A network: images `[B, H, W, C]` -> logits `[B, classes]`."""

    def __call__(self, x: Array, p: Pass | None = None) -> Array:
        return self.logits(x, Pass("own") if p is None else p)

    def logits(self, x: Array, p: Pass) -> Array:
        raise NotImplementedError


def kernel(*shape: int) -> nnx.Param:
    """A kernel of zeros: all kernels of a network are drawn at once."""
    return nnx.Param(jnp.zeros(shape, jnp.float32))


def layer(op: Callable[[Array, Array], Array], x: Array, kernel: nnx.Param, p: Pass, bias: nnx.Param | None = None) -> Array:
    """The convolution or linear layer `op(x, kernel)`."""
    y = op(x, kernel[...])
    return p.layer(kernel, y if bias is None else y + along(y, p.bias(bias[...])))


def conv(x: Array, kernel: nnx.Param, p: Pass, stride: int | tuple[int, int] = 1, bias: nnx.Param | None = None) -> Array:
    """Convolution with padding (k - 1) // 2 on both sides, as PyTorch's networks have it: "SAME" would pad one side less at stride 2."""
    strides = (stride, stride) if isinstance(stride, int) else stride
    return layer(partial(convolution, strides=strides), x, kernel, p, bias)


def conv_valid(x: Array, kernel: nnx.Param, p: Pass) -> Array:
    """Convolution without padding."""
    return layer(lambda x, w: lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")), x, kernel, p)


def depthwise(x: Array, kernel: nnx.Param, p: Pass, stride: int = 1, dilation: int = 1) -> Array:
    """Depthwise convolution with padding dilation * (k - 1) // 2 on both sides."""
    return layer(partial(convolution, strides=(stride, stride), dilation=dilation, groups=x.shape[-1]), x, kernel, p)


def convolution(x: Array, w: Array, strides: tuple[int, int] = (1, 1), dilation: int = 1, groups: int = 1) -> Array:
    """Convolution with padding dilation * (k - 1) // 2 on both sides."""
    rows, columns = (dilation * (k - 1) // 2 for k in w.shape[:2])
    padding = ((rows, rows), (columns, columns))
    return lax.conv_general_dilated(
        x, w, strides, padding, rhs_dilation=(dilation,) * 2, feature_group_count=groups, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def along(x: Array, channels: Array) -> Array:
    """A number for each channel, `[C]`, with the axes of x, `[1, ..., 1, C]`. One number for all stays as it is."""
    return lax.broadcast_to_rank(channels, x.ndim) if channels.ndim else channels


def normalise(x: Array, scale: Array, bias: Array, norm: Mode, eps: float = BN_EPS) -> Array:
    """Affine batch normalisation over all axes but the last."""
    if norm == "none":
        return x
    if norm == "init":
        return x * along(x, scale * (1 + eps) ** -0.5) + along(x, bias)
    axes = tuple(range(x.ndim - 1))
    centred = x - along(x, x.mean(axes))
    return centred * along(x, scale * lax.rsqrt(jnp.square(centred).mean(axes) + eps)) + along(x, bias)


class BatchNorm(nnx.Module):
    """Batch normalisation over all axes but the last; `affine=False` has no parameters. Leading axes of `shape` stack layers, whose
    `leaves` are then given to `normalise`.

    After `keep_statistics` it also has running averages of the batch's mean and (biased) variance, `nnx.BatchStat`s of that shape, for
    passes of the norm mode `own`: there `use_running_average`, which `module.train()` and `module.eval()` set, decides between them and the
    batch's own, which then move them by 1 - `momentum`.
    """

    def __init__(self, *shape: int, eps: float = BN_EPS, affine: bool = True):
        self.eps, self.shape = eps, shape
        self.scale = nnx.Param(jnp.ones(shape, jnp.float32)) if affine else None
        self.bias = nnx.Param(jnp.zeros(shape, jnp.float32)) if affine else None
        self.use_running_average, self.momentum = False, 0.9

    def keep_statistics(self, momentum: float) -> None:
        self.momentum = momentum
        self.mean, self.var = nnx.BatchStat(jnp.zeros(self.shape, jnp.float32)), nnx.BatchStat(jnp.ones(self.shape, jnp.float32))

    def leaves(self, dtype: Any = jnp.float32) -> tuple[Array, Array]:
        """Scale and bias."""
        scale = jnp.ones(self.shape, dtype) if self.scale is None else self.scale[...]
        return scale, jnp.zeros(self.shape, dtype) if self.bias is None else self.bias[...]

    def __call__(self, x: Array, p: Pass) -> Array:
        x = p.normalising(self, x)
        scale, bias = self.leaves(x.dtype)
        return self._own(x, scale, bias) if p.norm == "own" else normalise(x, scale, bias, p.norm, self.eps)

    def _own(self, x: Array, scale: Array, bias: Array) -> Array:
        if not hasattr(self, "mean"):
            raise JaxzcError(
                "a network without running statistics was called without a pass: make it with space.module(arch), or give a Pass"
            )
        if self.use_running_average:
            slope = along(x, scale * lax.rsqrt(self.var[...] + self.eps))
            return (x - along(x, self.mean[...])) * slope + along(x, bias)
        axes = tuple(range(x.ndim - 1))
        for running, of_batch in ((self.mean, x.mean(axes)), (self.var, x.var(axes))):
            running[...] = self.momentum * running[...] + (1 - self.momentum) * lax.stop_gradient(of_batch)
        return normalise(x, scale, bias, "batch", self.eps)


class ReLU(nnx.Module):
    """ReLU. blocks: types of the modules around it in the authors' code, innermost first, that rectify nothing else: NASWOT's code counts
    those whose names say "ReLU" as well."""

    def __init__(self, *blocks: str):
        self.modules = ("ReLU", *blocks)

    def __call__(self, x: Array, p: Pass) -> Array:
        return jax.nn.relu(p.activating(self, x, self.modules))


class Linear(nnx.Module):
    """The classifier: a linear layer with bias."""

    def __init__(self, features: int, classes: int):
        self.kernel = kernel(features, classes)
        self.bias = nnx.Param(jnp.zeros(classes, jnp.float32))

    def __call__(self, x: Array, p: Pass) -> Array:
        return layer(jnp.matmul, x, self.kernel, p, self.bias)


class Head(nnx.Module):
    """Global mean and classifier."""

    def __init__(self, channels: int, classes: int):
        self.linear = Linear(channels, classes)

    def __call__(self, x: Array, p: Pass) -> Array:
        return self.linear(x.mean((1, 2)), p)


class FactorizedReduce(nnx.Module):
    """ReLU, two 1x1 convolutions of stride 2, the second on pixels moved by (1, 1), side by side, and batch normalisation.

    Without padding (DARTS) both sides must be even; the padded form (NDS, TransNAS-Bench) shares all values with it at even sizes.
    """

    def __init__(self, c_in: int, c_out: int, affine: bool = True):
        self.relu = ReLU()
        self.conv1 = kernel(1, 1, c_in, c_out // 2)
        self.conv2 = kernel(1, 1, c_in, c_out // 2)
        self.bn = BatchNorm(c_out, affine=affine)

    def __call__(self, x: Array, p: Pass) -> Array:
        x = self.relu(x, p)
        halves = [conv(x, self.conv1, p, 2), conv(shifted(x), self.conv2, p, 2)]
        return self.bn(jnp.concatenate(halves, -1), p)
