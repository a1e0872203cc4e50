"""The network of TransNAS-Bench-101's cell-level space as Flax NNX modules whose cell is an argument.

Source: Duan et al., TransNAS-Bench-101, CVPR 2021; layer details as in the authors' code. Cells that keep the size are those of
NAS-Bench-201 (same edges, same numbers for operations 0 to 3). A cell that halves the image and doubles the width does so on the edges that
leave its input; a skip connection there is a factorised reduction.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxzc.numerics.linalg import power_of_two
from jaxzc.types import Array, Forward, Norm, Tap
from jaxzc_spaces.cells import ops as edge_ops
from jaxzc_spaces.cells.edge import Edges, Post
from jaxzc_spaces.cells.loop import discrete_graph, graph, without_dead_edges
from jaxzc_spaces.core.grouped import NO_TAP, Norm2d, Reader, kernel, normalise, read_where, rescale, stack
from jaxzc_spaces.nasbench201.encoding import EDGES
from jaxzc_spaces.nasbench201.network import OPERATIONS, Cells, is_conv
from jaxzc_spaces.transnas101.encoding import CONV3, SKIP, ZERO
from jaxzc_spaces.transnas101.network import conv1x1_stride2

ENTERING = tuple(e for e, (source, _) in enumerate(EDGES) if source == 0)
INNER = tuple(e for e, (source, _) in enumerate(EDGES) if source != 0)
INNER_WIRING = tuple((EDGES[e][0] - 1, EDGES[e][1] - 1) for e in INNER)
STAGES = (3, 3, 1)
"""Cells of one size behind each widening cell, in the skeleton 41414."""


class Entry(NamedTuple):
    """One edge that leaves the input of a widening cell. perturb: of its four kernels, or None."""

    gene: Any
    kernels: tuple[Array, ...]
    norm: tuple[Array, Array]
    perturb: Any


def _switch(gene: Any, branches: Sequence[Callable[[], Any]]) -> Any:
    return branches[gene]() if isinstance(gene, int) else lax.switch(gene, branches)


def entry_value(entry: Entry, x: Array, norm: Norm, tap: Tap) -> tuple[Array, Any]:
    """What the edge gives, `[B, H/2, W/2, 2C]` (rounded up), and what was kept: of its convolution, and of the reduction's two."""
    (conv1, conv3, reduce_a, reduce_b), gene = entry.kernels, entry.gene
    r = jax.nn.relu(x)
    shifted = jnp.pad(r, ((0, 0), (0, 1), (0, 1), (0, 0)))[:, 1:, 1:]
    empty = jnp.zeros((len(x), -(-x.shape[1] // 2), -(-x.shape[2] // 2), conv1.shape[-1]), x.dtype)
    half = empty[..., : reduce_a.shape[-1]]

    y = _switch(gene, [lambda: empty, lambda: empty, lambda: conv1x1_stride2(r, conv1), lambda: edge_ops.conv3x3_stride2(r, conv3)])
    reduced = lambda: (conv1x1_stride2(r, reduce_a), conv1x1_stride2(shifted, reduce_b))  # noqa: E731
    a, b = _switch(gene, [lambda: (half, half), reduced, *[lambda: (half, half)] * 2])
    kept = None
    if tap.layer is not None:
        of1, of3, of_a, of_b = entry.perturb or (None,) * 4
        of_conv = jax.tree.map(lambda p, q: jnp.where(gene == CONV3, q, p), of1, of3)
        (y, kept_y), (a, kept_a), (b, kept_b) = tap.layer(y, of_conv), tap.layer(a, of_a), tap.layer(b, of_b)
        kept = (kept_y, kept_y, kept_a, kept_b)
    y = jnp.where(gene == SKIP, jnp.concatenate([a, b], axis=-1), y)
    return jnp.where(gene == ZERO, 0, normalise(y, *entry.norm, norm)), kept


class Widening(nnx.Module):
    """A cell that halves the image and doubles the width. Arrays have a leading axis [3]: the edges that enter it (`*_in`, `reduce_*`), and
    those inside."""

    def __init__(self, channels: int):
        c = 2 * channels
        self.conv1x1_in, self.conv3x3_in = kernel(3, 1, 1, channels, c), kernel(3, 3, 3, channels, c)
        self.reduce_a, self.reduce_b = kernel(3, 1, 1, channels, channels), kernel(3, 1, 1, channels, channels)
        self.bn_in = Norm2d(3, c)
        self.conv1x1, self.conv3x3 = kernel(3, 1, 1, c, c), kernel(3, 3, 3, c, c)
        self.bn = Norm2d(3, c)

    def __call__(self, x: Array, arch: Sequence[Any], norm: Norm, read: Reader) -> Array:
        tap = read.tap
        perturb = None if tap.perturb is None else tuple(tap.perturb[read.group : read.group + 6])
        entries = Entry(
            jnp.stack([jnp.asarray(arch[e]) for e in ENTERING]),
            (self.conv1x1_in[...], self.conv3x3_in[...], self.reduce_a[...], self.reduce_b[...]),
            self.bn_in.leaves(),
            perturb and perturb[:4],
        )
        edges = Edges((self.conv1x1[...], self.conv3x3[...]), self.bn.leaves(), perturb and perturb[4:])
        post = Post(tap.layer, lambda y, bn: normalise(y, bn[0], bn[1], norm))
        genes = [arch[e] for e in INNER]
        if isinstance(arch[0], int):
            one = [jax.tree.map(lambda a, i=i: a[i], entries)._replace(gene=arch[e]) for i, e in enumerate(ENTERING)]
            given = [entry_value(entry, x, norm, tap) for entry in one]
            start, kept_in = jnp.stack([y for y, _ in given]), stack([kept for _, kept in given])
            nodes, kept = discrete_graph(OPERATIONS, INNER_WIRING, post)(genes, start, edges)
        else:
            start, kept_in = lax.map(lambda entry: entry_value(entry, x, norm, tap), entries)
            nodes, kept = graph(OPERATIONS, INNER_WIRING, post)(jnp.stack(genes), start, edges)
        if tap.layer is not None:
            read.layers += [*lax.stop_gradient(kept_in), kept, kept]
            read.group += 6
        if tap.relu is not None:
            conv = [is_conv(gene) for gene in genes]
            fed = [conv[0] | conv[1], conv[2]]
            read.relu(x)
            read.relus.append(stack([read_where(c, tap.relu, lax.stop_gradient(nodes[n])) for n, c in enumerate(fed)]))
        return nodes[-1]


class MicroNet(nnx.Module):
    """The whole network of skeleton 41414: stem, three times a widening cell and cells of one size, global mean, linear head.

    Call: images `[B, H, W, in_channels]`, arch of 6 genes (Python ints or a traced int array).
    """

    def __init__(self, channels: int, classes: int, in_channels: int):
        self.stem0, self.stem0_bn = kernel(3, 3, in_channels, channels // 2), Norm2d(channels // 2)
        self.stem1, self.stem1_bn = kernel(3, 3, channels // 2, channels), Norm2d(channels)
        self.widenings = nnx.List([Widening(channels << stage) for stage in range(len(STAGES))])
        self.stages = nnx.List([Cells(count, channels << stage + 1) for stage, count in enumerate(STAGES)])
        self.head, self.head_bias = kernel(channels << len(STAGES), classes), kernel(classes)

    def __call__(self, x: Array, arch: Any, norm: Norm = "batch", tap: Tap = NO_TAP) -> Forward:
        ops = list(arch) if not hasattr(arch, "astype") else list(jnp.asarray(arch).astype(jnp.int32))
        if tap.layer is None and tap.relu is None and not isinstance(ops[0], int):  # nobody looks at what leads nowhere
            ops = list(without_dead_edges(OPERATIONS, EDGES, jnp.stack(ops)))
        tap = tap._replace(norm=None)  # not offered
        read = Reader(tap)
        x = self.stem0_bn(read.layer(edge_ops.conv3x3_stride2(x, self.stem0[...])), norm)
        x = jax.nn.relu(read.relu(x))
        x = read.cell(self.stem1_bn(read.layer(edge_ops.conv3x3_stride2(x, self.stem1[...])), norm))
        exponent = jnp.zeros((), jnp.int32)
        for widening, cells in zip(self.widenings, self.stages, strict=True):
            x, exponent = rescale(read.cell(widening(x, ops, norm, read)), exponent, norm)
            (x, exponent), kept = cells(x, exponent, ops, norm, tap, read.stage_perturb(), read.cell_perturb())
            read.keep_stage(*kept)
        bias = self.head_bias[...]
        logits = read.layer(x.mean((1, 2)) @ self.head[...] + (bias if norm != "none" else bias * power_of_two(-exponent, x.dtype)))
        kept = (read.layers if tap.layer else None, read.relus if tap.relu else None)
        return Forward(logits, *kept, exponent, None, read.cells if tap.cell else None)
