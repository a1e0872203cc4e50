"""Transformers and mixers in the manner of the public zoos: images and tokens."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import nnx

from tests.networks.zoo.case import CLASSES, IMAGES, LABELS, RNG, STEPS, TOKENS, VOCABULARY, Case, cross_entropy, linen, of_nnx
from tests.networks.zoo.convolutional import CODES

BLOCK = 4 * 16 + 2 * 32
"""Multiply-accumulates of a block of width 4 for one token: query, key, value, out; up and down."""


class Block(nn.Module):
    @nn.compact
    def __call__(self, x: Any, mask: Any = None) -> Any:
        y = nn.LayerNorm()(x)
        x = x + nn.MultiHeadDotProductAttention(2)(y, mask=mask)
        return x + nn.Dense(4)(nn.gelu(nn.Dense(8)(nn.LayerNorm()(x))))


class ViT(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = nn.Conv(4, (4, 4), 4)(x).reshape(len(x), 4, 4)
        first = jnp.broadcast_to(self.param("cls", nn.initializers.zeros, (1, 1, 4)), (len(x), 1, 4))
        x = jnp.concatenate([first, x], 1) + self.param("position", nn.initializers.zeros, (1, 5, 4))
        return nn.Dense(CLASSES)(nn.LayerNorm()(Block()(x))[:, 0])


class Mixer(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = nn.Conv(4, (4, 4), 4)(x).reshape(len(x), 4, 4)
        y = nn.LayerNorm()(x).swapaxes(1, 2)
        x = x + nn.Dense(4)(nn.gelu(nn.Dense(6)(y))).swapaxes(1, 2)
        x = x + nn.Dense(4)(nn.gelu(nn.Dense(6)(nn.LayerNorm()(x))))
        return nn.Dense(CLASSES)(nn.LayerNorm()(x).mean(1))


class Standardised(nn.Conv):
    """Big Transfer's convolution: each filter's weights have mean 0 and variance 1."""

    def param(self, name: str, *args: Any, **kwargs: Any) -> Any:
        value = super().param(name, *args, **kwargs)
        if name != "kernel":
            return value
        value = value - value.mean((0, 1, 2))
        return value / jnp.sqrt(jnp.square(value).mean((0, 1, 2)) + 1e-5)


class Hybrid(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = nn.relu(nn.GroupNorm(2)(Standardised(4, (3, 3), 2, use_bias=False)(x)))
        x = nn.Conv(4, (2, 2), 2)(x).reshape(len(x), 4, 4)
        return nn.Dense(CLASSES)(nn.LayerNorm()(Block()(x)).mean(1))


class Swin(nn.Module):
    """Two layers of windows of 2 x 2, the second shifted, then patches merged."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = nn.LayerNorm()(nn.Conv(4, (2, 2), 2)(x))
        for shift in (0, -1):
            y = jnp.roll(x, (shift, shift), (1, 2)).reshape(-1, 2, 2, 2, 2, 4).swapaxes(2, 3).reshape(-1, 4, 4)
            y = Block()(y).reshape(-1, 2, 2, 2, 2, 4).swapaxes(2, 3).reshape(-1, 4, 4, 4)
            x = jnp.roll(y, (-shift, -shift), (1, 2))
        x = x.reshape(-1, 2, 2, 2, 2, 4).swapaxes(2, 3).reshape(-1, 2, 2, 16)
        return nn.Dense(CLASSES)(nn.Dense(6, use_bias=False)(nn.LayerNorm()(x)).mean((1, 2)))


class Encoder(nn.Module):
    """Tokens to one class."""

    @nn.compact
    def __call__(self, tokens: Any) -> Any:
        x = nn.Embed(VOCABULARY, 4)(tokens) + self.param("position", nn.initializers.zeros, (1, STEPS, 4))
        return nn.Dense(CLASSES)(nn.LayerNorm()(Block()(x)).mean(1))


class Decoder(nn.Module):
    """A language model whose last layer is its embedding."""

    @nn.compact
    def __call__(self, tokens: Any) -> Any:
        embed = nn.Embed(VOCABULARY, 4)
        x = embed(tokens) + self.param("position", nn.initializers.zeros, (1, STEPS, 4))
        x = Block()(x, nn.make_causal_mask(tokens))
        return embed.attend(nn.LayerNorm()(x))


class EncoderDecoder(nn.Module):
    @nn.compact
    def __call__(self, source: Any, target: Any) -> Any:
        embed = nn.Embed(VOCABULARY, 4)
        memory = Block()(embed(source))
        x = Block()(embed(target), nn.make_causal_mask(target))
        x = x + nn.MultiHeadDotProductAttention(2)(nn.LayerNorm()(x), memory)
        return nn.Dense(VOCABULARY)(nn.LayerNorm()(x))


