"""Layers of NAS-Bench-ASR's networks: convolutions over frames that look four frames ahead, activations that are cut off, the LSTM.

Activations are `[B, frames, channels]`, kernels of convolutions `[size, channels in of a group, channels out]`.
"""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxzc.types import Array
from jaxzc_spaces.core.layers import along, kernel
from jaxzc_spaces.core.passes import Pass

STRIDES = (1, 1, 2, 2)
"""Of the convolution that each block begins with."""
BLOCK_KERNEL = 8
"""Its size."""
LOOK_AHEAD = 4
"""Frames of the input that a convolution may see beyond its own."""
EPS = 1e-3
"""Of layer normalisation."""


def padding(size: int, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """Frames of zeros before and behind the input of a convolution."""
    ahead = LOOK_AHEAD // stride
    if ahead >= size * dilation - stride:
        return 0, size * dilation - stride
    return (size - 1) * dilation - ahead, ahead


def convolution_over_frames(x: Array, w: Array, stride: int = 1, dilation: int = 1, groups: int = 1) -> Array:
    """Convolution with this padding."""
    around = padding(w.shape[0], stride, dilation)
    numbers = ("NWC", "WIO", "NWC")
    return lax.conv_general_dilated(
        x, w, (stride,), (around,), rhs_dilation=(dilation,), feature_group_count=groups, dimension_numbers=numbers
    )


def cut_off(x: Array, most: float) -> Array:
    """ReLU, and at most this; the derivative beyond it is 0."""
    return jnp.where(x <= most, jax.nn.relu(x), jnp.full((), most, x.dtype)) if math.isfinite(most) else jax.nn.relu(x)


class CutOffReLU(nnx.Module):
    """ReLU of at most `most`."""

    def __init__(self, most: float):
        self.most = most

    def __call__(self, x: Array, p: Pass) -> Array:
        return cut_off(p.activating(self, x), self.most)


class LSTM(nnx.Module):
    """A long short-term memory that starts from zeros: `[B, frames, features]` -> `[B, frames, units]`. Gates stand in the order of
    PyTorch's: input, forget, candidate, output. With two biases, as PyTorch has them, both are added; Keras has one.

    Its layers are the products of all frames with `weight_ih` and of all states with `weight_hh`, biases included. What a tap changes in
    the second has its effect to first order: it is called with what a pass without it gives, and its changes are added in another pass.
    """

    def __init__(self, features: int, units: int, biases: int):
        self.weight_ih, self.weight_ih_bias = kernel(features, 4 * units), kernel(4 * units)
        self.weight_hh = kernel(units, 4 * units)
        self.weight_hh_bias = kernel(4 * units) if biases == 2 else None

    def __call__(self, x: Array, p: Pass) -> Array:
        gates = p.layer(self.weight_ih, x @ self.weight_ih[...] + along(x, self.weight_ih_bias[...]))
        weight = self.weight_hh[...]
        bias = jnp.zeros(weight.shape[1:], weight.dtype) if self.weight_hh_bias is None else self.weight_hh_bias[...]
        states = recurrence(gates, weight, bias)
        before = jnp.pad(states[:, :-1], ((0, 0), (1, 0), (0, 0)))
        product = lax.stop_gradient(before @ weight + along(before, bias))
        moved = p.layer(self.weight_hh, product)
        return states if moved is product else recurrence(gates + (moved - product), weight, bias)


def recurrence(gates: Array, weight: Array, bias: Array) -> Array:
    """States `[B, frames, units]` of an LSTM. gates: what the inputs add to the gates, `[B, frames, 4 * units]`."""

    def step(state: tuple[Array, Array], gate: Array) -> tuple[tuple[Array, Array], Array]:
        hidden, memory = state
        enter, forget, candidate, leave = jnp.split(gate + hidden @ weight + along(gate, bias), 4, axis=-1)
        memory = jax.nn.sigmoid(forget) * memory + jax.nn.sigmoid(enter) * jnp.tanh(candidate)
        hidden = jax.nn.sigmoid(leave) * jnp.tanh(memory)
        return (hidden, memory), hidden

    start = jnp.zeros((gates.shape[0], weight.shape[0]), gates.dtype)
    return lax.scan(step, (start, start), gates.swapaxes(0, 1))[1].swapaxes(0, 1)
