"""What both spaces of TransNAS-Bench-101 share: stem, head, and the network of basic blocks, as Flax NNX modules.

Source: Duan et al., TransNAS-Bench-101, CVPR 2021; layer details as in the authors' code, one mistake included: the normalisation of a
basic block's shortcut was given (affine, track_running_stats) in the places of (eps, momentum), so its eps is 1.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx

from jaxzc.types import Array
from jaxzc_spaces.cells import ops as edge_ops
from jaxzc_spaces.core.layers import BatchNorm, NetworkModule, ReLU, kernel, layer
from jaxzc_spaces.core.passes import Pass

BLOCK = "ReLUConvBN"
"""Type of the authors' ReLU-convolution blocks."""
SHORTCUT_EPS = 1.0


def conv1x1_stride2(x: Array, w: Array) -> Array:
    return edge_ops.conv1x1(x[:, ::2, ::2], w)


class BasicBlock(nnx.Module):
    """Residual block: conv_a, conv_b, and a 1x1 shortcut where the width or the size changes; no ReLU after the sum."""

    def __init__(self, c_in: int, c: int, stride: int):
        self.relu_a, self.conv_a, self.bn_a = ReLU(BLOCK), kernel(3, 3, c_in, c), BatchNorm(c)
        self.relu_b, self.conv_b, self.bn_b = ReLU(BLOCK), kernel(3, 3, c, c), BatchNorm(c)
        changes = stride == 2 or c_in != c
        self.downsample = kernel(1, 1, c_in, c) if changes else None
        self.bn_downsample = BatchNorm(c, eps=SHORTCUT_EPS) if changes else None
        self.stride = stride

    def __call__(self, x: Array, p: Pass) -> Array:
        first, projection = (edge_ops.conv3x3, edge_ops.conv1x1) if self.stride == 1 else (edge_ops.conv3x3_stride2, conv1x1_stride2)
        y = self.bn_a(layer(first, self.relu_a(x, p), self.conv_a, p), p)
        y = self.bn_b(layer(edge_ops.conv3x3, self.relu_b(y, p), self.conv_b, p), p)
        if self.downsample is not None and self.bn_downsample is not None:
            x = self.bn_downsample(layer(projection, x, self.downsample, p), p)
        return x + y


class Stem(nnx.Module):
    """Two 3x3 convolutions with stride 2; a ReLU between them, none behind."""

    def __init__(self, c_in: int, c: int):
        self.conv0, self.bn0 = kernel(3, 3, c_in, c // 2), BatchNorm(c // 2)
        self.relu, self.conv1, self.bn1 = ReLU(BLOCK), kernel(3, 3, c // 2, c), BatchNorm(c)

    def __call__(self, x: Array, p: Pass) -> Array:
        x = self.bn0(layer(edge_ops.conv3x3_stride2, x, self.conv0, p), p)
        return self.bn1(layer(edge_ops.conv3x3_stride2, self.relu(x, p), self.conv1, p), p)


class MacroNet(NetworkModule):
    """Stem, two basic blocks for each layer, global mean, linear head. Call: images `[B, H, W, in_channels]` -> logits `[B, classes]`.

    layers: (width after, stride) of each layer.
    """

    def __init__(self, layers: Sequence[tuple[int, int]], channels: int, classes: int, in_channels: int):
        self.stem = Stem(in_channels, channels)
        blocks, c = [], channels
        for width, stride in layers:
            blocks += [BasicBlock(c, width, stride), BasicBlock(width, width, 1)]
            c = width
        self.blocks = nnx.List(blocks)
        self.head, self.head_bias = kernel(c, classes), kernel(classes)

    def logits(self, x: Array, p: Pass) -> Array:
        x = self.stem(x, p)
        for number, block in enumerate(self.blocks):
            p.cell = number
            (x,) = p.rescale(block(x, p))
        p.cell = -1
        return layer(jnp.matmul, x.mean((1, 2)), self.head, p, self.head_bias)
