"""NAS-Bench-201's network as Flax NNX modules whose architecture is an argument.

Source: Dong & Yang, NAS-Bench-201, ICLR 2020, section 2; layer details as in the authors' code (affine batch normalisation, convolutions
without bias, residual blocks between the stages). Every edge owns a 1x1 and a 3x3 kernel; the gene, which may be traced, decides which one
acts: one program serves the whole space. The network of one architecture, with its own kernels only, is in `own.py`.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxzc.types import Array, PyTree
from jaxzc_spaces.cells import ops as edge_ops
from jaxzc_spaces.cells.edge import Edges, Post
from jaxzc_spaces.cells.loop import begin, graph, repeated, without_dead_edges
from jaxzc_spaces.core.layers import BatchNorm, ReLU, kernel, layer, normalise
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.core.stacked import read_where
from jaxzc_spaces.nasbench201.encoding import CONV1, CONV3, EDGES


def is_conv(op: Array) -> Array:
    return (op == CONV1) | (op == CONV3)


OPERATIONS = (edge_ops.ZERO, edge_ops.IDENTITY, edge_ops.CONV1X1, edge_ops.CONV3X3, edge_ops.AVG_POOL)
"""In the order of the genes."""


class Cells(nnx.Module):
    """A stage: `count` cells of 4 nodes and 6 edges each, all arrays with leading axes [count, 6].

    Called by the name of the stage, for what the pass keeps: of its layers, `conv1x1` and `conv3x3`, and of its normalisations, `bn`, for
    every edge; of the inputs of its ReLUs, `nodes`, for every node but the last; of its outputs, under the name itself, for every cell.
    """

    def __init__(self, count: int, channels: int):
        self.conv1x1 = kernel(count, 6, 1, 1, channels, channels)
        self.conv3x3 = kernel(count, 6, 3, 3, channels, channels)
        self.bn = BatchNorm(count, 6, channels)

    def __call__(self, x: Array, genes: Array, p: Pass, name: str) -> Array:
        """All cells in sequence, of genes int32 `[6]`. The stage is one graph, except where every cell is followed by something: a
        rescaling without normalisation, or a tap."""
        count, tap = self.conv1x1.shape[0], p.tap
        at_once = 1 if p.norm == "none" or tap.cell is not None else count
        perturb, shifts = edge_perturb(p, name), p.map_perturb(name)
        if perturb is not None:
            perturb = jax.tree.map(lambda a: a.reshape(-1, 6, *a.shape[1:]), perturb)
        edges = Edges((self.conv1x1[...], self.conv3x3[...]), self.bn.leaves(), perturb)
        edges = jax.tree.map(lambda a: a.reshape(count // at_once, at_once * 6, *a.shape[2:]), edges)

        def step(carry: tuple[Array, Array], inputs: tuple[Edges, Any]) -> Any:
            edges, shift = inputs
            x, records = cells(carry[0], genes, edges, p)
            x, cell_records = (x, None) if tap.cell is None else tap.cell(x, shift)
            q = p.step(exponent=carry[1])
            (x,) = q.rescale(x)
            return (x, q.exponent), (records, jax.tree.map(lambda a: a[None], cell_records))

        if at_once == count:
            carry, records = step((x, p.exponent), jax.tree.map(lambda a: a[0], (edges, shifts)))
            records = jax.tree.map(lambda a: a[None], records)
        else:
            carry, records = lax.scan(step, (x, p.exponent), (edges, shifts))
        (edge_records, node_records), all_cell_records = jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), records)
        keep_edges(p, name, edge_records)
        if tap.activation is not None:
            p.activations[f"{name}/nodes"] = node_records
        if tap.cell is not None:
            p.maps[name] = all_cell_records
        x, p.exponent = carry
        return x


def edge_perturb(p: Pass, name: str) -> Any:
    """The perturbations of these edges, as 1x1 and as 3x3 convolutions, `[edges, ...]` each; None without."""
    return None if p.tap.perturb is None else tuple(p.perturb(f"{name}/{kernel}") for kernel in ("conv1x1", "conv3x3"))


def keep_edges(p: Pass, name: str, records: PyTree) -> None:
    """Hands the pass what `edge_reader` kept of these edges, whichever of the two convolutions they are."""
    if p.tap.layer is not None:
        p.layers[f"{name}/conv1x1"] = p.layers[f"{name}/conv3x3"] = records["layer"]
    if p.tap.norm is not None:
        p.norms[f"{name}/bn"] = records["norm"]


def cells(x: Array, genes: Array, edges: Edges, p: Pass) -> tuple[Array, PyTree]:
    """Cells of one architecture in sequence: the output, and what was kept per edge and per node."""

    tap, norm = p.tap, p.norm
    post = Post(edge_reader(p), lambda y, bn: normalise(y, bn[0], bn[1], norm))
    count = len(edges.kernels[0]) // 6
    wiring = repeated(EDGES, count)
    run = graph(OPERATIONS, wiring, post)
    looked_at = tap.layer or tap.activation or tap.norm
    evaluated = genes if looked_at else without_dead_edges(OPERATIONS, EDGES, genes)
    nodes, edge_records = run(jnp.tile(evaluated, count), begin(wiring, x), edges)
    node_records = None
    if (read := tap.activation) is not None:
        conv = jnp.stack([_any_conv(genes, node) for node in range(3)] * count)
        node_records = lax.map(lambda args: read_where(args[0], read, args[1]), (conv, lax.stop_gradient(nodes[:-1])))
    return nodes[-1], (edge_records, node_records)


def edge_reader(p: Pass) -> Any:
    """What is read at an edge's convolution, by `layer`, and at the normalisation that takes its output, by `norm`; None where nothing
    is."""
    if p.tap.layer is None and p.tap.norm is None:
        return None

    def read(y: Array, perturb: PyTree) -> tuple[Array, PyTree]:
        q = p.step(None if perturb is None else {"layer": perturb})
        y = q.layer("layer", y)
        q.normalising("norm", y)
        return y, {**q.layers, **q.norms}

    return read


def _any_conv(genes: Array, node: int) -> Array:
    """Whether a convolution reads the node."""
    return jnp.any(jnp.stack([is_conv(genes[e]) for e, (source, _) in enumerate(EDGES) if source == node]))


class Reduction(nnx.Module):
    """Residual block with stride 2 that doubles the channels: conv_a, conv_b, and a shortcut of mean pooling and a 1x1 convolution."""

    def __init__(self, channels: int):
        self.relu_a, self.conv_a, self.bn_a = ReLU(BLOCK), kernel(3, 3, channels, 2 * channels), BatchNorm(2 * channels)
        self.relu_b, self.conv_b, self.bn_b = ReLU(BLOCK), kernel(3, 3, 2 * channels, 2 * channels), BatchNorm(2 * channels)
        self.shortcut = kernel(1, 1, channels, 2 * channels)

    def __call__(self, x: Array, p: Pass) -> Array:
        y = self.bn_a(layer(edge_ops.conv3x3_stride2, self.relu_a(x, p), self.conv_a, p), p)
        y = self.bn_b(layer(edge_ops.conv3x3, self.relu_b(y, p), self.conv_b, p), p)
        return y + layer(edge_ops.conv1x1, edge_ops.mean_pool2x2(x), self.shortcut, p)


BLOCK = "ReLUConvBN"
"""Type of the authors' ReLU-convolution blocks."""


