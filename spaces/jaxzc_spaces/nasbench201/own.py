"""The network of one NAS-Bench-201 architecture: modules that have what it has, and nothing for operations that it does not use."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxzc.spacekit.vectors import check_vector
from jaxzc.types import Array, Genes, Params, PyTree
from jaxzc_spaces.cells.ops import avg_pool3x3
from jaxzc_spaces.core.layers import BatchNorm, FactorizedReduce, NetworkModule, ReLU, conv, kernel, layer
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.genotypes.network import ReLUConvBN
from jaxzc_spaces.nasbench201.encoding import CHOICES, CONV1, CONV3, EDGES, NONE, SKIP
from jaxzc_spaces.nasbench201.network import Reduction


def edge_name(edge: int) -> str:
    """`edge01` from node 0 to node 1."""
    return "edge{}{}".format(*EDGES[edge])


class Cell(nnx.Module):
    """A cell of these operations, from c_in to c channels. Where it widens (TransNAS-Bench-101), the edges that leave its input have stride
    2, and a skip connection there is a factorised reduction."""

    def __init__(self, genes: Sequence[int], c_in: int, c: int):
        self.genes, self.channels, self.stride = tuple(genes), c, 1 if c_in == c else 2
        for e, (op, (source, _)) in enumerate(zip(genes, EDGES, strict=True)):
            width, stride = (c, 1) if source else (c_in, self.stride)
            if op in (CONV1, CONV3):
                setattr(self, edge_name(e), ReLUConvBN(width, c, 3 if op == CONV3 else 1, stride))
            elif op == SKIP and stride == 2:
                setattr(self, edge_name(e), FactorizedReduce(width, c))

    def __call__(self, x: Array, p: Pass) -> Array:
        nothing = jnp.zeros_like(x, shape=(*x[:, :: self.stride, :: self.stride].shape[:-1], self.channels))
        nodes = [x, nothing, nothing, nothing]
        for e, (op, (source, target)) in enumerate(zip(self.genes, EDGES, strict=True)):
            if hasattr(self, edge_name(e)):
                nodes[target] = nodes[target] + getattr(self, edge_name(e))(nodes[source], p)
            elif op != NONE:
                nodes[target] = nodes[target] + (nodes[source] if op == SKIP else avg_pool3x3(nodes[source]))
        return nodes[-1]


class OwnNet(NetworkModule):
    """Stem, three stages of cells, two reductions, head."""

    def __init__(self, genes: Sequence[int], channels: int, cells: int, classes: int, in_channels: int):
        self.stem, self.stem_bn = kernel(3, 3, in_channels, channels), BatchNorm(channels)
        self.stages = nnx.List([nnx.List([Cell(genes, c, c) for _ in range(cells)]) for c in (channels << stage for stage in range(3))])
        self.reductions = nnx.List([Reduction(channels << stage) for stage in range(2)])
        self.head_bn, self.head_relu = BatchNorm(4 * channels), ReLU()
        self.head, self.head_bias = kernel(4 * channels, classes), kernel(classes)

    def logits(self, x: Array, p: Pass) -> Array:
        x = p.map("stem", self.stem_bn(conv(x, self.stem, p), p))
        for stage, cells in enumerate(self.stages):
            for block in [*cells, self.reductions[stage]] if stage < 2 else cells:
                p.cell += 1
                (x,) = p.rescale(p.map(f"cell{p.cell}", block(x, p)))
        p.cell = -1
        x = self.head_relu(self.head_bn(x, p), p).mean((1, 2))
        return layer(jnp.matmul, x, self.head, p, self.head_bias)


def convolutions(stacked: PyTree, genes: Sequence[int], edges: Sequence[int], suffix: str = "") -> dict[str, Any]:
    """Parameters of the convolutions on these edges of one cell, from arrays `conv1x1`, `conv3x3` and `bn` of a leading axis [edges]."""
    return {
        edge_name(e): {
            "conv": stacked[f"{'conv3x3' if genes[e] == CONV3 else 'conv1x1'}{suffix}"][i],
            "bn": jax.tree.map(lambda a, i=i: a[i], stacked[f"bn{suffix}"]),
        }
        for i, e in enumerate(edges)
        if genes[e] in (CONV1, CONV3)
    }


def stage_params(stacked: PyTree, genes: Sequence[int]) -> dict[int, Any]:
    """Parameters of a stage's cells, from arrays of leading axes [cells, 6]."""
    cells = [jax.tree.map(lambda a, k=k: a[k], stacked) for k in range(len(stacked["conv1x1"]))]
    by_cell = {k: convolutions(cell, genes, range(len(EDGES))) for k, cell in enumerate(cells)}
    return {k: cell for k, cell in by_cell.items() if cell}


def without_stacks(params: Params, *stacks: str) -> dict[str, Any]:
    """The parameters outside these parts."""
    return {name: part for name, part in params.items() if name not in stacks}


def own_params(params: Params, arch: Genes) -> Any:
    """The parameters of `OwnNet`, cut from those of the shared program."""
    genes = check_vector(CHOICES, arch).tolist()
    stages = {k: stage_params(params["stages"][k], genes) for k in range(3)}
    return without_stacks(params, "stages") | ({"stages": stages} if stages[0] else {})
