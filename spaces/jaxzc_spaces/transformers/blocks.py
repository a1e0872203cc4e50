"""Blocks of vision transformers as Flax NNX modules: layer normalisation, attention, relative positions, the feed-forward part, patches.

Activations are `[B, tokens, channels]`; the class token is the first token. Source: Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR
2021; relative positions: Shaw et al., Self-Attention with Relative Position Representations, NAACL 2018, in two dimensions as in
AutoFormer (Chen et al., ICCV 2021) and its code.
"""

from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxzc.types import Array
from jaxzc_spaces.core.layers import Linear, along, kernel, layer
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.core.repeated import repeated
from jaxzc_spaces.core.units import unpadded


class LayerNorm(nnx.Module):
    """Layer normalisation over the channels; with `norm="none"` it is the identity, as every normalisation is.

    channels: their number; with leading axes, layers that are stacked, whose parameters are then given to `layer_normalised`.
    A tap does not read its input: what proxies make of normalisations' inputs are statistics of a batch."""

    def __init__(self, channels: int | tuple[int, ...], eps: float):
        self.eps = eps
        self.scale, self.bias = nnx.Param(jnp.ones(channels, jnp.float32)), nnx.Param(jnp.zeros(channels, jnp.float32))

    def __call__(self, x: Array, p: Pass) -> Array:
        return x if p.norm == "none" else layer_normalised(x, self.scale[...], self.bias[...], self.eps)


def layer_normalised(x: Array, scale: Array, bias: Array, eps: float) -> Array:
    """x `[..., channels]` less its mean over the channels, over the deviation, times the scale, plus the bias."""
    centred = x - x.mean(-1, keepdims=True)
    return centred * lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + eps) * along(x, scale) + along(x, bias)


class GELU(nnx.Module):
    """x times the standard normal distribution function of x, exactly (not by tanh)."""

    def __call__(self, x: Array, p: Pass) -> Array:
        return jax.nn.gelu(p.activating(self, x, ("GELU",), "gelu"), approximate=False)


class Patches(nnx.Module):
    """Convolution without padding whose kernel is a patch of `size` x `size` pixels. -> `[B, rows, columns, channels]`"""

    def __init__(self, size: int, stride: int, colours: int, channels: int):
        self.stride = stride
        self.kernel, self.bias = kernel(size, size, colours, channels), nnx.Param(jnp.zeros(channels, jnp.float32))

    def __call__(self, x: Array, p: Pass) -> Array:
        return layer(partial(unpadded, strides=(self.stride, self.stride), groups=1), x, self.kernel, p, self.bias)


class Attention(NamedTuple):
    """heads: their number. width: of queries, keys and values, all heads together. scale: of their products. distance: rows and columns
    beyond which relative positions are alike; 0: there are none. grid: rows and columns of patches, for these."""

    heads: int
    width: int
    scale: float
    distance: int = 0
    grid: tuple[int, int] = (0, 0)


class Block(nnx.Module):
    """x + attention of the normalised x, then x + feed-forward part of the normalised x.

    Call: x `[B, tokens, channels]`, a pass, and the name of the block, for its two maps: `name/attention` and `name`."""

    def __init__(self, channels: int, attention: Attention, hidden: int, eps: float):
        self.attention = attention
        self.ln1, self.qkv, self.proj = LayerNorm(channels, eps), Linear(channels, 3 * attention.width), Linear(attention.width, channels)
        if attention.distance:
            shape = 2 * attention.distance + 2, attention.width // attention.heads
            self.relk_row, self.relk_col, self.relv_row, self.relv_col = (nnx.Param(jnp.zeros(shape, jnp.float32)) for _ in range(4))
        self.ln2, self.fc1, self.gelu, self.fc2 = LayerNorm(channels, eps), Linear(channels, hidden), GELU(), Linear(hidden, channels)

    @repeated
    def __call__(self, x: Array, p: Pass, name: str) -> Array:
        x = p.map(f"{name}/attention", x + self._attend(self.ln1(x, p), p))
        return p.map(name, x + self._feed_forward(self.ln2(x, p), p))

    def _feed_forward(self, x: Array, p: Pass) -> Array:
        p.role = "feed_forward"
        y = self.fc2(self.gelu(self.fc1(x, p), p), p)
        p.role = ""
        return y

    def _attend(self, x: Array, p: Pass) -> Array:
        p.role = "attention"
        of, (batch, tokens, _) = self.attention, x.shape
        q, k, v = jnp.moveaxis(self.qkv(x, p).reshape(batch, tokens, 3, of.heads, -1), (2, 3), (0, 2))
        q = scaled_queries(q, of.scale)
        products = jnp.matmul(q, jnp.swapaxes(k, 2, 3))
        if of.distance:
            products = products + jnp.einsum("bhnd,nmd->bhnm", q, self._relative(self.relk_row, self.relk_col, p))
        weights = jax.nn.softmax(p.attending(self, products), axis=-1)
        y = jnp.matmul(weights, v)
        if of.distance:
            y = y + jnp.einsum("bhnm,nmd->bhnd", weights, self._relative(self.relv_row, self.relv_col, p))
        p.role = "join"
        y = self.proj(jnp.swapaxes(y, 1, 2).reshape(batch, tokens, -1), p)
        p.role = ""
        return y

    def _relative(self, rows: nnx.Param, columns: nnx.Param, p: Pass) -> Array:
        """What each token (first axis) has of the place of each other (second): `[tokens, tokens, width of a head]`."""
        by_row, by_column = relative_places(self.attention.grid, self.attention.distance)
        of_rows, of_columns = p.embedding(rows, rows[...]), p.embedding(columns, columns[...])
        return of_rows[jnp.array(by_row)] + of_columns[jnp.array(by_column)]


def scaled_queries(q: Array, scale: float) -> Array:
    """Queries whose products with keys a softmax takes. It is they that are scaled, and not the products: a compiler may compute
    scale * product - largest without rounding the product, which then differs from the largest by what was rounded. Where products are
    large, as without normalisation, that is far from 0, and the softmax is NaN."""
    return q * scale


@lru_cache(maxsize=16)
def relative_places(grid: tuple[int, int], distance: int) -> tuple[list[list[int]], list[list[int]]]:
    """Entries of the tables of rows and of columns for each pair of tokens, `[tokens, tokens]`: the second's row (column) less the first's,
    limited to `distance`, plus `distance` + 1; 0 where one of the two is the class token."""

    def places(numbers: list[int]) -> list[list[int]]:
        apart = [[0, *(min(max(to - of, -distance), distance) + distance + 1 for to in numbers)] for of in numbers]
        return [[0] * (len(numbers) + 1), *apart]

    patches = [divmod(patch, grid[1]) for patch in range(grid[0] * grid[1])]
    return places([row for row, _ in patches]), places([column for _, column in patches])


def with_class_token(cls: Array, tokens: Array) -> Array:
    """`[B, 1 + tokens, channels]` of a token `[channels]` or `[B, 1, channels]`, and tokens `[B, tokens, channels]`."""
    first = jnp.broadcast_to(cls, (len(tokens), 1, tokens.shape[-1])).astype(tokens.dtype)
    return jnp.concatenate([first, tokens], axis=1)
