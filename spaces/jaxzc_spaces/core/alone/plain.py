"""What networks that stand alone have in the places of our own parts: the same values from what JAX and Flax offer, without passes.

Ours are written for gradients that are fast wherever they are compiled, for taps, and for every mode of normalisation (`core.layers`). A
network that is taken away needs none of that. `PLAIN` says which part takes the place of which; their text goes into the network's file.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

Array = jax.Array


def BatchNorm(channels: int, eps: float = 1e-5, affine: bool = True) -> nnx.BatchNorm:
    """Batch normalisation; `model.train()` and `model.eval()` switch between the batch's statistics and the running ones."""
    settings: dict[str, Any] = {"momentum": 0.9, "epsilon": eps, "use_scale": affine, "use_bias": affine, "use_fast_variance": False}
    return nnx.BatchNorm(channels, use_running_average=False, **settings, rngs=nnx.Rngs(0))


def LayerNorm(channels: int, eps: float) -> nnx.LayerNorm:
    return nnx.LayerNorm(channels, epsilon=eps, use_fast_variance=False, rngs=nnx.Rngs(0))


class ReLU(nnx.Module):
    def __call__(self, x: Array) -> Array:
        return jax.nn.relu(x)


ACTIVATIONS = {
    "relu": jax.nn.relu,
    "relu6": jax.nn.relu6,
    "silu": jax.nn.silu,
    "sigmoid": jax.nn.sigmoid,
    "hard_swish": jax.nn.hard_swish,
    "hard_sigmoid": jax.nn.hard_sigmoid,
}


class Activation(nnx.Module):
    def __init__(self, kind: str = "relu"):
        self.kind = kind

    def __call__(self, x: Array) -> Array:
        return ACTIVATIONS[self.kind](x)


larger = jnp.maximum


def max_pool(x: Array, size: int, stride: int = 1) -> Array:
    """Maximum over windows of `size` x `size` pixels (odd); padding never wins."""
    padding: Any = [(size // 2, size // 2)] * 2
    return nnx.max_pool(x, (size, size), (stride, stride), padding)


def avg_pool(x: Array, size: int, stride: int = 1) -> Array:
    """Mean over those pixels of windows of `size` x `size` (odd) that lie inside the image."""
    padding: Any = [(size // 2, size // 2)] * 2
    return nnx.avg_pool(x, (size, size), (stride, stride), padding, count_include_pad=False)


def max_pool3x3(x: Array) -> Array:
    return nnx.max_pool(x, (3, 3), padding="SAME")


def max_pool2x2(x: Array) -> Array:
    return nnx.max_pool(x, (2, 2), (2, 2))


def avg_pool3x3(x: Array) -> Array:
    """Mean over 3x3 pixels; padding is not counted."""
    return nnx.avg_pool(x, (3, 3), padding="SAME", count_include_pad=False)


def mean_pool2x2(x: Array) -> Array:
    return nnx.avg_pool(x, (2, 2), (2, 2))


def conv1x1(x: Array, w: Array) -> Array:
    return x @ w[0, 0]


def conv3x3(x: Array, w: Array, stride: int = 1) -> Array:
    """3x3 convolution with one pixel of zeros around the image."""
    return lax.conv_general_dilated(x, w, (stride, stride), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC"))


def conv3x3_stride2(x: Array, w: Array) -> Array:
    return conv3x3(x, w, 2)


class LSTM(nnx.Module):
    """A long short-term memory that starts from zeros: `[B, steps, features]` -> `[B, steps, units]`. Gates: input, forget, candidate,
    output."""

    def __init__(self, features: int, units: int, biases: int):
        self.weight_ih, self.weight_ih_bias = nnx.Param(jnp.zeros((features, 4 * units))), nnx.Param(jnp.zeros(4 * units))
        self.weight_hh = nnx.Param(jnp.zeros((units, 4 * units)))
        self.weight_hh_bias = nnx.Param(jnp.zeros(4 * units)) if biases == 2 else None

    def __call__(self, x: Array) -> Array:
        weight, gates = self.weight_hh[...], x @ self.weight_ih[...] + self.weight_ih_bias[...][None, None]
        if self.weight_hh_bias is not None:
            gates = gates + self.weight_hh_bias[...][None, None]

        def step(state: tuple[Array, Array], gate: Array) -> tuple[tuple[Array, Array], Array]:
            hidden, memory = state
            enter, forget, candidate, leave = jnp.split(gate + hidden @ weight, 4, axis=-1)
            memory = jax.nn.sigmoid(forget) * memory + jax.nn.sigmoid(enter) * jnp.tanh(candidate)
            hidden = jax.nn.sigmoid(leave) * jnp.tanh(memory)
            return (hidden, memory), hidden

        start = jnp.zeros((len(x), weight.shape[0]))
        return lax.scan(step, (start, start), gates.swapaxes(0, 1))[1].swapaxes(0, 1)


def draw(model: nnx.Module, key: Array) -> None:
    """Draws the kernels anew, uniformly between +-1 / sqrt(inputs of one output), as PyTorch does. Biases and normalisations stay."""
    leaves, tree = jax.tree.flatten(nnx.state(model, nnx.Param))
    keys = jax.random.split(key, len(leaves))
    bounds = [math.prod(leaf.shape[:-1]) ** -0.5 for leaf in leaves]
    drawn = [
        jax.random.uniform(k, leaf.shape, minval=-bound, maxval=bound) if leaf.ndim > 1 else leaf
        for k, leaf, bound in zip(keys, leaves, bounds, strict=True)
    ]
    nnx.update(model, jax.tree.unflatten(tree, drawn))


PLAIN = {
    "jaxzc.types": ("Array",),
    "jaxzc_spaces.core.layers": ("BatchNorm", "ReLU"),
    "jaxzc_spaces.core.units": ("Activation",),
    "jaxzc_spaces.core.pools": ("larger", "max_pool", "avg_pool"),
    "jaxzc_spaces.cells.ops": ("Array", "avg_pool3x3", "mean_pool2x2", "conv1x1", "conv3x3", "conv3x3_stride2"),
    "jaxzc_spaces.transformers.blocks": ("LayerNorm",),
    "jaxzc_spaces.nasbench_asr.layers": ("LSTM",),
    "jaxzc_spaces.nasbench101.network": ("max_pool3x3", "max_pool2x2"),
}
"""Module -> names of it whose namesakes here take their places."""
