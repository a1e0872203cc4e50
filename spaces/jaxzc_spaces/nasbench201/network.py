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

from jaxzc.numerics.linalg import binary_exponent, power_of_two
from jaxzc.types import Array, Forward, Norm, Normalise, Tap
from jaxzc_spaces.cells import ops as edge_ops
from jaxzc_spaces.cells.edge import Edges, Post
from jaxzc_spaces.cells.loop import begin, discrete_graph, graph, repeated, without_dead_edges
from jaxzc_spaces.nasbench201.encoding import CONV1, CONV3, EDGES

BN_EPS = 1e-5
NO_TAP = Tap()


def normalise(x: Array, scale: Array, bias: Array, norm: Norm | Normalise, eps: float = BN_EPS) -> Array:
    """Affine batch normalisation of `[B, H, W, C]` over all axes but the last. A function as `norm` decides on its eps itself."""
    if callable(norm):
        return norm(x, scale, bias)
    if norm == "none":
        return x
    if norm == "init":
        return x * (scale * (1 + eps) ** -0.5) + bias
    centred = x - x.mean((0, 1, 2))
    return centred * (scale * lax.rsqrt(jnp.square(centred).mean((0, 1, 2)) + eps)) + bias


def rescale(x: Array, exponent: Array, norm: Norm) -> tuple[Array, Array]:
    """Without normalisation, take a power of two out of x, so that no depth overflows; exact, and constant under differentiation."""
    if norm != "none":
        return x, exponent
    shift = lax.stop_gradient(binary_exponent(jnp.max(jnp.abs(x))))
    return x * power_of_two(-shift, x.dtype), exponent + shift


def is_conv(op: int | Array) -> Any:
    return op in (CONV1, CONV3) if isinstance(op, int) else (op == CONV1) | (op == CONV3)


OPERATIONS = (edge_ops.ZERO, edge_ops.IDENTITY, edge_ops.CONV1X1, edge_ops.CONV3X3, edge_ops.AVG_POOL)
"""In the order of the genes."""


def read_where(condition: Any, read: Any, y: Array) -> Any:
    """`read(y)` where the condition holds, zeros elsewhere: reading costs a matrix product, so it is not done in vain."""
    zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(read, y))
    if isinstance(condition, bool):
        return read(y) if condition else zeros
    return lax.cond(condition, read, lambda _: zeros, y)


def kernel(*shape: int) -> nnx.Param:
    # Zeros: a space draws all kernels at once (`NasBench201.init`).
    return nnx.Param(jnp.zeros(shape, jnp.float32))


class Norm2d(nnx.Module):
    """Scale and bias of batch normalisation; the last axis is the channels, leading axes stack layers."""

    def __init__(self, *shape: int, eps: float = BN_EPS):
        self.scale = nnx.Param(jnp.ones(shape, jnp.float32))
        self.bias = nnx.Param(jnp.zeros(shape, jnp.float32))
        self.eps = eps

    def leaves(self) -> tuple[Array, Array]:
        return self.scale[...], self.bias[...]

    def __call__(self, x: Array, norm: Norm, index: Any = ...) -> Array:
        return normalise(x, self.scale[index], self.bias[index], norm, self.eps)


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


def stack(kept: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *a: jnp.stack(a), *kept) if kept else None


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


class Reader:
    """Hands the tap its perturbations and collects what it keeps, in the order of the layer, ReLU, normalisation and map groups."""

    def __init__(self, tap: Tap):
        self.tap, self.group = tap, 0
        self.layers, self.relus, self.norms, self.cells = [], [], [], []

    def layer(self, y: Array) -> Array:
        if self.tap.layer is None:
            return y
        perturb = None if self.tap.perturb is None else jax.tree.map(lambda a: a[0], self.tap.perturb[self.group])
        y, kept = self.tap.layer(y, perturb)
        self.layers.append(_one(kept))
        self.group += 1
        return y

    def relu(self, x: Array) -> Array:
        if self.tap.relu is not None:
            self.relus.append(_one(self.tap.relu(x)))
        return x

    def norm(self, x: Array) -> Array:
        if self.tap.norm is not None:
            self.norms.append(_one(self.tap.norm(x)))
        return x

    def cell(self, x: Array) -> Array:
        """The stem's output, or that of a block between two stages."""
        if self.tap.cell is None:
            return x
        x, kept = self.tap.cell(x, jax.tree.map(lambda a: a[0], self.cell_perturb()))
        self.cells.append(_one(kept))
        return x

    def stage_perturb(self) -> Any:
        """The two perturbations of a stage's edges, as 1x1 and as 3x3 convolutions, `[cells, 6, ...]` each."""
        if self.tap.perturb is None:
            return None
        pair = tuple(self.tap.perturb[self.group : self.group + 2])
        return jax.tree.map(lambda a: a.reshape(-1, 6, *a.shape[1:]), pair)

    def cell_perturb(self) -> Any:
        """The perturbation of the map group that comes next."""
        return None if self.tap.cell_perturb is None else self.tap.cell_perturb[len(self.cells)]

    def keep_stage(self, edges: Any, nodes: Any, cells: Any) -> None:
        layers, norms = (None, None) if edges is None else edges
        if self.tap.layer is not None:
            self.layers += [layers, layers]
            self.group += 2
        if self.tap.norm is not None:
            self.norms.append(norms)
        if self.tap.relu is not None:
            self.relus.append(nodes)
        if self.tap.cell is not None:
            self.cells.append(cells)


def _one(kept: Any) -> Any:
    return jax.tree.map(lambda a: a[None], kept)
