"""Networks whose convolutions follow their activations: PreResNet and DenseNet.

Sources: He et al., Identity Mappings in Deep Residual Networks, ECCV 2016; Huang et al., Densely Connected Convolutional Networks,
CVPR 2017.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx

from jaxzc.types import Array
from jaxzc_spaces.core.layers import BatchNorm
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.core.units import Activation, ConvBN
from jaxzc_spaces.published.parts import Chain, Excitation, Head, Pool, Several, strided
from jaxzc_spaces.published.resnet import EXPANSION, REDUCTION, STRIDES, scaled, stem


class Activated(nnx.Module):
    """Batch normalisation and a ReLU."""

    def __init__(self, channels: int):
        self.bn, self.act = BatchNorm(channels), Activation()

    def __call__(self, x: Array, p: Pass) -> Array:
        return self.act(self.bn(x, p), p)


def plain(size: int, c_in: int, c_out: int, stride: int = 1) -> ConvBN:
    """A convolution alone."""
    return ConvBN(size, c_in, c_out, stride, norm=False, act=None)


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


def preresnet(
    classes: int,
    image: Sequence[int],
    *,
    layers: Sequence[int],
    bottleneck: bool = False,
    early: bool = False,
    width: float = 1.0,
    excites: bool = False,
) -> Chain:
    """A PreResNet; settings as for `resnet`."""
    first, widths = scaled(layers, bottleneck, width)
    units = [PreResidual(*unit, bottleneck, early, excites) for unit in strided(widths, first, STRIDES)]
    last = widths[-1][-1]
    return Chain(stem(image[2], first), units, Several(Activated(last), Head(last, classes)))


class Dense(nnx.Module):
    """The input and `growth` new channels: a 1x1 convolution to `4 * growth` channels and a 3x3 one."""

    def __init__(self, c_in: int, growth: int):
        self.activated1, self.conv1 = Activated(c_in), plain(1, c_in, 4 * growth)
        self.activated2, self.conv2 = Activated(4 * growth), plain(3, 4 * growth, growth)

    def __call__(self, x: Array, p: Pass) -> Array:
        y = self.conv1(self.activated1(x, p), p)
        return jnp.concatenate([x, self.conv2(self.activated2(y, p), p)], -1)


def densenet(classes: int, image: Sequence[int], *, layers: Sequence[int], growth: int, first: int) -> Chain:
    """A DenseNet of so many units in each of four blocks; between them a 1x1 convolution halves the channels, and a mean the image."""
    c, units = first, []
    for number, depth in enumerate(layers):
        if number:
            units.append(Several(Activated(c), plain(1, c, c // 2), Pool(2, 2, mean=True)))
            c //= 2
        for _ in range(depth):
            units.append(Dense(c, growth))
            c += growth
    return Chain(stem(image[2], first), units, Several(Activated(c), Head(c, classes)))
