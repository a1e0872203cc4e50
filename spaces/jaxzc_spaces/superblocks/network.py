"""Networks of super blocks (`jaxzc_spaces.superblocks.blocks`) as NNX modules.

Source: the code of ZiCo (SLDGroup/ZiCo, Masternet.py and PlainNet), which derives from Zen-NAS. Squeeze-and-excitation is left out, as in
the authors' scoring.
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from flax import nnx

from jaxzc.spacekit.steps import Step
from jaxzc.types import Array
from jaxzc_spaces.core.layers import BatchNorm, Head, NetworkModule, ReLU, conv, depthwise, kernel
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.core.steps.chain import Chain
from jaxzc_spaces.superblocks.blocks import Block, Unit, units

EPS = 1e-3
"""Of every batch normalisation in these networks."""


class ConvBNReLU(nnx.Module):
    def __init__(self, size: int, c_in: int, c_out: int, stride: int):
        self.stride = stride
        self.conv, self.bn, self.relu = kernel(size, size, c_in, c_out), BatchNorm(c_out, eps=EPS), ReLU()

    def __call__(self, x: Array, p: Pass) -> Array:
        return self.relu(self.bn(conv(x, self.conv, p, self.stride), p), p)


class UnitModule(nnx.Module):
    """Convolutions with a ReLU between them, a shortcut unless `residual` is False, and a ReLU."""

    def __init__(self, unit: Unit, residual: bool):
        self.convolutions = unit.convolutions
        self.residual, self.stride = residual, unit.stride
        c = unit.c_in
        for name, size, c_out, _, grouped in unit.convolutions:
            setattr(self, name, kernel(size, size, 1 if grouped else c, c_out))
            setattr(self, _norm(name), BatchNorm(c_out, eps=EPS))
            setattr(self, f"relu_{name}", ReLU())  # the last is behind the shortcut
            c = c_out
        if residual and unit.projection:
            self.proj = kernel(1, 1, unit.c_in, unit.c_out)
            self.proj_bias = nnx.Param(jnp.zeros(unit.c_out, jnp.float32))
            self.bn_proj = BatchNorm(unit.c_out, eps=EPS)

    def __call__(self, x: Array, p: Pass) -> Array:
        y, relu = x, None
        for name, _, _, stride, grouped in self.convolutions:
            y = (depthwise if grouped else conv)(y if relu is None else relu(y, p), getattr(self, name), p, stride)
            y, relu = getattr(self, _norm(name))(y, p), getattr(self, f"relu_{name}")
        if self.residual:
            shortcut = x
            if hasattr(self, "proj"):
                shortcut = self.bn_proj(conv(x, self.proj, p, self.stride, self.proj_bias), p)
            y = y + shortcut
        assert relu is not None
        return relu(y, p)


def _norm(name: str) -> str:
    return name.replace("conv", "bn") if name.startswith("conv") else f"bn_{name}"


class PlainNet(NetworkModule):
    """A chain of blocks, global mean and classifier; call it with images `[B, H, W, C]`. -> logits `[B, classes]`

    residual: False takes every shortcut away, as the authors do for scoring.
    """

    def __init__(self, blocks: Sequence[Block], classes: int, residual: bool):
        self.paths: tuple[tuple[str, ...], ...] = ()
        for number, block in enumerate(blocks):
            parts: list[tuple[tuple[str, ...], nnx.Module]] = []
            if block.form == "conv":
                for layer in range(block.layers):
                    c_in, stride = (block.c_in, block.stride) if layer == 0 else (block.c_out, 1)
                    parts.append(((f"sub{layer}",), ConvBNReLU(block.kernel, c_in, block.c_out, stride)))
            else:
                parts = [(unit.path, UnitModule(unit, residual)) for unit in units(block)]
            for path, module in parts:
                self._place((f"block{number}", *path), module)
        self.head = Head(blocks[-1].c_out, classes)

    def _place(self, path: tuple[str, ...], module: nnx.Module) -> None:
        parent: nnx.Module = self
        for word in path[:-1]:
            if not hasattr(parent, word):
                setattr(parent, word, nnx.Module())
            parent = getattr(parent, word)
        setattr(parent, path[-1], module)
        self.paths = (*self.paths, path)

    def logits(self, x: Array, p: Pass) -> Array:
        for path, after in zip(self.paths, (*self.paths[1:], ("",)), strict=True):
            module: Any = self
            for word in path:
                module = getattr(module, word)
            (x,) = p.rescale(module(x, p))
            x = p.map(path[0], x) if path[0] not in (after[0], self.paths[-1][0]) else x
        return self.head(x, p)


def plainnet_steps(blocks: Sequence[Block], classes: int, image_shape: Sequence[int]) -> tuple[Step, ...]:
    """The network without shortcuts, as steps: it is a chain of convolutions with normalisation and ReLU."""
    chain = Chain(image_shape, EPS)
    for block in blocks:
        if block.form == "conv":
            for layer in range(block.layers):
                chain.conv(block.kernel, block.c_out, block.stride if layer == 0 else 1)
        else:
            for unit in units(block):
                for name, size, c_out, stride, grouped in unit.convolutions:
                    chain.conv(size, c_out, stride, grouped, rescale=name == unit.convolutions[-1][0])
    return chain.head(classes)
