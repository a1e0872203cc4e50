"""The network of one architecture of TransNAS-Bench-101's cell space: modules that have what it has, and nothing else."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxzc.spacekit.vectors import check_vector
from jaxzc.types import Array, Genes, Params, PyTree
from jaxzc_spaces.core.layers import BatchNorm, NetworkModule, ReLU, conv, kernel, layer
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.nasbench201.own import Cell, convolutions, edge_name, stage_params, without_stacks
from jaxzc_spaces.transnas101.encoding import MICRO_CHOICES, SKIP
from jaxzc_spaces.transnas101.micro_network import ENTERING, INNER, STAGES
from jaxzc_spaces.transnas101.network import BLOCK


class OwnNet(NetworkModule):
    """Stem, three times a widening cell and cells of one size, global mean, linear head."""

    def __init__(self, genes: Sequence[int], channels: int, classes: int, in_channels: int):
        self.stem0, self.stem0_bn, self.stem_relu = kernel(3, 3, in_channels, channels // 2), BatchNorm(channels // 2), ReLU(BLOCK)
        self.stem1, self.stem1_bn = kernel(3, 3, channels // 2, channels), BatchNorm(channels)
        widths = [channels << stage + 1 for stage in range(len(STAGES))]
        self.widenings = nnx.List([Cell(genes, c // 2, c) for c in widths])
        self.stages = nnx.List([nnx.List([Cell(genes, c, c) for _ in range(count)]) for c, count in zip(widths, STAGES, strict=True)])
        self.head, self.head_bias = kernel(widths[-1], classes), kernel(classes)

    def logits(self, x: Array, p: Pass) -> Array:
        x = self.stem0_bn(conv(x, self.stem0, p, 2), p)
        x = p.map("stem", self.stem1_bn(conv(self.stem_relu(x, p), self.stem1, p, 2), p))
        for widening, cells in zip(self.widenings, self.stages, strict=True):
            for cell in (widening, *cells):
                p.cell += 1
                (x,) = p.rescale(p.map(f"cell{p.cell}", cell(x, p)))
        p.cell = -1
        return layer(jnp.matmul, x.mean((1, 2)), self.head, p, self.head_bias)


def own_params(params: Params, arch: Genes) -> Any:
    """The parameters of `OwnNet`, cut from those of the shared program."""
    genes = check_vector(MICRO_CHOICES, arch).tolist()
    parts = {
        "widenings": {k: _widening(params["widenings"][k], genes) for k in range(len(STAGES))},
        "stages": {k: stage_params(params["stages"][k], genes) for k in range(len(STAGES))},
    }
    return without_stacks(params, *parts) | {name: part for name, part in parts.items() if part[0]}


def _widening(stacked: PyTree, genes: Sequence[int]) -> dict[str, Any]:
    reductions = {
        edge_name(e): {
            "conv1": stacked["reduce_a"][i],
            "conv2": stacked["reduce_b"][i],
            "bn": jax.tree.map(lambda a, i=i: a[i], stacked["bn_in"]),
        }
        for i, e in enumerate(ENTERING)
        if genes[e] == SKIP
    }
    return reductions | convolutions(stacked, genes, ENTERING, "_in") | convolutions(stacked, genes, INNER)
