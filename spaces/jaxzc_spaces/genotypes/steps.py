"""The network of `network.py`, without the auxiliary classifier, as steps. Its widths are few, so that none is padded."""

from collections.abc import Sequence
from functools import partial

import jax.numpy as jnp

from jaxzc.spacekit.steps import Kernel, Step
from jaxzc.types import Array
from jaxzc_spaces.core.layers import BN_EPS
from jaxzc_spaces.core.pools import avg_pool, max_pool, shifted
from jaxzc_spaces.core.steps.graph import Graph
from jaxzc_spaces.genotypes.encoding import Cell, Genotype
from jaxzc_spaces.genotypes.network import CONVOLUTIONS, Separable

Value = tuple[int, int]
"""Number and width."""


def genotype_steps(genotype: Genotype, channels: int, cells: int, classes: int, image_shape: Sequence[int], stem: str) -> tuple[Step, ...]:
    """The whole network, as `GenotypeNet` with the same arguments."""
    net = _Cells(image_shape)
    older, newer = net.stem(channels) if stem == "cifar" else net.imagenet_stem(channels)
    c, reduced = channels, stem != "cifar"
    for number in range(cells):
        reduction = number in (cells // 3, 2 * cells // 3)
        c = 2 * c if reduction else c
        cell = genotype.reduce if reduction else genotype.normal
        older, newer = newer, net.cell(cell, older, newer, c, reduction, reduced)
        reduced = reduction
    return net.head(*newer, classes)


class _Cells(Graph):
    """All readers of a value share its ReLU, which is computed once."""

    def __init__(self, image_shape: Sequence[int]):
        super().__init__(image_shape, padded=int)
        self.relus: dict[int, int] = {}

    def rectified(self, value: int, width: int, hooks: int = 1) -> int:
        """hooks: modules of the authors' network that NASWOT counts there."""
        if value in self.relus:
            return self.read_again(self.relus[value], hooks)
        return self.relus.setdefault(value, self.relu(value, width, hooks))

    def stem(self, c: int) -> tuple[Value, Value]:
        value = self.conv(3, 0, self.colours, 3 * c), 3 * c
        return value, value

    def imagenet_stem(self, c: int) -> tuple[Value, Value]:
        self.halve()
        half = self.conv(3, 0, self.colours, c // 2, 2, relu=True)
        self.halve()
        older = self.conv(3, half, c // 2, c, 2)
        self.halve()
        return (older, c), (self.conv(3, self.rectified(older, c), c, c, 2), c)

    def cell(self, cell: Cell, older: Value, newer: Value, c: int, reduction: bool, after_reduction: bool) -> Value:
        first = self.factorized_reduce(*older, c) if after_reduction else self.conv(1, self.rectified(*older, 2), older[1], c)
        states = [first, self.conv(1, self.rectified(*newer, 2), newer[1], c)]
        before = self.height
        if reduction:
            self.halve()
        for node in range(len(cell.edges) // 2):
            edges = cell.edges[2 * node : 2 * node + 2]
            states.append(
                self.sum(*(self.operation(op, states[state], c, 2 if reduction and state < 2 else 1, before) for op, state in edges))
            )
        ends = [states[state] for state in cell.concat]
        return self.concat(*ends) if len(ends) > 1 else ends[0], c * len(ends)

    def operation(self, op: str, value: int, c: int, stride: int, before: int) -> int:
        """An edge of a cell. before: height of the maps that a stride of 2 reads."""
        if op == "skip_connect":
            return self.factorized_reduce(value, c, c) if stride == 2 else value
        if op == "none":
            return self.map(zero, value, stride=stride)
        size = int(op[-1])
        if op not in CONVOLUTIONS:
            return self.map(max_pool if op.startswith("max") else avg_pool, value, size=size, stride=stride)
        made = CONVOLUTIONS[op]
        if isinstance(made, partial) and made.func is Separable:
            return self.separable(value, c, stride, **made.keywords)
        if op in ("conv_1x1", "conv_3x3"):
            return self.conv(size, self.rectified(value, c, 2), c, c, stride)
        along = Kernel((1, size, c, c), (before if stride == 2 else self.height, self.width, c))
        down = Kernel((size, 1, c, c), (self.height, self.width, c))
        return self.convolution(down, self.convolution(along, self.rectified(value, c), (1, stride)), (stride, 1), BN_EPS)

    def separable(self, value: int, c: int, stride: int, *, size: int, dilation: int = 1, times: int = 2) -> int:
        value = self.rectified(value, c)
        for part in range(times):
            value = self.depthwise(size, value, c, 1 if part else stride, eps=None, relu=False, dilation=dilation)
            value = self.conv(1, value, c, c, relu=part < times - 1)
        return value

    def factorized_reduce(self, value: int, c_in: int, c: int) -> int:
        relu = self.rectified(value, c_in)
        half = Kernel((1, 1, c_in, c // 2), (self.height, self.width, c // 2))
        first = self.convolution(half, relu, (2, 2))
        return self.concat(first, self.convolution(half, self.map(shifted, relu), (2, 2)), eps=BN_EPS)


def zero(x: Array, stride: int) -> Array:
    """The operation `none`."""
    return jnp.zeros_like(x[:, ::stride, ::stride])
