"""DenseNet.

Source: Huang et al., Densely Connected Convolutional Networks, CVPR 2017.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx

from jaxzc.types import Array
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.published.parts import Activated, Chain, Head, Pool, Several, plain
from jaxzc_spaces.published.resnet import stem


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
