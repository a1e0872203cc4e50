"""NAS-Bench-201 with its first stage alone: the loops, taps and derivatives of its cells, in a third of the program.

The stem, `cells` cells of one width, the classifier; no reductions. For tests of every proxy, which three stages would show three times.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxzc_spaces.cells import ops
from jaxzc_spaces.core.discrete import DiscreteNetwork, discrete_network
from jaxzc_spaces.core.layers import BatchNorm, NetworkModule, ReLU, kernel, layer
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.nasbench201.encoding import CONV1, CONV3
from jaxzc_spaces.nasbench201.network import Cells
from jaxzc_spaces.nasbench201.own import Cell, stage_params, without_stacks
from jaxzc_spaces.nasbench201.space import NasBench201, NasBench201Program

from jaxzc.spacekit.vectors import check_vectors
from jaxzc.types import ActivationGroup, Array, Counts, Genes, LayerGroup, Params


@dataclass(frozen=True)
class OneStage(NasBench201):
    """As `NasBench201`, whose genes and strings it has."""

    def counts(self, archs: np.ndarray) -> Counts:
        genes = check_vectors(self.choices, archs)
        pixels, stem, head = int(np.prod(self.inputs.shape[:2])), 9 * self.inputs.shape[2] * self.channels, self.channels * self.classes
        kernels = {CONV1: self.channels**2, CONV3: 9 * self.channels**2}
        layers = {op: self.cells * (genes == op).sum(1, dtype=np.int64) for op in kernels}
        convolved = sum(number * kernels[op] for op, number in layers.items())
        edges = sum(layers.values())
        params = stem + head + self.classes + 2 * self.channels * (2 + edges) + convolved
        return Counts(params=params, flops=(stem + convolved) * pixels + head, layers=2 + edges)

    def program(self, key: tuple[int, ...] = ()) -> "OneStageProgram":
        return _program(self.channels, self.cells, self.classes, self.inputs.shape[2])

    def network(self, arch: Genes) -> DiscreteNetwork:
        return _network(self, tuple(np.asarray(arch).tolist()))


class StageNet(nnx.Module):
    """The program's: called with images, genes int32 `[6]`, which may be traced, and a `Pass`."""

    def __init__(self, channels: int, cells: int, classes: int, in_channels: int):
        self.stem, self.stem_bn = kernel(3, 3, in_channels, channels), BatchNorm(channels)
        self.stages = nnx.List([Cells(cells, channels)])
        self.head_bn, self.head_relu = BatchNorm(channels), ReLU()
        self.head, self.head_bias = kernel(channels, classes), kernel(classes)

    def __call__(self, x: Array, genes: Array, p: Pass) -> Array:
        x = p.map("stem", self.stem_bn(layer(ops.conv3x3, x, self.stem, p), p))
        x = self.stages[0](x, genes, p, "stages/0")
        x = self.head_relu(self.head_bn(x, p), p).mean((1, 2))
        return layer(jnp.matmul, x, self.head, p, self.head_bias)


@dataclass(frozen=True)
class OneStageProgram(NasBench201Program):
    """Its groups are those of the three stages that it has."""

    def make(self) -> Any:
        return StageNet(self.channels, self.cells, self.classes, self.in_channels)

    def discrete_params(self, params: Params, arch: Genes) -> Params:
        stage = stage_params(params["stages"][0], np.asarray(arch).tolist())
        return without_stacks(params, "stages") | ({"stages": {0: stage}} if stage else {})

    @cached_property
    def groups(self) -> tuple[LayerGroup, ...]:
        head = LayerGroup("head", (self.channels, self.classes), self.channels, self.classes)
        return (*(group for group in super().groups if group.name.startswith(("stem", "stages/0"))), head)

    @property
    def activations(self) -> tuple[ActivationGroup, ...]:
        return tuple(group for group in super().activations if group.name in ("stages/0/nodes", "head_relu"))


class OwnStageNet(NetworkModule):
    """The network of one architecture."""

    def __init__(self, genes: tuple[int, ...], channels: int, cells: int, classes: int, in_channels: int):
        self.stem, self.stem_bn = kernel(3, 3, in_channels, channels), BatchNorm(channels)
        self.stages = nnx.List([nnx.List([Cell(genes, channels, channels) for _ in range(cells)])])
        self.head_bn, self.head_relu = BatchNorm(channels), ReLU()
        self.head, self.head_bias = kernel(channels, classes), kernel(classes)

    def logits(self, x: Array, p: Pass) -> Array:
        x = p.map("stem", self.stem_bn(layer(ops.conv3x3, x, self.stem, p), p))
        for cell in self.stages[0]:
            p.cell += 1
            (x,) = p.rescale(p.map(f"cell{p.cell}", cell(x, p)))
        p.cell = -1
        x = self.head_relu(self.head_bn(x, p), p).mean((1, 2))
        return layer(jnp.matmul, x, self.head, p, self.head_bias)


@lru_cache(maxsize=8)
def _network(space: OneStage, genes: tuple[int, ...]) -> DiscreteNetwork:
    sizes = space.channels, space.cells, space.classes, space.inputs.shape[2]
    return discrete_network(partial(OwnStageNet, genes, *sizes), space.inputs.shape)


_program = lru_cache(maxsize=8)(OneStageProgram)
