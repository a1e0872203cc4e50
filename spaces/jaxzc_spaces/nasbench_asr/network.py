"""NAS-Bench-ASR's network as Flax NNX modules whose architecture is an argument.

Source: Mehrotra et al., NAS-Bench-ASR, ICLR 2021, and the authors' PyTorch code: four blocks of a convolution and cells, an LSTM, a dense
layer for each frame. Every node of a cell owns three kernels, `conv5`, `conv7` and `linear`; the gene, which may be traced, decides which
one acts and with which dilation. Dropout is left out.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from jaxzc.types import Array, PyTree
from jaxzc_spaces.core.layers import Linear, along, kernel, layer
from jaxzc_spaces.core.passes import Pass
from jaxzc_spaces.core.stacked import at, put
from jaxzc_spaces.nasbench_asr.counts import Sizes
from jaxzc_spaces.nasbench_asr.encoding import CONVOLUTIONS, LINEAR, NODES, OP_GENES, OPS
from jaxzc_spaces.nasbench_asr.layers import BLOCK_KERNEL, EPS, LSTM, STRIDES, CutOffReLU, convolution_over_frames, cut_off, padding
from jaxzc_spaces.transformers.blocks import LayerNorm, layer_normalised

SLOTS = ("conv5", "conv7", "linear")
"""Kernels of a node."""
SLOT_SIZES = (5, 7)
"""Frames that the convolutions among them see."""


def _slot(op: int) -> int:
    return len(SLOTS) - 1 if op == LINEAR else SLOT_SIZES.index(CONVOLUTIONS[op][0]) if op in CONVOLUTIONS else len(SLOTS)


def _offsets(op: int) -> list[int]:
    size, dilation = CONVOLUTIONS.get(op, (1, 1))
    first = -padding(size, dilation=dilation)[0] if op in CONVOLUTIONS else 0
    seen = [first + dilation * number for number in range(size)]
    return seen + [0] * (max(SLOT_SIZES) - size)


SLOT_OF = np.array([_slot(op) for op in range(len(OPS))], np.int32)
"""Operation -> number of its kernel; one more than there are for zero."""
OFFSETS = np.array([_offsets(op) for op in range(len(OPS))], np.int32)
"""int32 `[6, 7]`: operation -> frames that a convolution sees, counted from its own. Places beyond its size are 0."""
BEFORE, BEHIND = int(-OFFSETS.min()), int(OFFSETS.max())
"""The most that one sees before and behind."""


BITS = np.array([[gene + 1 + source if source <= node else -1 for source in range(NODES + 1)] for node, gene in enumerate(OP_GENES)])
"""int `[3, 4]`: for each node and value, the cell's input first, the gene of the skip; -1 where the value comes later."""


class Kernels(NamedTuple):
    """Kernels and biases, of one node or with leading axes."""

    conv5: Array
    conv7: Array
    linear: Array
    conv5_bias: Array
    conv7_bias: Array
    linear_bias: Array


class Cells(nnx.Module):
    """`count` cells in sequence, all arrays with leading axes [count] or [count, 3].

    Called by a name, for what the pass keeps: of the layers, `conv5`, `conv7` and `linear`, and of the inputs of activations, `relu`, for
    every node; of the outputs, under the name itself, for every cell.
    """

    def __init__(self, count: int, channels: int, groups: int, clip: float):
        self.groups, self.clip = groups, clip
        self.conv5, self.conv7 = (kernel(count, NODES, size, channels // groups, channels) for size in SLOT_SIZES)
        self.linear = kernel(count, NODES, channels, channels)
        self.conv5_bias, self.conv7_bias, self.linear_bias = (kernel(count, NODES, channels) for _ in SLOTS)
        self.ln = LayerNorm((count, channels), EPS)

    def __call__(self, x: Array, genes: Array, p: Pass, name: str) -> Array:
        """Of genes int32 `[9]`, as PyTorch's code reads them."""
        kernels = Kernels(*(getattr(self, field)[...] for field in Kernels._fields))
        count = len(kernels.linear)
        perturb = None
        if p.tap.perturb is not None:
            of_slots = tuple(p.perturb(f"{name}/{slot}") for slot in SLOTS)
            perturb = jax.tree.map(lambda a: a.reshape(count, NODES, *a.shape[1:]), of_slots)
        tap = p.tap

        def step(x: Array, inputs: PyTree) -> Any:
            kernels, scale, bias, perturb, shift = inputs
            x, records = self._cell(x, genes, kernels, p, perturb)
            x = x if p.norm == "none" else layer_normalised(x, scale, bias, EPS)
            x, record = (x, None) if tap.cell is None else tap.cell(x, shift)
            return x, (records, record)

        inputs = kernels, self.ln.scale[...], self.ln.bias[...], perturb, p.map_perturb(name)
        x, (records, maps) = lax.scan(step, x, inputs)
        self._keep(p, name, genes, jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), records))
        if tap.cell is not None:
            p.maps[name] = maps
        return x

    def _cell(self, x: Array, genes: Array, kernels: Kernels, p: Pass, perturb: PyTree) -> tuple[Array, PyTree]:
        """One cell without its normalisation, and what was kept of its nodes, `[3, ...]`."""
        ops = genes[np.array(OP_GENES)]
        skips = jnp.where(BITS < 0, 0, genes[np.maximum(BITS, 0)]).astype(x.dtype)

        def step(values: Array, inputs: PyTree) -> Any:
            node, op, skip, own, of_node = inputs
            slot = jnp.asarray(SLOT_OF)[op]
            chosen = None
            if of_node is not None:
                chosen = jax.tree.map(lambda *a: lax.select_n(jnp.minimum(slot, len(SLOTS) - 1), *a), *of_node)
            q = p.step(None if chosen is None else {"layer": chosen})
            y = q.layer("layer", operation(at(values, node), op, slot, own, self.groups))
            y = jnp.where(slot < len(SLOTS), cut_off(q.activating("relu", y), self.clip), 0)
            y = y + jnp.tensordot(skip, values, 1)
            return put(values, node + 1, y), {**q.layers, **q.activations}

        values = jnp.zeros((NODES + 1, *x.shape), x.dtype).at[0].set(x)
        values, records = lax.scan(step, values, (jnp.arange(NODES), ops, skips, kernels, perturb))
        return values[-1], records

    def _keep(self, p: Pass, name: str, genes: Array, records: PyTree) -> None:
        """Hands the pass what was kept of all nodes, `[nodes, ...]`: zeros of a kernel that the node does not use."""
        count = self.linear.shape[0]
        slots = jnp.tile(jnp.asarray(SLOT_OF)[genes[np.array(OP_GENES)]], count)
        if p.tap.layer is not None:
            for number, slot in enumerate(SLOTS):
                p.layers[f"{name}/{slot}"] = _only(records["layer"], slots == number)
        if p.tap.activation is not None:
            p.activations[f"{name}/relu"] = _only(records["relu"], slots < len(SLOTS))


