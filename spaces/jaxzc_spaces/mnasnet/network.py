"""The network of Accel-NASBench's MnasNet space as Flax NNX modules.

Source: Ahmad et al., Accel-NASBench, DAC 2024, and the authors' AccelNet: widths of EfficientNet-B0, inverted bottlenecks of MobileNetV2
with optional squeeze-and-excitation, whose hidden width is a quarter of the layer's input channels. Dropout and stochastic depth, with
which a score would be random, are left out.
"""

from collections.abc import Sequence

from flax import nnx

from jaxzc.types import Array
from jaxzc_spaces.core.layers import Head, NetworkModule
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.core.units import ConvBN, SqueezeExcitation
from jaxzc_spaces.mnasnet.encoding import Block

STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Of the first layer of each block."""
GATES = {"relu": "hard_sigmoid", "silu": "sigmoid"}
"""Activation -> gate of squeeze-and-excitation."""


def round8(channels: int) -> int:
    """The nearest multiple of 8 (halves go up), at least 8, and never below nine tenths."""
    rounded = max(8, (channels + 4) // 8 * 8)
    return rounded + 8 if 10 * rounded < 9 * channels else rounded


class InvertedBottleneck(nnx.Module):
    """One layer of a block: expansion (unless it changes nothing), depthwise convolution, squeeze-and-excitation, projection; with a
    shortcut where input and output have one shape."""

    def __init__(self, c_in: int, c_out: int, stride: int, block: Block, act: str):
        wide = round8(c_in * block.expansion)
        self.shortcut = stride == 1 and c_in == c_out
        self.expand = ConvBN(1, c_in, wide, act=act) if wide != c_in else None
        self.depthwise = ConvBN(block.kernel, wide, wide, stride, groups=wide, act=act)
        self.se = SqueezeExcitation(wide, max(1, c_in // 4), act, GATES[act]) if block.excites else None
        self.project = ConvBN(1, wide, c_out, act=None)

    def __call__(self, x: Array, p: Pass) -> Array:
        y = x if self.expand is None else self.expand(x, p)
        y = self.depthwise(y, p)
        y = y if self.se is None else self.se(y, p)
        y = self.project(y, p)
        return x + y if self.shortcut else y


class MnasNetModule(NetworkModule):
    """The whole network. Call: images `[B, H, W, in_channels]` -> logits `[B, classes]`.

    stem: channels of the first convolution. widths: channels behind each block. head: channels of the last convolution.
    """

    def __init__(self, blocks: Sequence[Block], stem: int, widths: Sequence[int], head: int, act: str, classes: int, in_channels: int):
        self.layers_of = tuple(block.layers for block in blocks)
        self.stem = ConvBN(3, in_channels, stem, 2, act=act)
        c = stem
        for number, (block, width, stride) in enumerate(zip(blocks, widths, STRIDES, strict=True)):
            part = nnx.Module()
            for position in range(block.layers):
                setattr(part, f"layer{position}", InvertedBottleneck(c, width, stride if position == 0 else 1, block, act))
                c = width
            setattr(self, f"block{number}", part)
        self.last = ConvBN(1, c, head, act=act)
        self.head = Head(head, classes)

    def logits(self, x: Array, p: Pass) -> Array:
        x = p.map("stem", self.stem(x, p))
        for number, layers in enumerate(self.layers_of):
            p.cell, part = number, getattr(self, f"block{number}")
            for position in range(layers):
                (x,) = p.rescale(getattr(part, f"layer{position}")(x, p))
            x = p.map(f"block{number}", x)
        p.cell = -1
        return self.head(self.last(x, p), p)
