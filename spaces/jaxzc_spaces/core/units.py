"""Parts of networks: activation functions of every kind, convolutions with normalisation, squeeze-and-excitation, inverted bottlenecks.

Each part has the names of its layers, so that they are the same wherever it is used: `conv`, `conv_bias`, `bn`, `act`; `fc1`, `fc1_bias`,
`act`, `fc2`, `fc2_bias`, `gate`; `expand`, `depthwise`, `se`, `project`.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxzc.numerics.linalg import power_of_two
from jaxzc.types import Array, JaxzcError
from jaxzc_spaces.core.layers import BN_EPS, BatchNorm, convolution, kernel, layer
from jaxzc_spaces.core.passes import Pass


def hard_sigmoid(x: Array) -> Array:
    """(x + 3) / 6, from 0 to 1."""
    return jnp.where(x <= -3, 0, jnp.where(x >= 3, 1, (x + 3) / 6)).astype(x.dtype)


GATES: dict[str, Callable[[Array], Array]] = {"silu": jax.nn.sigmoid, "hard_swish": hard_sigmoid}
"""Functions that multiply their input by a gate: the gate."""
BOUNDED: dict[str, Callable[[Array], Array]] = {"sigmoid": jax.nn.sigmoid, "hard_sigmoid": hard_sigmoid}
"""Functions whose values are on no scale."""
KINDS = {"relu": ("ReLU",), "relu6": ("ReLU6",), **dict.fromkeys((*GATES, *BOUNDED), ())}
"""Name -> types of PyTorch's modules that NASWOT's hooks look for (`jaxzc.types.ActivationGroup.modules`)."""


class Activation(nnx.Module):
    """An activation function of one of `KINDS`.

    Without normalisation, activations are rescaled by powers of two (`Pass.rescale`); the function is that of the true values then.
    """

    def __init__(self, kind: str = "relu"):
        if kind not in KINDS:
            raise JaxzcError(f"activation {kind!r}: expected one of {', '.join(KINDS)}")
        self.kind = kind

    def __call__(self, x: Array, p: Pass) -> Array:
        # What a hard swish gates by is a hard sigmoid, which is the name that it has in a traced network, too.
        kind = self.kind.replace("hard_swish", "hard_sigmoid")
        x = p.activating(self, x, KINDS[self.kind], kind)
        if self.kind == "relu":
            return jax.nn.relu(x)
        if self.kind == "relu6":
            six = 6 * power_of_two(-p.exponent, x.dtype) if p.norm == "none" else 6
            return jnp.minimum(jax.nn.relu(x), six)
        true = x * power_of_two(p.exponent, x.dtype) if p.norm == "none" else x
        return BOUNDED[self.kind](true) if self.kind in BOUNDED else x * GATES[self.kind](true)


def unpadded(x: Array, w: Array, strides: tuple[int, int], groups: int) -> Array:
    """Convolution of what lies inside the image."""
    return lax.conv_general_dilated(x, w, strides, "VALID", feature_group_count=groups, dimension_numbers=("NHWC", "HWIO", "NHWC"))


class ConvBN(nnx.Module):
    """A convolution with padding (k - 1) // 2, batch normalisation, and an activation function: what is None or False is left out."""

    def __init__(
        self,
        size: int,
        c_in: int,
        c_out: int,
        stride: int = 1,
        *,
        groups: int = 1,
        padding: bool = True,
        bias: bool = False,
        norm: bool = True,
        act: str | None = "relu",
        eps: float = BN_EPS,
    ):
        self.stride, self.groups, self.padding = stride, groups, padding
        self.conv = kernel(size, size, c_in // groups, c_out)
        if bias:
            self.conv_bias = nnx.Param(jnp.zeros(c_out, jnp.float32))
        self.bn = BatchNorm(c_out, eps=eps) if norm else None
        self.act = Activation(act) if act else None

    def __call__(self, x: Array, p: Pass) -> Array:
        op = partial(convolution if self.padding else unpadded, strides=(self.stride, self.stride), groups=self.groups)
        x = layer(op, x, self.conv, p, getattr(self, "conv_bias", None))
        x = x if self.bn is None else self.bn(x, p)
        return x if self.act is None else self.act(x, p)


class SqueezeExcitation(nnx.Module):
    """Multiplies channels by gates: the mean over the image, two 1x1 convolutions with biases, an activation between them, and the gate.

    squeezed: channels between the two. act, gate: of `KINDS`. Source: Hu et al., Squeeze-and-Excitation Networks, CVPR 2018.
    """

    def __init__(self, channels: int, squeezed: int, act: str = "relu", gate: str = "sigmoid"):
        self.fc1, self.fc1_bias = kernel(1, 1, channels, squeezed), nnx.Param(jnp.zeros(squeezed, jnp.float32))
        self.act = Activation(act)
        self.fc2, self.fc2_bias = kernel(1, 1, squeezed, channels), nnx.Param(jnp.zeros(channels, jnp.float32))
        self.gate = Activation(gate)

    def __call__(self, x: Array, p: Pass) -> Array:
        y = x.mean((1, 2), keepdims=True)
        y = self.act(layer(convolution, y, self.fc1, p, self.fc1_bias), p)
        return x * self.gate(layer(convolution, y, self.fc2, p, self.fc2_bias), p)


class InvertedBottleneck(nnx.Module):
    """A 1x1 convolution to `inner` channels (left out without `expands`), a depthwise one, squeeze-and-excitation (None: left out), and a
    linear 1x1 convolution; with a shortcut where input and output have one shape. Source: Sandler et al., MobileNetV2, CVPR 2018.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        kernel: int,
        inner: int,
        act: str,
        *,
        expands: bool,
        excitation: SqueezeExcitation | None = None,
    ):
        self.shortcut = stride == 1 and c_in == c_out
        self.expand = ConvBN(1, c_in, inner, act=act) if expands else None
        self.depthwise = ConvBN(kernel, inner, inner, stride, groups=inner, act=act)
        self.se = excitation
        self.project = ConvBN(1, inner, c_out, act=None)

    def __call__(self, x: Array, p: Pass) -> Array:
        y = x if self.expand is None else self.expand(x, p)
        y = self.depthwise(y, p)
        y = y if self.se is None else self.se(y, p)
        y = self.project(y, p)
        return x + y if self.shortcut else y
