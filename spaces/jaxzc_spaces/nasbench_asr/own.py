"""The network of one NAS-Bench-ASR architecture: modules that have what it has, and no kernels that it does not use."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxzc.types import Array, InitialiserSpec, Params
from jaxzc_spaces.core.discrete import DiscreteNetwork
from jaxzc_spaces.core.layers import Linear, NetworkModule, kernel, layer
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.nasbench_asr.counts import Sizes
from jaxzc_spaces.nasbench_asr.encoding import CONVOLUTIONS, LINEAR, ZERO, Node
from jaxzc_spaces.nasbench_asr.layers import BLOCK_KERNEL, EPS, LSTM, STRIDES, CutOffReLU, convolution_over_frames
from jaxzc_spaces.transformers.blocks import LayerNorm


class Operation(nnx.Module):
    """A linear layer for each frame, or a convolution, and its activation. (dilation: 0 for the first.)"""

    def __init__(self, op: int, channels: int, groups: int, clip: float):
        self.groups = groups
        if op == LINEAR:
            self.dilation, shape = 0, (channels, channels)
        else:
            size, self.dilation = CONVOLUTIONS[op]
            shape = size, channels // groups, channels
        self.op, self.op_bias, self.relu = kernel(*shape), kernel(channels), CutOffReLU(clip)

    def __call__(self, x: Array, p: Pass) -> Array:
        convolution = partial(convolution_over_frames, dilation=self.dilation, groups=self.groups)
        return self.relu(layer(convolution if self.dilation else jnp.matmul, x, self.op, p, self.op_bias), p)


class Cell(nnx.Module):
    """Three nodes, and layer normalisation."""

    def __init__(self, nodes: Sequence[Node], channels: int, groups: int, clip: float):
        self.bits = tuple(bits for _, bits in nodes)
        for number, (op, _) in enumerate(nodes):
            setattr(self, f"node{number}", None if op == ZERO else Operation(op, channels, groups, clip))
        self.ln = LayerNorm(channels, EPS)

    def __call__(self, x: Array, p: Pass) -> Array:
        values = [x]
        for number, bits in enumerate(self.bits):
            operation = getattr(self, f"node{number}")
            y = jnp.zeros_like(x) if operation is None else operation(values[-1], p)
            for value, bit in zip(values, bits, strict=True):
                if bit:
                    y = y + value
            values.append(y)
        return self.ln(values[-1], p)


class OwnBlock(nnx.Module):
    """A convolution and cells, `cell0`, `cell1`, ..."""

    def __init__(self, nodes: Sequence[Node], features: int, channels: int, cells: int, stride: int, sizes: Sizes):
        self.stride, self.count = stride, cells
        self.conv, self.conv_bias = kernel(BLOCK_KERNEL, features, channels), kernel(channels)
        self.relu, self.ln = CutOffReLU(sizes.clip), LayerNorm(channels, EPS)
        for number in range(cells):
            setattr(self, f"cell{number}", Cell(nodes, channels, sizes.groups, sizes.clip))

    def __call__(self, x: Array, p: Pass, name: str) -> Array:
        p.cell += 1
        x = layer(partial(convolution_over_frames, stride=self.stride), x, self.conv, p, self.conv_bias)
        x = p.map(name, self.ln(self.relu(x, p), p))
        for number in range(self.count):
            p.cell += 1
            x = p.map(f"{name}/cell{number}", getattr(self, f"cell{number}")(x, p))
        return x


class OwnNet(NetworkModule):
    """Four blocks, `block0` to `block3`, an LSTM, a dense layer. nodes: as PyTorch's code reads them.

    Call: frames `[B, T, features]` -> logits `[B, T / 4 (rounded up), classes]`."""

    def __init__(self, nodes: Sequence[Node], sizes: Sizes):
        features = sizes.features
        for number, (channels, cells, stride) in enumerate(zip(sizes.filters, sizes.cells, STRIDES, strict=True)):
            setattr(self, f"block{number}", OwnBlock(nodes, features, channels, cells, stride, sizes))
            features = channels
        self.lstm = LSTM(features, sizes.units, sizes.biases) if sizes.units else None
        self.head = Linear(sizes.units or features, sizes.classes)

    def logits(self, x: Array, p: Pass) -> Array:
        for number in range(len(STRIDES)):
            x = getattr(self, f"block{number}")(x, p, f"block{number}")
        p.cell = -1
        return self.head(x if self.lstm is None else self.lstm(x, p), p)


@dataclass(frozen=True, eq=False)
class OwnAsrNetwork(DiscreteNetwork):
    """The discrete network; "torch" draws its LSTM as PyTorch does."""

    def init(self, key: Array, initialiser: InitialiserSpec = "torch") -> Params:
        return with_torch_lstm(DiscreteNetwork.init(self, key, initialiser), initialiser)


def with_torch_lstm(params: Params, initialiser: InitialiserSpec) -> Params:
    """Parameters in which, with "torch", those of the LSTM for its inputs lie within 1 / sqrt(units) as PyTorch draws them, and not within
    1 / sqrt(inputs)."""
    if initialiser != "torch" or "lstm" not in params:
        return params
    inputs, units = params["lstm"]["weight_ih"].shape[0], params["lstm"]["weight_hh"].shape[0]
    of_inputs = {name: params["lstm"][name] * (inputs / units) ** 0.5 for name in ("weight_ih", "weight_ih_bias")}
    return params | {"lstm": params["lstm"] | of_inputs}


def own_params(params: Params, nodes: Sequence[Node]) -> dict[str, Any]:
    """The parameters of `OwnNet`, cut from those of the program that architectures share."""
    own = {name: part for name, part in params.items() if name != "blocks"}
    for number, block in params["blocks"].items():
        cells = block["cells"]
        of_cells = {f"cell{c}": _cell_params(jax.tree.map(lambda a, c=c: a[c], cells), nodes) for c in range(len(cells["linear"]))}
        own[f"block{number}"] = {name: part for name, part in block.items() if name != "cells"} | of_cells
    return own


def _cell_params(cell: Any, nodes: Sequence[Node]) -> dict[str, Any]:
    own = {"ln": cell["ln"]}
    for number, (op, _) in enumerate(nodes):
        if op != ZERO:
            slot = "linear" if op == LINEAR else f"conv{CONVOLUTIONS[op][0]}"
            own[f"node{number}"] = {"op": cell[slot][number], "op_bias": cell[f"{slot}_bias"][number]}
    return own
