"""The network of TransNAS-Bench-101's cell-level space as Flax NNX modules whose cell is an argument.

Source: Duan et al., TransNAS-Bench-101, CVPR 2021; layer details as in the authors' code. Cells that keep the size are those of
NAS-Bench-201 (same edges, same numbers for operations 0 to 3). A cell that halves the image and doubles the width does so on the edges that
leave its input; a skip connection there is a factorised reduction.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxzc.types import Array, PyTree
from jaxzc_spaces.cells import ops as edge_ops
from jaxzc_spaces.cells.edge import Edges, Post
from jaxzc_spaces.cells.loop import graph, without_dead_edges
from jaxzc_spaces.core.layers import BatchNorm, ReLU, kernel, layer, normalise
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.core.stacked import read_where, stack
from jaxzc_spaces.nasbench201.encoding import EDGES
from jaxzc_spaces.nasbench201.network import OPERATIONS, Cells, edge_perturb, edge_reader, is_conv, keep_edges
from jaxzc_spaces.transnas101.encoding import CONV3, SKIP, ZERO
from jaxzc_spaces.transnas101.network import BLOCK, conv1x1_stride2

ENTERING = tuple(e for e, (source, _) in enumerate(EDGES) if source == 0)
INNER = tuple(e for e, (source, _) in enumerate(EDGES) if source != 0)
INNER_WIRING = tuple((EDGES[e][0] - 1, EDGES[e][1] - 1) for e in INNER)
STAGES = (3, 3, 1)
"""Cells of one size behind each widening cell, in the skeleton 41414."""


class Entry(NamedTuple):
    """One edge that leaves the input of a widening cell. perturb: of its four kernels, or None."""

    gene: Array
    kernels: tuple[Array, ...]
    norm: tuple[Array, Array]
    perturb: PyTree


def entry_value(entry: Entry, x: Array, p: Pass) -> tuple[Array, PyTree]:
    """What the edge gives, `[B, H/2, W/2, 2C]` (rounded up), and what was kept: of its convolution, and of the reduction's two."""
    (conv1, conv3, reduce_a, reduce_b), gene = entry.kernels, entry.gene
    r = jax.nn.relu(x)
    shifted = jnp.pad(r, ((0, 0), (0, 1), (0, 1), (0, 0)))[:, 1:, 1:]
    empty = jnp.zeros((len(x), -(-x.shape[1] // 2), -(-x.shape[2] // 2), conv1.shape[-1]), x.dtype)
    half = empty[..., : reduce_a.shape[-1]]

    y = lax.switch(gene, [lambda: empty, lambda: empty, lambda: conv1x1_stride2(r, conv1), lambda: edge_ops.conv3x3_stride2(r, conv3)])
    reduced = lambda: (conv1x1_stride2(r, reduce_a), conv1x1_stride2(shifted, reduce_b))  # noqa: E731
    a, b = lax.switch(gene, [lambda: (half, half), reduced, *[lambda: (half, half)] * 2])
    q = p.step()
    if entry.perturb is not None:
        of1, of3, of_a, of_b = entry.perturb
        q = p.step({"conv": jax.tree.map(lambda p, q: jnp.where(gene == CONV3, q, p), of1, of3), "reduce_a": of_a, "reduce_b": of_b})
    y, a, b = q.layer("conv", y), q.layer("reduce_a", a), q.layer("reduce_b", b)
    y = jnp.where(gene == SKIP, jnp.concatenate([a, b], axis=-1), y)
    return jnp.where(gene == ZERO, 0, normalise(y, *entry.norm, p.norm)), q.records()


class Widening(nnx.Module):
    """A cell that halves the image and doubles the width. Arrays have a leading axis [3]: the edges that enter it (`*_in`, `reduce_*`), and
    those inside. Called by its name, for what the pass keeps: the inputs of its ReLUs are `input` and `nodes`."""

    def __init__(self, channels: int):
        c = 2 * channels
        self.conv1x1_in, self.conv3x3_in = kernel(3, 1, 1, channels, c), kernel(3, 3, 3, channels, c)
        self.reduce_a, self.reduce_b = kernel(3, 1, 1, channels, channels), kernel(3, 1, 1, channels, channels)
        self.bn_in = BatchNorm(3, c)
        self.conv1x1, self.conv3x3 = kernel(3, 1, 1, c, c), kernel(3, 3, 3, c, c)
        self.bn = BatchNorm(3, c)

    def __call__(self, x: Array, genes: Array, p: Pass, name: str) -> Array:
        tap, norm = p.tap, p.norm
        entries = Entry(
            jnp.stack([genes[e] for e in ENTERING]),
            (self.conv1x1_in[...], self.conv3x3_in[...], self.reduce_a[...], self.reduce_b[...]),
            self.bn_in.leaves(),
            None if tap.perturb is None else tuple(p.perturb(f"{name}/{kernel}") for kernel in ENTRY_KERNELS),
        )
        edges = Edges((self.conv1x1[...], self.conv3x3[...]), self.bn.leaves(), edge_perturb(p, name))
        post = Post(edge_reader(p), lambda y, bn: normalise(y, bn[0], bn[1], norm))
        inner = jnp.stack([genes[e] for e in INNER])
        start, records_in = lax.map(lambda entry: entry_value(entry, x, p), entries)
        nodes, records = graph(OPERATIONS, INNER_WIRING, post)(inner, start, edges)
        if tap.layer is not None:
            for kernel, slot in zip(ENTRY_KERNELS, ("conv", "conv", "reduce_a", "reduce_b"), strict=True):
                p.layers[f"{name}/{kernel}"] = records_in[slot]
        keep_edges(p, name, records)
        if tap.activation is not None:
            conv = is_conv(inner)
            fed = [conv[0] | conv[1], conv[2]]
            p.activating(f"{name}/input", x)
            p.activations[f"{name}/nodes"] = stack([read_where(c, tap.activation, lax.stop_gradient(nodes[n])) for n, c in enumerate(fed)])
        return nodes[-1]


ENTRY_KERNELS = ("conv1x1_in", "conv3x3_in", "reduce_a", "reduce_b")


class MicroNet(nnx.Module):
    """The whole network of skeleton 41414: stem, three times a widening cell and cells of one size, global mean, linear head.

    Call: images `[B, H, W, in_channels]`, genes int32 `[6]`, which may be traced, and a `Pass`. -> logits `[B, classes]`
    """

    def __init__(self, channels: int, classes: int, in_channels: int):
        self.stem0, self.stem0_bn, self.stem_relu = kernel(3, 3, in_channels, channels // 2), BatchNorm(channels // 2), ReLU(BLOCK)
        self.stem1, self.stem1_bn = kernel(3, 3, channels // 2, channels), BatchNorm(channels)
        self.widenings = nnx.List([Widening(channels << stage) for stage in range(len(STAGES))])
        self.stages = nnx.List([Cells(count, channels << stage + 1) for stage, count in enumerate(STAGES)])
        self.head, self.head_bias = kernel(channels << len(STAGES), classes), kernel(classes)

    def __call__(self, x: Array, genes: Array, p: Pass) -> Array:
        if p.tap.layer is None and p.tap.activation is None:  # nobody looks at what leads nowhere
            genes = without_dead_edges(OPERATIONS, EDGES, genes)
        x = self.stem0_bn(layer(edge_ops.conv3x3_stride2, x, self.stem0, p), p)
        x = self.stem1_bn(layer(edge_ops.conv3x3_stride2, self.stem_relu(x, p), self.stem1, p), p)
        x = p.map("stem", x)
        for stage, (widening, cells) in enumerate(zip(self.widenings, self.stages, strict=True)):
            name = f"widenings/{stage}"
            (x,) = p.rescale(p.map(name, widening(x, genes, p, name)))
            x = cells(x, genes, p, f"stages/{stage}")
        return layer(jnp.matmul, x.mean((1, 2)), self.head, p, self.head_bias)
