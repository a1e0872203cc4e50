"""The operators of FlexiBERT's layers as Flax NNX modules: x `[B, T, hidden]`, a pass -> the same shape.

Source: Tuli et al., FlexiBERT, JAIR 2023; span-based dynamic convolution: Jiang et al., ConvBERT, NeurIPS 2020; mixing by Fourier
transforms: Lee-Thorp et al., FNet, 2021. Details as in the code of training-free-nas: transforms have no projection, residual connection or
normalisation behind them, and no operator heeds a mask.
"""

import math
from functools import lru_cache

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxzc.types import Array
from jaxzc_spaces.core.layers import Linear, along, kernel, layer
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.transformers.blocks import LayerNorm, scaled_queries

EPS = 1e-12


def by_heads(a: Array, heads: int) -> Array:
    """`[B, T, width]` -> `[B, heads, T, width of a head]`."""
    return jnp.swapaxes(a.reshape(*a.shape[:2], heads, -1), 1, 2)


def products(q: Array, k: Array, heads: int) -> Array:
    """Scaled products of queries and keys `[B, T, width]`, by heads -> `[B, heads, T, T]`."""
    q, k = by_heads(q, heads), by_heads(k, heads)
    return jnp.matmul(scaled_queries(q, q.shape[-1] ** -0.5), jnp.swapaxes(k, 2, 3))


def weighted(scores: Array, v: Array, heads: int) -> Array:
    """Values `[B, T, width]`, weighted by a softmax of scores `[B, heads, T, T]` -> `[B, T, width]`."""
    weights, v = jax.nn.softmax(scores, axis=-1), by_heads(v, heads)
    return _joined(jnp.swapaxes(jnp.matmul(weights, v), 1, 2))


def _joined(y: Array) -> Array:
    """`[B, T, heads, width of a head]` -> `[B, T, width]`."""
    return y.reshape(*y.shape[:2], -1)


class SelfAttention(nnx.Module):
    """Queries, keys and values, each by a linear layer; with `matrix`, queries are multiplied by one more (weighted multiplicative
    attention)."""

    def __init__(self, hidden: int, heads: int, matrix: bool):
        self.heads = heads
        self.query, self.key, self.value = Linear(hidden, hidden), Linear(hidden, hidden), Linear(hidden, hidden)
        self.weight_matrix = Matrix(hidden, hidden) if matrix else None
        self.output, self.ln = Linear(hidden, hidden), LayerNorm(hidden, EPS)

    def __call__(self, x: Array, p: Pass) -> Array:
        p.role = "attention"
        q = self.query(x, p)
        q = q if self.weight_matrix is None else self.weight_matrix(q, p)
        scores = p.attending(self, products(q, self.key(x, p), self.heads))
        y = weighted(scores, self.value(x, p), self.heads)
        p.role = "join"
        y = self.output(y, p)
        p.role = ""
        return self.ln(y + x, p)


class Matrix(nnx.Module):
    """A linear layer without bias."""

    def __init__(self, c_in: int, c_out: int):
        self.kernel = kernel(c_in, c_out)

    def __call__(self, x: Array, p: Pass) -> Array:
        return layer(jnp.matmul, x, self.kernel, p)


class Transform(nnx.Module):
    """A linear layer, and of each head's `[T, width]` the two-dimensional transform: with "DFT" the real part of Fourier's, unscaled,
    with "DCT" the cosine transform of type II, unnormalised."""

    def __init__(self, hidden: int, heads: int, kind: str):
        self.heads, self.kind, self.input = heads, kind, Linear(hidden, hidden)

    def __call__(self, x: Array, p: Pass) -> Array:
        p.role = "transform"
        u = self.input(x, p)
        p.role = ""
        u = u.reshape(*u.shape[:2], self.heads, -1)
        along_time, along_width = (waves(self.kind, size) for size in (u.shape[1], u.shape[3]))
        parts = [
            jnp.einsum("st,bthd,ed->bhse", jnp.asarray(a, u.dtype), u, jnp.asarray(b, u.dtype))
            for a, b in zip(along_time, along_width, strict=True)
        ]
        y = p.attending(self, parts[0] - parts[1] if self.kind == "DFT" else parts[0])
        return _joined(jnp.swapaxes(y, 1, 2))


