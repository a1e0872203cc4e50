"""FlexiBERT's networks as Flax NNX modules, and their exact counts: ELECTRA's discriminators with other operators.

Source: Serianni & Kalita, Training-free Neural Architecture Search for RNNs and Transformers, ACL 2023, and its code. The network says of
each token whether it was replaced. Dropout, with which a score would be random, is left out.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import nnx

from jaxzc.types import Array, Counts, PyTree
from jaxzc_spaces.core.layers import Linear, NetworkModule
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.core.repeated import repeated
from jaxzc_spaces.flexibert.operators import EPS, operator
from jaxzc_spaces.transformers.blocks import GELU, LayerNorm

TYPES = 2
"""Kinds of tokens (the first and the second sentence)."""


class Sizes(NamedTuple):
    """vocabulary: number of words. positions: the most tokens. embedding: width of words' vectors."""

    vocabulary: int
    positions: int
    embedding: int


class Part(NamedTuple):
    """One layer: its operator (`encoding.OPERATORS`), heads, and the widths of its feed-forward layers without the last."""

    operator: str
    heads: int
    widths: tuple[int, ...]


class Embeddings(nnx.Module):
    """Words, their positions and types."""

    def __init__(self, sizes: Sizes):
        rows = sizes.vocabulary, sizes.positions, TYPES
        self.word, self.position, self.type = (nnx.Param(jnp.zeros((count, sizes.embedding), jnp.float32)) for count in rows)
        self.ln = LayerNorm(sizes.embedding, EPS)

    def __call__(self, words: Array, types: Any, p: Pass) -> Array:
        p.embedding(self.word, self.word[...])
        table = p.embedding(self.type, self.type[...])
        of_type = table[None, :1] if types is None else table[types]
        return self.ln(words + of_type + p.embedding(self.position, self.position[...])[None, : words.shape[1]], p)


class FeedForward(nnx.Module):
    """GELU behind each linear layer but the last, a residual connection, normalisation."""

    def __init__(self, hidden: int, widths: Sequence[int]):
        setattr(self, "in", Linear(hidden, widths[0]))
        self.mid = nnx.List([Linear(before, width) for before, width in pairwise(widths)])
        self.gelus = nnx.List([GELU() for _ in widths])
        self.out, self.ln = Linear(widths[-1], hidden), LayerNorm(hidden, EPS)

    def __call__(self, x: Array, p: Pass) -> Array:
        p.role = "feed_forward"
        y = x
        for linear, gelu in zip((getattr(self, "in"), *self.mid), self.gelus, strict=True):
            y = gelu(linear(y, p), p)
        y = self.out(y, p)
        p.role = ""
        return self.ln(y + x, p)


class Layer(nnx.Module):
    """An operator and a feed-forward part. Call: x `[B, T, hidden]`, a pass, and the name of the layer, for its two maps."""

    def __init__(self, hidden: int, part: Part):
        self.op, self.ff = operator(part.operator, hidden, part.heads), FeedForward(hidden, part.widths)

    @repeated
    def __call__(self, x: Array, p: Pass, name: str) -> Array:
        x = p.map(f"{name}/op", self.op(x, p))
        return p.map(name, self.ff(x, p))


class Discriminator(nnx.Module):
    """A logit for each token."""

    def __init__(self, hidden: int):
        self.dense, self.gelu, self.prediction = Linear(hidden, hidden), GELU(), Linear(hidden, 1)

    def __call__(self, x: Array, p: Pass) -> Array:
        return self.prediction(self.gelu(self.dense(x, p), p), p)[..., 0]


class FlexiBertModule(NetworkModule):
    """The whole network. Call: tokens int `[B, T]`, or a pair of them and their types; a pass; their vectors, if these are given.
    -> a logit for each token, `[B, T]`"""

    def __init__(self, sizes: Sizes, hidden: int, parts: Sequence[Part]):
        self.depth, self.embeddings = len(parts), Embeddings(sizes)
        self.project = Linear(sizes.embedding, hidden) if hidden != sizes.embedding else None
        for number, part in enumerate(parts):
            setattr(self, f"layer{number}", Layer(hidden, part))
        self.head = Discriminator(hidden)

    def words(self, inputs: PyTree) -> Array:
        """Vectors `[B, T, embedding]` of tokens."""
        tokens, _ = inputs if isinstance(inputs, tuple) else (inputs, None)
        return self.embeddings.word[...][jnp.asarray(tokens).astype(jnp.int32)]

    def logits(self, x: PyTree, p: Pass, words: Any = None) -> Array:
        x = self.embeddings(self.words(x) if words is None else words, x[1] if isinstance(x, tuple) else None, p)
        x = x if self.project is None else self.project(x, p)
        for number in range(self.depth):
            p.cell = number
            x = getattr(self, f"layer{number}")(x, p, f"layer{number}")
        p.cell = -1
        return self.head(x, p)


def network_counts(sizes: Sizes, hidden: int, parts: Sequence[Part], tokens: int) -> tuple[Counts[int], int]:
    """Exact counts of one network for so many tokens, as ints, and the parameters of its encoder, without the head."""
    kernels, biases, layers, products = [], 2 * hidden * len(parts), 0, 0
    for part in parts:
        widths = (hidden, *part.widths, hidden)
        kernels += [a * b for a, b in pairwise(widths)]
        biases += sum(widths[1:])
        layers += len(widths) - 1
        of_kernels, of_biases, of_products = _operator_sizes(part, hidden, tokens)
        kernels += of_kernels
        biases += of_biases
        layers += len(of_kernels)
        products += of_products
    if hidden != sizes.embedding:
        kernels.append(sizes.embedding * hidden)
        biases, layers = biases + hidden, layers + 1
    tables = (sizes.vocabulary + sizes.positions + TYPES + 2) * sizes.embedding
    head = hidden * hidden + hidden
    encoder = sum(kernels) + biases + tables
    return Counts(encoder + head + hidden + 1, tokens * (sum(kernels) + head), layers + 2, products), encoder


def _operator_sizes(part: Part, hidden: int, tokens: int) -> tuple[list[int], int, int]:
    """Weights of each kernel, all other parameters, and multiply-accumulates of the products of data with data, of an operator."""
    kind, setting = part.operator.split(":")
    square, of_head = hidden * hidden, hidden // part.heads
    if kind == "SA":
        return [square] * (5 if setting == "WMA" else 4), 4 * hidden + 2 * hidden, 2 * tokens * tokens * hidden
    if kind == "LT":
        # Two transforms, of which Fourier's real part takes two products each.
        return [square], hidden, (2 if setting == "DFT" else 1) * tokens * hidden * (tokens + of_head)
    heads, size = max(1, part.heads // 2), int(setting)
    width = heads * of_head
    projections = [hidden * width] * 5 + [hidden * size, width * heads * size, 2 * width * hidden]
    return projections, 5 * width + heads * size + hidden + 2 * hidden, 2 * tokens * tokens * width + tokens * width * size
