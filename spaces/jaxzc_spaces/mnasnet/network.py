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
from jaxzc_spaces.core.units import ConvBN, InvertedBottleneck, SqueezeExcitation
from jaxzc_spaces.mnasnet.encoding import Block

STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Of the first layer of each block."""
GATES = {"relu": "hard_sigmoid", "silu": "sigmoid"}
"""Activation -> gate of squeeze-and-excitation."""


def round8(channels: int) -> int:
    """The nearest multiple of 8 (halves go up), at least 8, and never below nine tenths."""
    rounded = max(8, (channels + 4) // 8 * 8)
    return rounded + 8 if 10 * rounded < 9 * channels else rounded


def bottleneck(c_in: int, c_out: int, stride: int, block: Block, act: str) -> InvertedBottleneck:
    """One layer of a block; it has no expansion where that changes nothing."""
    inner = round8(c_in * block.expansion)
    excitation = SqueezeExcitation(inner, max(1, c_in // 4), act, GATES[act]) if block.excites else None
    return InvertedBottleneck(c_in, c_out, stride, block.kernel, inner, act, expands=inner != c_in, excitation=excitation)


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
                setattr(part, f"layer{position}", bottleneck(c, width, stride if position == 0 else 1, block, act))
                c = width
            setattr(self, f"block{number}", part)
        self.last = ConvBN(1, c, head, act=act)
        self.head = Head(head, classes)

    def logits(self, x: Array, p: Pass) -> Array:
        x = p.map("stem", self.stem(x, p))
        for number, layers in enumerate(self.layers_of):
            p.cell = number
            part = getattr(self, f"block{number}")
            for position in range(layers):
                (x,) = p.rescale(getattr(part, f"layer{position}")(x, p))
            x = p.map(f"block{number}", x)
        p.cell = -1
        return self.head(self.last(x, p), p)
