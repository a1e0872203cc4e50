"""Networks without batch normalisation, or from before it: VGG (also with it) and SqueezeNet (also with shortcuts).

Sources: Simonyan & Zisserman, Very Deep Convolutional Networks, ICLR 2015; Iandola et al., SqueezeNet, 2016.
"""

from collections.abc import Sequence
from functools import partial

import jax.numpy as jnp
from flax import nnx

from jaxzc.types import Array
from jaxzc_spaces.core.layers import Linear
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.core.units import Activation, ConvBN
from jaxzc_spaces.published.parts import Chain, Pool, Several, global_mean, stages

VGG_WIDTHS = (64, 128, 256, 512, 512)
HIDDEN = 4096


class Perceptron(nnx.Module):
    """Three linear layers, with a ReLU behind the first two, of all pixels and channels. Dropout is left out."""

    def __init__(self, features: int, classes: int):
        self.fc1, self.act1 = Linear(features, HIDDEN), Activation()
        self.fc2, self.act2 = Linear(HIDDEN, HIDDEN), Activation()
        self.fc3 = Linear(HIDDEN, classes)

    def __call__(self, x: Array, p: Pass) -> Array:
        x = self.act1(self.fc1(x.reshape(len(x), -1), p), p)
        return self.fc3(self.act2(self.fc2(x, p), p), p)


def vgg(classes: int, image: Sequence[int], *, layers: Sequence[int], norm: bool = False, bias: bool = True) -> Chain:
    """A VGG of so many 3x3 convolutions in each of five stages, each of which ends with a maximum of 2x2 pixels. The first
    linear layer has weights for every pixel that is left, one of 32 x 32."""
    conv = partial(ConvBN, 3, bias=bias, norm=norm)
    c, parts = image[2], []
    for stage in stages(layers, VGG_WIDTHS):
        for width in stage:
            parts.append(conv(c, width))
            c = width
        parts[-1] = Several(parts[-1], Pool(2, 2))
    pixels = (image[0] // 32) * (image[1] // 32)
    return Chain(parts[0], parts[1:], Perceptron(pixels * c, classes))


biased = partial(ConvBN, bias=True, norm=False)
"""A convolution with a bias, and a ReLU."""


class Fire(nnx.Module):
    """A 1x1 convolution to an eighth of the channels behind it, and a 1x1 and a 3x3 one from there, side by side.

    shortcut: add the input where it has as many channels. halves: take maxima of 3x3 pixels with stride 2 first."""

    def __init__(self, c_in: int, c_out: int, shortcut: bool, halves: bool):
        self.pool = Pool(3, 2, ceil=True) if halves else None
        self.squeeze = biased(1, c_in, c_out // 8)
        self.expand1, self.expand3 = biased(1, c_out // 8, c_out // 2), biased(3, c_out // 8, c_out // 2)
        self.shortcut = shortcut and c_in == c_out

    def __call__(self, x: Array, p: Pass) -> Array:
        x = x if self.pool is None else self.pool(x, p)
        y = self.squeeze(x, p)
        y = jnp.concatenate([self.expand1(y, p), self.expand3(y, p)], -1)
        return x + y if self.shortcut else y


class Scored(nnx.Module):
    """A 1x1 convolution to the classes, a ReLU, and the global mean. Dropout is left out."""

    def __init__(self, channels: int, classes: int):
        self.conv = biased(1, channels, classes)

    def __call__(self, x: Array, p: Pass) -> Array:
        return global_mean(self.conv(x, p), p)[:, 0, 0]


def squeezenet(
    classes: int, image: Sequence[int], *, size: int, first: int, widths: Sequence[Sequence[int]], shortcut: bool = False
) -> Chain:
    """A SqueezeNet. size, first: of the first convolution; widths: of the fire modules, by stage. shortcut: the paper's simple bypass."""
    c, units = first, []
    for stage in widths:
        for position, width in enumerate(stage):
            units.append(Fire(c, width, shortcut, halves=position == 0))
            c = width
    return Chain(biased(size, image[2], first, 2, padding=False), units, Scored(c, classes))
