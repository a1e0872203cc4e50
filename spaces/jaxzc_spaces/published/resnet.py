"""ResNet, PreResNet, ResNeXt, and each with squeeze-and-excitation.

Sources: He et al., Deep Residual Learning, CVPR 2016; He et al., Identity Mappings in Deep Residual Networks, ECCV 2016; Xie et al.,
Aggregated Residual Transformations, CVPR 2017; Hu et al., Squeeze-and-Excitation Networks, CVPR 2018.
"""

from collections.abc import Sequence

from flax import nnx

from jaxzc.types import Array
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.core.units import Activation, ConvBN
from jaxzc_spaces.published.parts import Activated, Chain, Excitation, Head, Pool, Several, plain, stages, strided

WIDTHS = (64, 128, 256, 512)
STRIDES = (1, 2, 2, 2)
EXPANSION = 4
"""Channels behind a bottleneck, for each one of the stage's width."""
REDUCTION = 16
"""Of squeeze-and-excitation."""


def body(c_in: int, c_out: int, stride: int, inner: int, groups: int, bottleneck: bool, early: bool) -> list[ConvBN]:
    """The convolutions of a unit. early: a bottleneck's stride is that of its first convolution, as in the paper, not of its second."""
    if not bottleneck:
        return [ConvBN(3, c_in, c_out, stride), ConvBN(3, c_out, c_out, act=None)]
    first, second = (stride, 1) if early else (1, stride)
    return [ConvBN(1, c_in, inner, first), ConvBN(3, inner, inner, second, groups=groups), ConvBN(1, inner, c_out, act=None)]


class Residual(nnx.Module):
    """Convolutions, a shortcut, which is projected where shapes change, and a ReLU."""

    def __init__(self, c_in: int, c_out: int, stride: int, convolutions: Sequence[ConvBN], excites: bool):
        self.body = nnx.List(convolutions)
        self.se = Excitation(c_out, c_out // REDUCTION) if excites else None
        self.shortcut = ConvBN(1, c_in, c_out, stride, act=None) if c_in != c_out or stride != 1 else None
        self.act = Activation()

    def __call__(self, x: Array, p: Pass) -> Array:
        y = x
        for part in self.body:
            y = part(y, p)
        y = y if self.se is None else self.se(y, p)
        return self.act(y + (x if self.shortcut is None else self.shortcut(x, p)), p)


class PreResidual(nnx.Module):
    """Normalisation, ReLU and convolution, two or three times, and a shortcut; a projected one starts behind the first ReLU.

    early: a bottleneck's stride is that of its first convolution."""

    def __init__(self, c_in: int, c_out: int, stride: int, bottleneck: bool, early: bool, excites: bool):
        inner = c_out // EXPANSION
        first, second = (stride, 1) if early else (1, stride)
        convolutions = (
            [(1, c_in, inner, first), (3, inner, inner, second), (1, inner, c_out, 1)]
            if bottleneck
            else [(3, c_in, c_out, stride), (3, c_out, c_out, 1)]
        )
        self.activated = nnx.List([Activated(c) for _, c, _, _ in convolutions])
        self.body = nnx.List([plain(*settings) for settings in convolutions])
        self.se = Excitation(c_out, c_out // REDUCTION) if excites else None
        self.shortcut = plain(1, c_in, c_out, stride) if c_in != c_out or stride != 1 else None

    def __call__(self, x: Array, p: Pass) -> Array:
        activated = y = self.activated[0](x, p)
        for number, convolution in enumerate(self.body):
            y = convolution(y if number == 0 else self.activated[number](y, p), p)
        y = y if self.se is None else self.se(y, p)
        return y + (x if self.shortcut is None else self.shortcut(activated, p))


def scaled(layers: Sequence[int], bottleneck: bool, width: float) -> tuple[int, list[list[int]]]:
    """Channels of the stem and behind each unit, multiplied by `width` but for the last unit's, as PyTorchCV has them."""
    full = stages(layers, [c * (EXPANSION if bottleneck else 1) for c in WIDTHS])
    widths = [[int(c * width) for c in stage] for stage in full]
    widths[-1][-1] = full[-1][-1]
    return int(WIDTHS[0] * width), widths


def stem(in_channels: int, channels: int) -> nnx.Module:
    """A 7x7 convolution and a maximum of 3x3 pixels, both of stride 2."""
    return Several(ConvBN(7, in_channels, channels, 2), Pool(3, 2, padding=1))


def resnet(
    classes: int,
    image: Sequence[int],
    *,
    layers: Sequence[int],
    bottleneck: bool = False,
    early: bool = False,
    width: float = 1.0,
    excites: bool = False,
    preactivated: bool = False,
) -> Chain:
    """A ResNet of so many units in each of four stages. width: factor of the channels. preactivated: a PreResNet, whose convolutions follow
    their activations."""
    first, widths = scaled(layers, bottleneck, width)
    shapes, last = strided(widths, first, STRIDES), widths[-1][-1]
    if preactivated:
        units = [PreResidual(*shape, bottleneck, early, excites) for shape in shapes]
        return Chain(stem(image[2], first), units, Several(Activated(last), Head(last, classes)))
    bodies = [body(c_in, c, stride, c // EXPANSION, 1, bottleneck, early) for c_in, c, stride in shapes]
    units = [Residual(*shape, convolutions, excites) for shape, convolutions in zip(shapes, bodies, strict=True)]
    return Chain(stem(image[2], first), units, Head(last, classes))


def resnext(
    classes: int, image: Sequence[int], *, layers: Sequence[int], cardinality: int, group_width: int, excites: bool = False
) -> Chain:
    """A ResNeXt whose bottlenecks have `cardinality` groups, each of `group_width` channels in the first stage."""
    first, widths = scaled(layers, True, 1.0)
    units = []
    for c_in, c, stride in strided(widths, first, STRIDES):
        inner = cardinality * (c // EXPANSION * group_width // WIDTHS[0])
        units.append(Residual(c_in, c, stride, body(c_in, c, stride, inner, cardinality, True, False), excites))
    return Chain(stem(image[2], first), units, Head(widths[-1][-1], classes))
