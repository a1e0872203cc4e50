"""PiT's networks as Flax NNX modules, and their exact counts.

Source: Heo et al., Rethinking Spatial Dimensions of Vision Transformers, ICCV 2021. Three stages of transformer blocks; between them the
map of patches is halved by a depthwise convolution, and the class token goes through a linear layer. Dropout and stochastic depth, with
which a score would be random, are left out.
"""

from functools import partial

import jax.numpy as jnp
from flax import nnx

from jaxzc.types import Array, Counts
from jaxzc_spaces.core.layers import Linear, NetworkModule, convolution, kernel, layer
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.pit.encoding import STAGES, Architecture
from jaxzc_spaces.transformers.blocks import Attention, Block, LayerNorm, Patches, with_class_token

EPS = 1e-6


class WideningConv(nnx.Module):
    """Convolution 3x3 of stride 2 in which each channel makes several: output o reads input o // (outputs / inputs)."""

    def __init__(self, c_in: int, c_out: int):
        self.groups = c_in
        self.kernel, self.bias = kernel(3, 3, 1, c_out), nnx.Param(jnp.zeros(c_out, jnp.float32))

    def __call__(self, x: Array, p: Pass) -> Array:
        return layer(partial(convolution, strides=(2, 2), groups=self.groups), x, self.kernel, p, self.bias)


class Pool(nnx.Module):
    """Halves the map and widens it, and the class token."""

    def __init__(self, c_in: int, c_out: int):
        self.conv, self.fc = WideningConv(c_in, c_out), Linear(c_in, c_out)

    def __call__(self, cls: Array, patches: Array, p: Pass) -> tuple[Array, Array]:
        """cls `[B, 1, channels]`, patches `[B, rows, columns, channels]`."""
        patches = self.conv(patches, p)
        return self.fc(cls, p), patches


class PitModule(NetworkModule):
    """The whole network. Call: images `[B, H, W, colours]` -> logits `[B, classes]`. patch, stride: pixels of a patch's side, and from one
    to the next."""

    def __init__(self, of: Architecture, patch: int, stride: int, classes: int, image_shape: tuple[int, ...]):
        grid, self.depths, widths = first_grid(image_shape, patch, stride), of.depths, of.widths
        self.patch = Patches(patch, stride, image_shape[2], widths[0])
        self.cls = nnx.Param(jnp.zeros(widths[0], jnp.float32))
        self.pos = nnx.Param(jnp.zeros((*grid, widths[0]), jnp.float32))
        for stage, (depth, width, heads) in enumerate(zip(of.depths, widths, of.heads, strict=True)):
            part, attention = nnx.Module(), Attention(heads, width, of.base**-0.5)
            for number in range(depth):
                setattr(part, f"block{number}", Block(width, attention, width * of.ratio, EPS))
            setattr(self, f"stage{stage}", part)
            if stage < STAGES - 1:
                setattr(self, f"pool{stage}", Pool(width, widths[stage + 1]))
        self.norm, self.head = LayerNorm(widths[-1], EPS), Linear(widths[-1], classes)

    def logits(self, x: Array, p: Pass) -> Array:
        patches = self.patch(x, p)
        patches = patches + p.embedding(self.pos, self.pos[...])[None]
        cls, cell = p.embedding(self.cls, self.cls[...]), 0
        for stage, depth in enumerate(self.depths):
            size = patches.shape[1:3]
            x = with_class_token(cls, patches.reshape(len(patches), -1, patches.shape[-1]))
            for number in range(depth):
                p.cell = cell
                cell, name = cell + 1, f"block{number}"
                x = getattr(getattr(self, f"stage{stage}"), name)(x, p, f"stage{stage}/{name}")
            p.cell = -1
            cls, patches = x[:, :1], x[:, 1:].reshape(len(x), *size, -1)
            if stage < STAGES - 1:
                cls, patches = getattr(self, f"pool{stage}")(cls, patches, p)
        return self.head(self.norm(cls[:, 0], p), p)


def first_grid(image_shape: tuple[int, ...], patch: int, stride: int) -> tuple[int, int]:
    """Rows and columns of patches."""
    return (image_shape[0] - patch) // stride + 1, (image_shape[1] - patch) // stride + 1


def network_counts(of: Architecture, patch: int, stride: int, classes: int, image_shape: tuple[int, ...]) -> Counts[int]:
    """Exact counts of one network, as ints."""
    (rows, columns), widths = first_grid(image_shape, patch, stride), of.widths
    first = patch * patch * image_shape[2] * widths[0]
    params = first + widths[0] * (1 + rows * columns + 1) + 2 * widths[-1] + (widths[-1] + 1) * classes
    flops, products = first * rows * columns + widths[-1] * classes, 0
    for stage, (depth, width) in enumerate(zip(of.depths, widths, strict=True)):
        tokens, hidden = rows * columns + 1, width * of.ratio
        kernels = 4 * width * width + 2 * width * hidden
        params += depth * (kernels + 4 * width + hidden + width + 4 * width)
        flops += depth * tokens * kernels
        products += depth * 2 * tokens * tokens * width
        if stage < STAGES - 1:
            after, rows, columns = widths[stage + 1], (rows + 1) // 2, (columns + 1) // 2
            params += 10 * after + (width + 1) * after
            flops += 9 * after * rows * columns + width * after
    return Counts(params, flops, 2 + 4 * sum(of.depths) + 2 * (STAGES - 1), products)
