"""AutoFormer's networks as Flax NNX modules.

Source: Chen et al., AutoFormer: Searching Transformers for Visual Recognition, ICCV 2021, and the authors' code in Cream; Auto-Prox (Wei et
al., AAAI 2024) trains networks of the same menu that are plain vision transformers. Dropout and stochastic depth, with which a score would
be random, are left out.
"""

from typing import NamedTuple

import jax.numpy as jnp
from flax import nnx

from jaxzc.types import Array
from jaxzc_spaces.autoformer.encoding import Architecture
from jaxzc_spaces.core.layers import Linear, NetworkModule
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.transformers.blocks import Attention, Block, LayerNorm, Patches, with_class_token

HEAD = 64
"""Width of a head in Cream, whatever the network's width."""


class Form(NamedTuple):
    """What all networks of a space have in common.

    patch: pixels of a patch's side. eps: of layer normalisation. head: width of a head; 0: the network's, divided by the heads. fixed:
    width of all heads together whatever their number; 0: it follows from them. distance: see `Attention`. positions: whether learned
    positions are added to the tokens. class_token: whether the classifier reads the class token, and not the mean of the patches.
    """

    patch: int
    eps: float
    head: int = 0
    fixed: int = 0
    distance: int = 0
    positions: bool = True
    class_token: bool = False

    def attention(self, width: int, heads: int, grid: tuple[int, int]) -> Attention:
        """Of a layer of so many heads, in a network of this width."""
        of_head = self.head or width // heads
        if self.fixed:  # the authors' code scales by what a head would be wide without it
            return Attention(heads, self.fixed, (width // heads) ** -0.5, self.distance, grid)
        return Attention(heads, heads * of_head, of_head**-0.5, self.distance, grid)


class AutoFormerModule(NetworkModule):
    """The whole network. Call: images `[B, H, W, colours]` (H, W divisible by the patch) -> logits `[B, classes]`."""

    def __init__(self, form: Form, of: Architecture, classes: int, image_shape: tuple[int, ...]):
        height, width, colours = image_shape
        grid = height // form.patch, width // form.patch
        self.depth, self.class_token = len(of.heads), form.class_token
        self.patch = Patches(form.patch, form.patch, colours, of.width)
        self.cls = nnx.Param(jnp.zeros(of.width, jnp.float32))
        self.pos = nnx.Param(jnp.zeros((1 + grid[0] * grid[1], of.width), jnp.float32)) if form.positions else None
        for number, (heads, tenths) in enumerate(zip(of.heads, of.tenths, strict=True)):
            block = Block(of.width, form.attention(of.width, heads, grid), of.width * tenths // 10, form.eps)
            setattr(self, f"block{number}", block)
        self.norm, self.head = LayerNorm(of.width, form.eps), Linear(of.width, classes)

    def logits(self, x: Array, p: Pass) -> Array:
        patches = self.patch(x, p)
        x = with_class_token(p.embedding(self.cls, self.cls[...]), patches.reshape(len(patches), -1, patches.shape[-1]))
        x = x if self.pos is None else x + p.embedding(self.pos, self.pos[...])[None]
        for number in range(self.depth):
            p.cell = number
            x = getattr(self, f"block{number}")(x, p, f"block{number}")
        p.cell = -1
        x = self.norm(x, p)
        return self.head(x[:, 0] if self.class_token else x[:, 1:].mean(1), p)