def _only(tree: PyTree, on: Array) -> Any:
    return jax.tree.map(lambda a: jnp.where(on.reshape(-1, *(1,) * (a.ndim - 1)), a, jnp.zeros((), a.dtype)), tree)


def operation(x: Array, op: Array, slot: Array, kernels: Kernels, groups: int) -> Array:
    """What an operation gives before its activation: of a convolution or a linear layer, bias included; or zeros."""
    five, seven = (jnp.pad(w, ((0, max(SLOT_SIZES) - len(w)), (0, 0), (0, 0))) for w in (kernels.conv5, kernels.conv7))
    weight = jnp.where(slot == 0, five, seven)
    bias = jnp.where(slot == 0, kernels.conv5_bias, kernels.conv7_bias)
    branches = (
        lambda x: grouped(x, weight, jnp.asarray(OFFSETS)[op], groups) + along(x, bias),
        lambda x: x @ kernels.linear + along(x, kernels.linear_bias),
        lambda x: jnp.zeros_like(x),
    )
    return lax.switch(jnp.maximum(slot - 1, 0), branches, x)


@partial(jax.checkpoint, static_argnums=(3,))
def grouped(x: Array, weight: Array, offsets: Array, groups: int) -> Array:
    """A convolution over frames, whose offsets int `[size]` are data, as one product of all frames that it sees. (Convolutions in a loop
    are slow on CPUs.) Derivatives compute these frames again, of which there are seven times as many as of x."""
    batch, length, channels = x.shape
    padded = jnp.pad(x, ((0, 0), (BEFORE, BEHIND), (0, 0)))
    moved = [lax.dynamic_slice_in_dim(padded, BEFORE + offsets[number], length, axis=1) for number in range(len(weight))]
    of_groups = weight.reshape(len(weight), -1, groups, channels // groups)
    y = jnp.einsum("kbtgi,kigo->btgo", jnp.stack(moved).reshape(len(weight), batch, length, groups, -1), of_groups)
    return y.reshape(x.shape)


class Block(nnx.Module):
    """A convolution and cells."""

    def __init__(self, features: int, channels: int, cells: int, stride: int, sizes: Sizes):
        self.stride = stride
        self.conv, self.conv_bias = kernel(BLOCK_KERNEL, features, channels), kernel(channels)
        self.relu, self.ln = CutOffReLU(sizes.clip), LayerNorm(channels, EPS)
        self.cells = Cells(cells, channels, sizes.groups, sizes.clip)

    def __call__(self, x: Array, genes: Array, p: Pass, name: str) -> Array:
        x = layer(partial(convolution_over_frames, stride=self.stride), x, self.conv, p, self.conv_bias)
        x = p.map(name, self.ln(self.relu(x, p), p))
        return self.cells(x, genes, p, f"{name}/cells")


class AsrNet(nnx.Module):
    """The whole network. Call: frames `[B, T, features]`, genes int32 `[9]` as PyTorch's code reads them, which may be traced, and a
    `Pass`. -> logits `[B, T / 4 (rounded up), classes]`"""

    def __init__(self, sizes: Sizes):
        widths = (sizes.features, *sizes.filters)
        blocks = zip(widths, sizes.filters, sizes.cells, STRIDES, strict=False)
        self.blocks = nnx.List([Block(*of_block, sizes) for of_block in blocks])
        self.lstm = LSTM(widths[-1], sizes.units, sizes.biases) if sizes.units else None
        self.head = Linear(sizes.units or widths[-1], sizes.classes)

    def __call__(self, x: Array, genes: Array, p: Pass) -> Array:
        for number, block in enumerate(self.blocks):
            x = block(x, genes, p, f"blocks/{number}")
        return self.head(x if self.lstm is None else self.lstm(x, p), p)
