"""Networks of depthwise convolutions made by hand: MobileNet, FD-MobileNet, MobileNetV2, ShuffleNetV2.

Sources: Howard et al., MobileNets, 2017; Qin et al., FD-MobileNet, ICIP 2018; Sandler et al., MobileNetV2, CVPR 2018; Ma et al.,
ShuffleNet V2, ECCV 2018.
"""

import math
from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx

from jaxzc.types import Array
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.core.units import ConvBN, InvertedBottleneck
from jaxzc_spaces.published.parts import Chain, Head, Pool, Several, global_mean, stages, strided


def mobilenet(
    classes: int, image: Sequence[int], *, widths: Sequence[Sequence[int]], strides: Sequence[int], width: float = 1.0, norm: bool = True
) -> Chain:
    """A 3x3 convolution of stride 2 to the first width, then pairs of a depthwise 3x3 and a 1x1 convolution.

    widths, strides: of the pairs, by stage; width: factor of the former. norm: whether depthwise convolutions are normalised and activated.
    """
    scaled = [[int(c * width) for c in stage] for stage in widths]
    first, units = scaled[0][0], []
    for c_in, c, stride in strided(scaled[1:], first, strides):
        depthwise = ConvBN(3, c_in, c_in, stride, groups=c_in, norm=norm, act="relu" if norm else None)
        units.append(Several(depthwise, ConvBN(1, c_in, c)))
    return Chain(ConvBN(3, image[2], first, 2), units, Head(scaled[-1][-1], classes))


class ConvHead(nnx.Module):
    """A 1x1 convolution, the global mean, and a 1x1 convolution without bias to the classes."""

    def __init__(self, c_in: int, c: int, classes: int):
        self.last = ConvBN(1, c_in, c, act="relu6")
        self.scores = ConvBN(1, c, classes, norm=False, act=None)

    def __call__(self, x: Array, p: Pass) -> Array:
        return self.scores(global_mean(self.last(x, p), p), p)[:, 0, 0]


def mobilenetv2(classes: int, image: Sequence[int], *, width: float = 1.0, expand_first: bool = True) -> Chain:
    """A MobileNetV2; factors below 1 do not narrow the last convolution. expand_first: the first bottleneck, whose expansion is 1, has a
    convolution for it nevertheless."""
    stage_widths = [[16], [24] * 2, [32] * 3, [64] * 4 + [96] * 3, [160] * 3 + [320]]
    scaled = [[int(c * width) for c in stage] for stage in stage_widths]
    first, units = int(32 * width), []
    for number, unit in enumerate(strided(scaled, first, (1, 2, 2, 2, 2))):
        inner = unit[0] * (6 if number else 1)
        units.append(InvertedBottleneck(*unit, 3, inner, "relu6", expands=number > 0 or expand_first))
    return Chain(ConvBN(3, image[2], first, 2, act="relu6"), units, ConvHead(scaled[-1][-1], int(1280 * max(1.0, width)), classes))


class Shuffle(nnx.Module):
    """Half of the channels pass, the other half go through a 1x1, a depthwise 3x3 and a 1x1 convolution; then halves are interleaved.

    With stride 2 both halves are made of all channels, the first by a depthwise and a 1x1 convolution."""

    def __init__(self, c_in: int, c_out: int, stride: int):
        half = c_out // 2
        self.halves = stride == 2
        self.body = Several(
            ConvBN(1, c_in if self.halves else half, half),
            ConvBN(3, half, half, stride, groups=half, act=None),
            ConvBN(1, half, half),
        )
        self.shortcut = Several(ConvBN(3, c_in, c_in, 2, groups=c_in, act=None), ConvBN(1, c_in, half)) if self.halves else None

    def __call__(self, x: Array, p: Pass) -> Array:
        first, second = (x, x) if self.shortcut is not None else jnp.split(x, 2, -1)
        first = first if self.shortcut is None else self.shortcut(first, p)
        y = jnp.stack([first, self.body(second, p)], -1)
        p.operating(math.prod(y.shape[1:]))
        return y.reshape(*y.shape[:3], -1)


def shufflenetv2(classes: int, image: Sequence[int], *, width: float = 1.0, last: int = 1024) -> Chain:
    """A ShuffleNetV2. width: factor of 116, 232 and 464 channels. last: channels of the last convolution."""
    widths = stages((4, 8, 4), [int(c * width) for c in (116, 232, 464)])
    units = [Shuffle(*unit) for unit in strided(widths, 24, (2, 2, 2))]
    return Chain(
        Several(ConvBN(3, image[2], 24, 2), Pool(3, 2, ceil=True)), units, Several(ConvBN(1, widths[-1][-1], last), Head(last, classes))
    )
