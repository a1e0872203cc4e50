"""The networks of DARTS and NDS as NNX modules: stem, cells of a genotype, classifier, auxiliary classifier.

Source: the authors' code of DARTS (quark0/darts, cnn/model.py) and of NDS (pycls), which extends it. Drop path is left out: it acts in
training only.
"""

from functools import partial
from typing import Any

import jax.numpy as jnp
from flax import nnx

from jaxzc.types import Array
from jaxzc_spaces.core.layers import (
    BatchNorm,
    FactorizedReduce,
    Head,
    Linear,
    NetworkModule,
    ReLU,
    conv,
    conv_valid,
    depthwise,
    kernel,
)
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.core.pools import avg_pool, max_pool
from jaxzc_spaces.genotypes.encoding import Cell, Genotype


class ReLUConvBN(nnx.Module):
    """blocks: types of the modules that hold it in the authors' code."""

    def __init__(
        self, c_in: int, c_out: int, size: int = 1, stride: int = 1, affine: bool = True, blocks: tuple[str, ...] = ("ReLUConvBN",)
    ):
        self.stride, self.relu = stride, ReLU(*blocks)
        self.conv, self.bn = kernel(size, size, c_in, c_out), BatchNorm(c_out, affine=affine)

    def __call__(self, x: Array, p: Pass) -> Array:
        return self.bn(conv(self.relu(x, p), self.conv, p, self.stride), p)


class Separable(nnx.Module):
    """`times` x [ReLU, depthwise, pointwise, normalisation]; the stride is in the first depthwise convolution."""

    def __init__(self, c: int, stride: int, affine: bool, *, size: int, dilation: int = 1, times: int = 2):
        self.stride, self.dilation = stride, dilation
        self.parts = ("",) if times == 1 else tuple(map(str, range(times)))
        for part in self.parts:
            setattr(self, f"relu{part}", ReLU())
            setattr(self, f"dw{part}", kernel(size, size, 1, c))
            setattr(self, f"pw{part}", kernel(1, 1, c, c))
            setattr(self, f"bn{part}", BatchNorm(c, affine=affine))

    def __call__(self, x: Array, p: Pass) -> Array:
        stride = self.stride
        for part in self.parts:
            x = depthwise(getattr(self, f"relu{part}")(x, p), getattr(self, f"dw{part}"), p, stride, self.dilation)
            x = getattr(self, f"bn{part}")(conv(x, getattr(self, f"pw{part}"), p), p)
            stride = 1
        return x


class Factored(nnx.Module):
    """ReLU, convolution 1 x k, convolution k x 1, normalisation: nothing between the two, the one along the width first."""

    def __init__(self, c: int, stride: int, affine: bool, *, size: int):
        self.stride, self.relu = stride, ReLU()
        self.conv_1xk, self.conv_kx1, self.bn = kernel(1, size, c, c), kernel(size, 1, c, c), BatchNorm(c, affine=affine)

    def __call__(self, x: Array, p: Pass) -> Array:
        x = conv(self.relu(x, p), self.conv_1xk, p, (1, self.stride))
        return self.bn(conv(x, self.conv_kx1, p, (self.stride, 1)), p)


class Parameterless(nnx.Module):
    """Zero, identity and pools (without normalisation: only DARTS's search network has it behind them)."""

    def __init__(self, op: str, stride: int):
        self.op, self.stride = op, stride

    def __call__(self, x: Array, p: Pass) -> Array:
        if self.op == "none":
            return jnp.zeros_like(x[:, :: self.stride, :: self.stride])
        if self.op == "skip_connect":
            return x
        pool = max_pool if self.op.startswith("max") else avg_pool
        return pool(x, int(self.op[-1]), self.stride)


CONVOLUTIONS: dict[str, Any] = {
    **{f"sep_conv_{k}x{k}": partial(Separable, size=k) for k in (3, 5, 7)},
    **{f"dil_conv_{k}x{k}": partial(Separable, size=k, dilation=2, times=1) for k in (3, 5)},
    "dil_sep_conv_3x3": partial(Separable, size=3, dilation=2),
    **{f"conv_{k}x{k}": lambda c, stride, affine, k=k: ReLUConvBN(c, c, k, stride, affine) for k in (1, 3)},
    "conv_7x1_1x7": partial(Factored, size=7),
    "conv_3x1_1x3": partial(Factored, size=3),
}
"""Operation -> what builds it of (channels, stride, affine)."""


def operation(op: str, c: int, stride: int, affine: bool) -> nnx.Module:
    if op in CONVOLUTIONS:
        return CONVOLUTIONS[op](c, stride, affine)
    return FactorizedReduce(c, c, affine) if op == "skip_connect" and stride == 2 else Parameterless(op, stride)


class Node(nnx.Module):
    def __init__(self, edges: Any, c: int, reduction: bool, affine: bool):
        self.states = tuple(state for _, state in edges)
        for number, (op, state) in enumerate(edges):
            setattr(self, f"op{number}", operation(op, c, 2 if reduction and state < 2 else 1, affine))

    def __call__(self, states: list[Array], p: Pass) -> Array:
        first, second = (getattr(self, f"op{number}")(states[state], p) for number, state in enumerate(self.states))
        return first + second


