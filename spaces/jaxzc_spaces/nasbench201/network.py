"""NAS-Bench-201's network as Flax NNX modules whose architecture is an argument.

Source: Dong & Yang, NAS-Bench-201, ICLR 2020, section 2; layer details as in the authors' code (affine batch normalisation, convolutions
without bias, residual blocks between the stages). Every edge owns a 1x1 and a 3x3 kernel; the gene decides which one acts. With genes
that are traced integers one program serves the whole space; with Python ints the same module is the discrete network.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxzc.numerics.linalg import power_of_two
from jaxzc.types import Array, Forward, Norm, Tap
from jaxzc_spaces.cells import ops as edge_ops
from jaxzc_spaces.cells.edge import Edges, Post
from jaxzc_spaces.cells.loop import begin, discrete_graph, graph, repeated, without_dead_edges
from jaxzc_spaces.core.grouped import NO_TAP, Norm2d, Reader, kernel, normalise, read_where, rescale, stack
from jaxzc_spaces.nasbench201.encoding import CONV1, CONV3, EDGES


def is_conv(op: int | Array) -> Any:
    return op in (CONV1, CONV3) if isinstance(op, int) else (op == CONV1) | (op == CONV3)


OPERATIONS = (edge_ops.ZERO, edge_ops.IDENTITY, edge_ops.CONV1X1, edge_ops.CONV3X3, edge_ops.AVG_POOL)
"""In the order of the genes."""


class Cells(nnx.Module):
    """A stage: `count` cells of 4 nodes and 6 edges each, all arrays with leading axes [count, 6]."""

    def __init__(self, count: int, channels: int):
        self.conv1x1 = kernel(count, 6, 1, 1, channels, channels)
        self.conv3x3 = kernel(count, 6, 3, 3, channels, channels)
        self.bn = Norm2d(count, 6, channels)

    def __call__(self, x: Array, exponent: Array, arch: Sequence[Any], norm: Norm, tap: Tap, perturb: Any, shifts: Any = None) -> Any:
        """All cells in sequence; returns (x, exponent) and what was kept per edge, per node and per cell, leading axes [count * 6],
        [count * 3] and [count]. perturb: of the edges; shifts: of the cells' outputs.

        The stage is one graph, except where every cell is followed by something: a rescaling without normalisation, or a tap."""
        count = self.conv1x1.shape[0]
        at_once = 1 if norm == "none" or tap.cell is not None else count
        edges = Edges((self.conv1x1[...], self.conv3x3[...]), self.bn.leaves(), perturb)
        edges = jax.tree.map(lambda a: a.reshape(count // at_once, at_once * 6, *a.shape[2:]), edges)

        def step(carry: tuple[Array, Array], inputs: tuple[Edges, Any]) -> Any:
            edges, shift = inputs
            x, kept = cells(carry[0], arch, edges, norm, tap)
            x, kept_cell = (x, None) if tap.cell is None else tap.cell(x, shift)
            return rescale(x, carry[1], norm), (kept, jax.tree.map(lambda a: a[None], kept_cell))

        if isinstance(arch[0], int) or at_once == count:
            carry, kept = (x, exponent), []
            for index in range(count // at_once):
                carry, kept_here = step(carry, jax.tree.map(lambda a, index=index: a[index], (edges, shifts)))
                kept.append(kept_here)
            kept = stack(kept)
        else:
            carry, kept = lax.scan(step, (x, exponent), (edges, shifts))
        (edges_kept, nodes_kept), cells_kept = jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), kept)
        return carry, (edges_kept, nodes_kept, cells_kept)


def cells(x: Array, arch: Sequence[Any], edges: Edges, norm: Norm, tap: Tap) -> tuple[Array, Any]:
    """Cells of one architecture in sequence: the output, and what was kept per edge and per node."""

    post = Post(_edge_reader(tap), lambda y, bn: normalise(y, bn[0], bn[1], norm))
    count = len(edges.kernels[0]) // 6
    wiring = repeated(EDGES, count)
    start = begin(wiring, x)
    if isinstance(arch[0], int):
        nodes, kept_edges = discrete_graph(OPERATIONS, wiring, post)(list(arch) * count, start, edges)
    else:
        genes = jnp.stack(arch)
        if tap.layer is None and tap.relu is None and tap.norm is None:  # nobody looks at what leads nowhere
            genes = without_dead_edges(OPERATIONS, EDGES, genes)
        nodes, kept_edges = graph(OPERATIONS, wiring, post)(jnp.tile(genes, count), start, edges)
    kept_nodes = None
    if tap.relu is not None:
        conv = [_any_conv(arch, node) for node in range(3)] * count
        if isinstance(arch[0], int):
            kept_nodes = stack([read_where(c, tap.relu, nodes[n]) for n, c in enumerate(conv)])
        else:
            kept_nodes = lax.map(lambda args: read_where(args[0], tap.relu, args[1]), (jnp.stack(conv), lax.stop_gradient(nodes[:-1])))
    return nodes[-1], (kept_edges, kept_nodes)


def _edge_reader(tap: Tap) -> Any:
    """What is read at an edge's convolution: (of the layer tap, of the normalisation that takes its output), or None."""
    if tap.layer is None and tap.norm is None:
        return None

    def read(y: Array, perturb: Any) -> tuple[Array, Any]:
        y, kept = (y, None) if tap.layer is None else tap.layer(y, perturb)
        return y, (kept, None if tap.norm is None else tap.norm(y))

    return read