@lru_cache(maxsize=16)
def waves(kind: str, size: int) -> tuple[list[list[float]], ...]:
    """Matrices `[frequencies, size]`: cosines and sines of the Fourier transform, or twice the cosines of the cosine transform."""
    if kind == "DCT":
        angles = [[math.pi * (k * (2 * n + 1) % (4 * size)) / (2 * size) for n in range(size)] for k in range(size)]
        return ([[2 * math.cos(angle) for angle in row] for row in angles],)
    angles = [[2 * math.pi * (k * n % size) / size for n in range(size)] for k in range(size)]
    return [[math.cos(angle) for angle in row] for row in angles], [[math.sin(angle) for angle in row] for row in angles]


class DynamicConvolution(nnx.Module):
    """Half of the heads attend; the others average values in a window of `size` tokens, with weights that a convolution makes of it."""

    def __init__(self, hidden: int, heads: int, size: int):
        self.heads, self.size = max(1, heads // 2), size
        width = self.heads * (hidden // heads)
        self.query, self.key, self.value = Linear(hidden, width), Linear(hidden, width), Linear(hidden, width)
        self.key_conv = SeparableConv(hidden, width, size)
        self.conv_kernel, self.conv_out = Linear(width, self.heads * size), Linear(hidden, width)
        self.output, self.ln = Linear(2 * width, hidden), LayerNorm(hidden, EPS)

    def __call__(self, x: Array, p: Pass) -> Array:
        p.role = "attention"
        q, k, v = self.query(x, p), self.key(x, p), self.value(x, p)
        p.role = ""
        attended = weighted(p.attending(self, products(q, k, self.heads)), v, self.heads)
        keys = self.key_conv(x, p)
        p.role = "window_weights"
        spans = self.conv_kernel(keys * q, p)
        of_windows = jax.nn.softmax(spans.reshape(*x.shape[:2], self.heads, self.size), axis=-1)
        p.role = "window"
        values, half = self.conv_out(x, p), self.size // 2
        padded = jnp.pad(values, ((0, 0), (half, half), (0, 0))).reshape(len(x), -1, self.heads, values.shape[-1] // self.heads)
        convolved = sum(of_windows[..., j : j + 1] * padded[:, j : j + x.shape[1]] for j in range(self.size))
        p.role = "join"
        y = self.output(jnp.concatenate([attended, _joined(jnp.asarray(convolved))], -1), p)
        p.role = ""
        return self.ln(y + x, p)


class Depthwise(nnx.Module):
    """A depthwise convolution over `size` tokens, padded with zeros, without bias."""

    def __init__(self, channels: int, size: int):
        self.kernel = kernel(size, 1, channels)

    def __call__(self, x: Array, p: Pass) -> Array:
        return layer(_depthwise, x, self.kernel, p)


def _depthwise(x: Array, w: Array) -> Array:
    half = len(w) // 2
    return lax.conv_general_dilated(x, w, (1,), [(half, half)], dimension_numbers=("NWC", "WIO", "NWC"), feature_group_count=x.shape[-1])


class SeparableConv(nnx.Module):
    """A depthwise convolution, and a linear layer."""

    def __init__(self, c_in: int, c_out: int, size: int):
        self.depthwise, self.pointwise = Depthwise(c_in, size), Matrix(c_in, c_out)
        self.bias = nnx.Param(jnp.zeros(c_out, jnp.float32))

    def __call__(self, x: Array, p: Pass) -> Array:
        return self.pointwise(self.depthwise(x, p), p) + along(x, self.bias[...])


def operator(name: str, hidden: int, heads: int) -> nnx.Module:
    """The operator of this name (`encoding.OPERATORS`)."""
    kind, setting = name.split(":")
    if kind == "SA":
        return SelfAttention(hidden, heads, setting == "WMA")
    return Transform(hidden, heads, setting) if kind == "LT" else DynamicConvolution(hidden, heads, int(setting))