class CellModule(nnx.Module):
    """A cell of width c on the outputs of the two cells before it; `after_reduction`: the older one has twice the size of the newer."""

    def __init__(self, cell: Cell, widths: tuple[int, int], c: int, reduction: bool, after_reduction: bool, affine: bool):
        self.concat, self.nodes = cell.concat, len(cell.edges) // 2
        self.pre0 = FactorizedReduce(widths[0], c) if after_reduction else ReLUConvBN(widths[0], c)
        self.pre1 = ReLUConvBN(widths[1], c)
        for node in range(self.nodes):
            setattr(self, f"node{node}", Node(cell.edges[2 * node : 2 * node + 2], c, reduction, affine))

    def __call__(self, older: Array, newer: Array, p: Pass) -> Array:
        states = [self.pre0(older, p), self.pre1(newer, p)]
        for node in range(self.nodes):
            states.append(getattr(self, f"node{node}")(states, p))
        return jnp.concatenate([states[state] for state in self.concat], -1)


class CifarStem(nnx.Module):
    def __init__(self, c_in: int, c: int):
        self.conv, self.bn = kernel(3, 3, c_in, c), BatchNorm(c)

    def __call__(self, x: Array, p: Pass) -> Array:
        return self.bn(conv(x, self.conv, p), p)


class ImageNetStem0(nnx.Module):
    """Two 3x3 convolutions of stride 2."""

    def __init__(self, c_in: int, c: int):
        self.conv0, self.bn0 = kernel(3, 3, c_in, c // 2), BatchNorm(c // 2)
        self.relu, self.conv1, self.bn1 = ReLU(), kernel(3, 3, c // 2, c), BatchNorm(c)

    def __call__(self, x: Array, p: Pass) -> Array:
        x = self.relu(self.bn0(conv(x, self.conv0, p, 2), p), p)
        return self.bn1(conv(x, self.conv1, p, 2), p)


def add_stem(net: Any, stem: str, in_channels: int, c: int) -> tuple[int, int]:
    """Gives a network its `stem`, or `stem0` and `stem1` (ImageNet): the widths of the two inputs of the first cell, older and newer."""
    if stem == "cifar":
        net.stem = CifarStem(in_channels, 3 * c)
        return 3 * c, 3 * c
    net.stem0, net.stem1 = ImageNetStem0(in_channels, c), ReLUConvBN(c, c, 3, 2, blocks=())
    return c, c


def through_stem(net: Any, x: Array, p: Pass) -> tuple[Array, Array]:
    """The inputs of the first cell, older and newer."""
    older = net.stem(x, p) if hasattr(net, "stem") else net.stem0(x, p)
    return older, net.stem1(older, p) if hasattr(net, "stem1") else older


class Auxiliary(nnx.Module):
    """DARTS's auxiliary classifier for CIFAR: it reads 8x8 maps, which mean pooling (5x5, stride 3) makes 2x2."""

    def __init__(self, c: int, classes: int):
        self.relu = ReLU()
        self.conv0, self.bn0, self.relu0 = kernel(1, 1, c, 128), BatchNorm(128), ReLU()
        self.conv1, self.bn1, self.relu1 = kernel(2, 2, 128, 768), BatchNorm(768), ReLU()
        self.linear = Linear(768, classes)

    def __call__(self, x: Array, p: Pass) -> Array:
        x = self.relu(x, p)
        x = jnp.stack([jnp.stack([x[:, i : i + 5, j : j + 5].mean((1, 2)) for j in (0, 3)], 1) for i in (0, 3)], 1)
        x = self.relu0(self.bn0(conv(x, self.conv0, p), p), p)
        x = self.relu1(self.bn1(conv_valid(x, self.conv1, p), p), p)
        return self.linear(x[:, 0, 0], p)


class GenotypeNet(NetworkModule):
    """The network of a genotype; call it with images `[B, H, W, in_channels]`. -> logits `[B, classes]`

    channels: C; the stem has 3C (CIFAR) or C (ImageNet), cells number cells // 3 and 2 * cells // 3 reduce and double the width.
    affine: whether normalisations inside operations have parameters; auxiliary: whether there is the second classifier.
    """

    def __init__(
        self, genotype: Genotype, channels: int, cells: int, classes: int, in_channels: int, stem: str, affine: bool, auxiliary: bool
    ):
        self.cells, self.reductions = cells, (cells // 3, 2 * cells // 3)
        widths = add_stem(self, stem, in_channels, channels)
        c, reduced = channels, stem != "cifar"
        for number in range(cells):
            reduction = number in self.reductions
            c = 2 * c if reduction else c
            cell = genotype.reduce if reduction else genotype.normal
            setattr(self, f"cell{number}", CellModule(cell, widths, c, reduction, reduced, affine))
            widths, reduced = (widths[1], c * len(cell.concat)), reduction
            if auxiliary and number == 2 * cells // 3:
                self.auxiliary = Auxiliary(widths[1], classes)
        self.head = Head(widths[1], classes)

    def both(self, x: Array, p: Pass) -> tuple[Array, Array | None]:
        """Logits of the classifier and of the auxiliary one (None where there is none)."""
        older, newer = through_stem(self, x, p)
        newer = p.map("stem", newer)
        auxiliary = None
        for number in range(self.cells):
            name = f"cell{number}"
            older, newer = p.rescale(newer, p.map(name, getattr(self, name)(older, newer, p)))
            if hasattr(self, "auxiliary") and number == 2 * self.cells // 3:
                auxiliary = self.auxiliary(newer, p)
        return self.head(newer, p), auxiliary

    def logits(self, x: Array, p: Pass) -> Array:
        return self.both(x, p)[0]
