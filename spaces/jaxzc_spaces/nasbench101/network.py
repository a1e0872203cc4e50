"""The network of a NAS-Bench-101 cell as Flax NNX modules.

Source: Ying et al., NAS-Bench-101, ICML 2019, section 2; details as in the benchmark's code: every convolution is followed by affine batch
normalisation and ReLU, the input enters each vertex through a 1x1 convolution of its own, vertices are concatenated at the output.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxzc.types import Array
from jaxzc_spaces.cells import ops as edge_ops
from jaxzc_spaces.core.layers import BatchNorm, NetworkModule, ReLU, kernel, layer
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.core.pools import larger
from jaxzc_spaces.nasbench101.encoding import CONV1, CONV3, POOL, Cells, widths


class Graph(NamedTuple):
    """A pruned cell: edges (source, target) of 7 vertices, those without edges missing; ops: of the vertices, -1 at both ends."""

    edges: tuple[tuple[int, int], ...]
    ops: tuple[int, ...]


def widths_of(graph: Graph, channels: int) -> tuple[int, ...]:
    """Channels of every vertex where the output has so many (`encoding.widths`)."""
    matrix = np.zeros((1, len(graph.ops), len(graph.ops)), bool)
    matrix[0][tuple(np.array(graph.edges).T)] = True
    return tuple(widths(Cells(matrix, np.array([graph.ops])), channels)[0].tolist())


def max_pool3x3(x: Array) -> Array:
    """3x3 maximum, stride 1; padding never wins. Maxima of shifted arrays: their gradients are cheap to compile anywhere, and share ties
    evenly."""
    for axis in (1, 2):
        border = [(0, 0)] * x.ndim
        border[axis] = (1, 1)
        padded, n = jnp.pad(x, border, constant_values=-jnp.inf), x.shape[axis]
        before, after = (jnp.take(padded, jnp.arange(start, start + n), axis, mode="clip") for start in (0, 2))
        x = larger(larger(before, after), x)
    return x


def max_pool2x2(x: Array) -> Array:
    """2x2 maximum, stride 2, of even heights and widths."""
    b, h, w, c = x.shape
    rows = x.reshape(b, h // 2, 2, w // 2, 2, c)
    columns = larger(rows[:, :, 0], rows[:, :, 1])
    return larger(columns[:, :, :, 0], columns[:, :, :, 1])


class ConvBnRelu(nnx.Module):
    def __init__(self, size: int, c_in: int, c: int):
        self.conv, self.bn, self.relu, self.size = kernel(size, size, c_in, c), BatchNorm(c), ReLU(), size

    def __call__(self, x: Array, p: Pass) -> Array:
        op = edge_ops.conv3x3 if self.size == 3 else edge_ops.conv1x1
        return self.relu(self.bn(layer(op, x, self.conv, p), p), p)


class Module(nnx.Module):
    """One cell, of a graph whose vertices have these widths, on c_in channels."""

    def __init__(self, graph: Graph, width: tuple[int, ...], c_in: int):
        self.graph, self.width = graph, width
        self.proj = nnx.Dict({f"vertex{v}": ConvBnRelu(1, c_in, self.width[v]) for source, v in graph.edges if source == 0})
        sizes = {v: 3 if op == CONV3 else 1 for v, op in enumerate(graph.ops) if op in (CONV3, CONV1) and self.width[v]}
        self.op = nnx.Dict({f"vertex{v}": ConvBnRelu(size, self.width[v], self.width[v]) for v, size in sizes.items()})

    def __call__(self, x: Array, p: Pass) -> Array:
        nodes: dict[int, Array] = {}
        last = len(self.graph.ops) - 1
        for v in range(1, last):
            if self.width[v] == 0:
                continue
            fed = [nodes[source][..., : self.width[v]] for source, target in self.graph.edges if target == v and source]
            fed += [self.proj[f"vertex{v}"](x, p)] if (0, v) in self.graph.edges else []
            y = sum(fed[1:], fed[0])
            nodes[v] = max_pool3x3(y) if self.graph.ops[v] == POOL else self.op[f"vertex{v}"](y, p)
        joined = [nodes[source] for source, target in self.graph.edges if target == last and source]
        outputs = [jnp.concatenate(joined, axis=-1)] if joined else []
        outputs += [self.proj[f"vertex{last}"](x, p)] if (0, last) in self.graph.edges else []
        return sum(outputs[1:], outputs[0])


class NasBench101Net(NetworkModule):
    """Stem, three stacks of modules with 2x2 max pooling between them, global mean, linear head. Call: images `[B, H, W, in_channels]`
    (H, W divisible by 4) -> logits `[B, classes]`. widths: of the vertices, in each stack; the last one's is the stack's own."""

    def __init__(self, graph: Graph, widths: Sequence[tuple[int, ...]], channels: int, modules: int, classes: int, in_channels: int):
        self.stem = ConvBnRelu(3, in_channels, channels)
        before = [channels, *(width[-1] for width in widths)]
        self.stacks = nnx.List(
            [
                nnx.List([Module(graph, width, width[-1] if m else c) for m in range(modules)])
                for c, width in zip(before[:-1], widths, strict=True)
            ]
        )
        self.head, self.head_bias = kernel(before[-1], classes), kernel(classes)

    def logits(self, x: Array, p: Pass) -> Array:
        x = self.stem(x, p)
        for stack, modules in enumerate(self.stacks):
            x = max_pool2x2(x) if stack else x
            for module in modules:
                p.cell += 1
                (x,) = p.rescale(module(x, p))
        p.cell = -1
        return layer(jnp.matmul, x.mean((1, 2)), self.head, p, self.head_bias)
