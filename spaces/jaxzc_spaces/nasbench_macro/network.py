"""NAS-Bench-Macro's networks as Flax NNX modules: a stem, eight layers, and a head.

Source: Su et al., Prioritized Architecture Sampling with Monto-Carlo Tree Search, CVPR 2021, section 4 and the benchmark's code.
"""

from flax import nnx

from jaxzc.types import Array
from jaxzc_spaces.core.layers import BatchNorm, Head, NetworkModule, ReLU, conv, depthwise, kernel
from jaxzc_spaces.core.passes import Pass

OPS = ((), (3, 3), (6, 5))
"""(expansion, kernel size) of each digit; 0 is the identity."""
FIRST_OF_STAGE = (0, 2, 5)
"""Layers that halve the image and double the width."""
LAYERS = 8


class Stem(nnx.Module):
    def __init__(self, c_in: int, c: int):
        self.conv, self.bn, self.relu = kernel(3, 3, c_in, c), BatchNorm(c), ReLU()

    def __call__(self, x: Array, p: Pass) -> Array:
        return self.relu(self.bn(conv(x, self.conv, p), p), p)


class Downsample(nnx.Module):
    """The identity of a stage's first layer: a 1x1 convolution of stride 2."""

    def __init__(self, c_in: int, c: int):
        self.downsample, self.bn_downsample = kernel(1, 1, c_in, c), BatchNorm(c)

    def __call__(self, x: Array, p: Pass) -> Array:
        return self.bn_downsample(conv(x, self.downsample, p, 2), p)


class Bottleneck(nnx.Module):
    """Mobile inverted bottleneck; the input is added where shapes allow, without a ReLU after it."""

    def __init__(self, c_in: int, c: int, stride: int, expansion: int, size: int):
        wide = expansion * c_in
        self.stride = stride
        self.expand, self.bn_expand, self.relu_expand = kernel(1, 1, c_in, wide), BatchNorm(wide), ReLU()
        self.depthwise, self.bn_depthwise, self.relu_depthwise = kernel(size, size, 1, wide), BatchNorm(wide), ReLU()
        self.project, self.bn_project = kernel(1, 1, wide, c), BatchNorm(c)

    def __call__(self, x: Array, p: Pass) -> Array:
        y = self.relu_expand(self.bn_expand(conv(x, self.expand, p), p), p)
        y = self.relu_depthwise(self.bn_depthwise(depthwise(y, self.depthwise, p, self.stride), p), p)
        y = self.bn_project(conv(y, self.project, p), p)
        return x + y if self.stride == 1 else y


class MacroHead(Head):
    """A 1x1 convolution before the global mean."""

    def __init__(self, c_in: int, c: int, classes: int):
        super().__init__(c, classes)
        self.conv, self.bn, self.relu = kernel(1, 1, c_in, c), BatchNorm(c), ReLU()

    def __call__(self, x: Array, p: Pass) -> Array:
        return super().__call__(self.relu(self.bn(conv(x, self.conv, p), p), p), p)


class MacroNet(NetworkModule):
    """The network of one architecture; call it with images `[B, H, W, in_channels]`. -> logits `[B, classes]`"""

    def __init__(self, arch: tuple[int, ...], channels: int, head: int, classes: int, in_channels: int):
        self.stem = Stem(in_channels, channels)
        c = channels
        for layer, op in enumerate(arch):
            first = layer in FIRST_OF_STAGE
            c_in, c = c, 2 * c if first else c
            if op or first:
                block = Bottleneck(c_in, c, 2 if first else 1, *OPS[op]) if op else Downsample(c_in, c)
                setattr(self, f"layer{layer}", block)
        self.head = MacroHead(c, head, classes)

    def logits(self, x: Array, p: Pass) -> Array:
        x = p.map("stem", self.stem(x, p))
        for layer in range(LAYERS):
            block = getattr(self, f"layer{layer}", None)
            if block is not None:
                (x,) = p.rescale(p.map(f"layer{layer}", block(x, p)))
        return self.head(x, p)