class NasBench201Net(nnx.Module):
    """The whole network: stem, three stages of `cells` cells, two reductions, head.

    Call: images `[B, H, W, in_channels]` (H, W divisible by 4), genes int32 `[6]`, which may be traced, and a `Pass`. -> logits
    """

    def __init__(self, channels: int, cells: int, classes: int, in_channels: int):
        self.stem = kernel(3, 3, in_channels, channels)
        self.stem_bn = BatchNorm(channels)
        self.stages = nnx.List([Cells(cells, channels * 2**s) for s in range(3)])
        self.reductions = nnx.List([Reduction(channels * 2**s) for s in range(2)])
        self.head_bn, self.head_relu = BatchNorm(4 * channels), ReLU()
        self.head = kernel(4 * channels, classes)
        self.head_bias = kernel(classes)

    def __call__(self, x: Array, genes: Array, p: Pass) -> Array:
        x = p.map("stem", self.stem_bn(layer(edge_ops.conv3x3, x, self.stem, p), p))
        for stage, cells in enumerate(self.stages):
            x = cells(x, genes, p, f"stages/{stage}")
            if stage < 2:
                name = f"reductions/{stage}"
                (x,) = p.rescale(p.map(name, self.reductions[stage](x, p)))
        x = self.head_relu(self.head_bn(x, p), p).mean((1, 2))
        return layer(jnp.matmul, x, self.head, p, self.head_bias)
