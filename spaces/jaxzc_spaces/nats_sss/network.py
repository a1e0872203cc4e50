"""The network of NATS-Bench's size space as Flax NNX modules of given widths.

Source: Dong et al., NATS-Bench, TPAMI 2021; layer details as in the authors' DynamicShapeTinyNet: affine batch normalisation, convolutions
without bias, a skip connection that changes the width is a 1x1 convolution with normalisation and without ReLU.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx

from jaxzc.types import Array
from jaxzc_spaces.cells import ops as edge_ops
from jaxzc_spaces.core.layers import BatchNorm, NetworkModule, ReLU, kernel, layer
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.nats_sss.encoding import CELLS, CONVS, SKIP

BLOCK = "ReLUConvBN"
"""Type of the authors' ReLU-convolution blocks."""


class Cell(nnx.Module):
    """The fixed cell: 3x3 convolutions on five edges and a skip connection from the first to the last node, all of stride 1."""

    def __init__(self, c_in: int, c: int):
        self.convs = nnx.List([kernel(3, 3, c_in if source == 0 else c, c) for source, _ in CONVS])
        self.bns, self.relus = nnx.List([BatchNorm(c) for _ in CONVS]), nnx.List([ReLU(BLOCK) for _ in CONVS])
        self.skip = kernel(1, 1, c_in, c) if c_in != c else None
        self.skip_bn = BatchNorm(c) if c_in != c else None

    def __call__(self, x: Array, p: Pass) -> Array:
        nodes = {0: x}
        # In the order of the official genotype: by target, then by source.
        for source, target in sorted((*CONVS, SKIP), key=lambda edge: edge[::-1]):
            if (source, target) != SKIP:
                i = CONVS.index((source, target))
                y = self.bns[i](layer(edge_ops.conv3x3, self.relus[i](nodes[source], p), self.convs[i], p), p)
            elif self.skip is None or self.skip_bn is None:
                y = nodes[source]
            else:
                y = self.skip_bn(layer(edge_ops.conv1x1, nodes[source], self.skip, p), p)
            nodes[target] = nodes[target] + y if target in nodes else y
        return nodes[3]


class Residual(nnx.Module):
    """Residual block with stride 2: conv_a, conv_b, and a shortcut of mean pooling and a 1x1 convolution, whatever the widths."""

    def __init__(self, c_in: int, c: int):
        self.relu_a, self.conv_a, self.bn_a = ReLU(BLOCK), kernel(3, 3, c_in, c), BatchNorm(c)
        self.relu_b, self.conv_b, self.bn_b = ReLU(BLOCK), kernel(3, 3, c, c), BatchNorm(c)
        self.shortcut = kernel(1, 1, c_in, c)

    def __call__(self, x: Array, p: Pass) -> Array:
        y = self.bn_a(layer(edge_ops.conv3x3_stride2, self.relu_a(x, p), self.conv_a, p), p)
        y = self.bn_b(layer(edge_ops.conv3x3, self.relu_b(y, p), self.conv_b, p), p)
        return y + layer(edge_ops.conv1x1, edge_ops.mean_pool2x2(x), self.shortcut, p)


class NatsSizeNet(NetworkModule):
    """The whole network. Call: images `[B, H, W, in_channels]` (H, W divisible by 4) -> logits `[B, classes]`."""

    def __init__(self, widths: Sequence[int], classes: int, in_channels: int):
        before = [widths[0], *widths[:-1]]
        self.stem, self.stem_bn = kernel(3, 3, in_channels, widths[0]), BatchNorm(widths[0])
        self.layers = nnx.List([(Cell if i in CELLS else Residual)(before[i], c) for i, c in enumerate(widths)])
        self.head_bn, self.head_relu = BatchNorm(widths[-1]), ReLU()
        self.head, self.head_bias = kernel(widths[-1], classes), kernel(classes)

    def logits(self, x: Array, p: Pass) -> Array:
        x = self.stem_bn(layer(edge_ops.conv3x3, x, self.stem, p), p)
        for number, block in enumerate(self.layers):
            p.cell = number
            (x,) = p.rescale(block(x, p))
        p.cell = -1
        x = self.head_relu(self.head_bn(x, p), p).mean((1, 2))
        return layer(jnp.matmul, x, self.head, p, self.head_bias)