def _any_conv(arch: Sequence[Any], node: int) -> Any:
    out = [is_conv(arch[e]) for e, (source, _) in enumerate(EDGES) if source == node]
    return any(out) if isinstance(out[0], bool) else jnp.any(jnp.stack(out))


class Reduction(nnx.Module):
    """Residual block with stride 2 that doubles the channels: conv_a, conv_b, and a shortcut of mean pooling and a 1x1 convolution."""

    def __init__(self, channels: int):
        self.conv_a = kernel(3, 3, channels, 2 * channels)
        self.bn_a = Norm2d(2 * channels)
        self.conv_b = kernel(3, 3, 2 * channels, 2 * channels)
        self.bn_b = Norm2d(2 * channels)
        self.shortcut = kernel(1, 1, channels, 2 * channels)

    def __call__(self, x: Array, norm: Norm, tap: "Reader") -> Array:
        y = tap.layer(edge_ops.conv3x3_stride2(jax.nn.relu(tap.relu(x)), self.conv_a[...]))
        y = self.bn_a(tap.norm(y), norm)
        y = tap.layer(edge_ops.conv3x3(jax.nn.relu(tap.relu(y)), self.conv_b[...]))
        y = self.bn_b(tap.norm(y), norm)
        return y + tap.layer(edge_ops.conv1x1(edge_ops.mean_pool2x2(x), self.shortcut[...]))


class NasBench201Net(nnx.Module):
    """The whole network: stem, three stages of `cells` cells, two reductions, head.

    Call: images `[B, H, W, in_channels]` (H, W divisible by 4), arch of 6 genes (Python ints or a traced int array).
    """

    def __init__(self, channels: int, cells: int, classes: int, in_channels: int):
        self.stem = kernel(3, 3, in_channels, channels)
        self.stem_bn = Norm2d(channels)
        self.stages = nnx.List([Cells(cells, channels * 2**s) for s in range(3)])
        self.reductions = nnx.List([Reduction(channels * 2**s) for s in range(2)])
        self.head_bn = Norm2d(4 * channels)
        self.head = kernel(4 * channels, classes)
        self.head_bias = kernel(classes)

    def __call__(self, x: Array, arch: Any, norm: Norm = "batch", tap: Tap = NO_TAP) -> Forward:
        ops = list(arch) if not hasattr(arch, "astype") else list(jnp.asarray(arch).astype(jnp.int32))
        read = Reader(tap)
        exponent = jnp.zeros((), jnp.int32)
        x = read.cell(self.stem_bn(read.norm(read.layer(edge_ops.conv3x3(x, self.stem[...]))), norm))
        for stage, cells in enumerate(self.stages):
            (x, exponent), kept = cells(x, exponent, ops, norm, tap, read.stage_perturb(), read.cell_perturb())
            read.keep_stage(*kept)
            if stage < 2:
                x, exponent = rescale(read.cell(self.reductions[stage](x, norm, read)), exponent, norm)
        x = self.head_bn(read.norm(x), norm)
        x = jax.nn.relu(read.relu(x)).mean((1, 2))
        bias = self.head_bias[...]
        logits = read.layer(x @ self.head[...] + (bias if norm != "none" else bias * power_of_two(-exponent, x.dtype)))
        kept = (read.layers if tap.layer else None, read.relus if tap.relu else None)
        return Forward(logits, *kept, exponent, read.norms if tap.norm else None, read.cells if tap.cell else None)