class RMS(nn.Module):
    """Gemma's: one plus the scale."""

    normalises = True

    @nn.compact
    def __call__(self, x: Any) -> Any:
        return x / jnp.sqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-6) * (1 + self.param("scale", nn.initializers.zeros, (x.shape[-1],)))


def rotated(x: Any) -> Any:
    """Rotary positions of `[N, T, heads, 2]`."""
    angle = jnp.arange(x.shape[1])[:, None]
    one, other = x[..., 0], x[..., 1]
    return jnp.stack([one * jnp.cos(angle) - other * jnp.sin(angle), one * jnp.sin(angle) + other * jnp.cos(angle)], -1)


class Gemma(nn.Module):
    @nn.compact
    def __call__(self, tokens: Any) -> Any:
        x = nn.Embed(VOCABULARY, 4)(tokens) * 2.0
        y = RMS()(x)
        query, key, value = (nn.DenseGeneral((2, 2), use_bias=False)(y) for _ in range(3))
        weights = jnp.einsum("nqhd,nkhd->nhqk", rotated(query), rotated(key))
        weights = jax.nn.softmax(jnp.where(jnp.tri(tokens.shape[1], dtype=bool), weights, -1e9))
        x = x + nn.DenseGeneral(4, (-2, -1), use_bias=False)(jnp.einsum("nhqk,nkhd->nqhd", weights, value))
        y = RMS()(x)
        x = x + nn.Dense(4, use_bias=False)(nn.gelu(nn.Dense(8, use_bias=False)(y)) * nn.Dense(8, use_bias=False)(y))
        return nn.Dense(VOCABULARY, use_bias=False)(RMS()(x))


class NNXTransformer(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.patch = nnx.Conv(3, 4, (4, 4), 4, rngs=rngs)
        self.norm, self.other = nnx.LayerNorm(4, rngs=rngs), nnx.LayerNorm(4, rngs=rngs)
        self.attend = nnx.MultiHeadAttention(2, 4, decode=False, rngs=rngs)
        self.up, self.down, self.head = (nnx.Linear(*size, rngs=rngs) for size in ((4, 8), (8, 4), (4, CLASSES)))
        self.dropout = nnx.Dropout(0.3, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        x = self.patch(x).reshape(len(x), 4, 4)
        x = x + self.dropout(self.attend(self.norm(x)))
        return self.head((x + self.down(nn.relu(self.up(self.other(x))))).mean(1))


def next_token(outputs: Any, targets: Any) -> Any:
    return cross_entropy(outputs[:, :-1], jnp.asarray(TOKENS)[:, 1:])


def translation() -> Case:
    target = RNG.integers(0, VOCABULARY, (4, STEPS))
    macs = STEPS * (2 * BLOCK + 4 * 16 + 4 * VOCABULARY)
    return linen(EncoderDecoder(), (TOKENS, target), np.roll(target, -1, 1), macs=macs, missing=CODES)


def hybrid() -> Case:
    return linen(Hybrid(), IMAGES, macs=16 * 27 * 4 + 4 * 16 * 4 + 4 * BLOCK + 4 * CLASSES)


PATCH = 4 * 48 * 4
CASES = {
    "vit": lambda: linen(ViT(), IMAGES, macs=PATCH + 5 * BLOCK + 4 * CLASSES, missing=CODES),
    "vit_nnx": lambda: of_nnx(NNXTransformer, IMAGES, macs=PATCH + 4 * BLOCK + 4 * CLASSES),
    "mlp_mixer": lambda: linen(Mixer(), IMAGES, macs=PATCH + 4 * 48 + 4 * 48 + 4 * CLASSES, missing=CODES),
    "hybrid_vit": hybrid,
    "swin": lambda: linen(Swin(), IMAGES, macs=16 * 12 * 4 + 32 * BLOCK + 4 * 96 + 6 * CLASSES, missing=CODES),
    "encoder": lambda: linen(Encoder(), TOKENS, LABELS, macs=STEPS * BLOCK + 4 * CLASSES, missing=CODES),
    "decoder_tied": lambda: linen(
        Decoder(),
        TOKENS,
        None,
        next_token,
        macs=STEPS * (BLOCK + 4 * VOCABULARY),
        kernels=("kernel", "embedding"),
        missing=CODES,
        options={"task": "next_token"},
    ),
    "encoder_decoder": translation,
    "gemma": lambda: linen(
        Gemma(),
        TOKENS,
        None,
        next_token,
        macs=STEPS * (4 * 16 + 3 * 32 + 4 * VOCABULARY),
        missing=CODES,
        options={"task": "next_token"},
    ),
}
