"""Counts of networks of super blocks: exact ones, and those of the authors' code, which their budgets are given in."""

from collections.abc import Sequence
from typing import NamedTuple

from jaxzc_spaces.genotypes.counts import Tally, convolution, linear, total
from jaxzc_spaces.superblocks.blocks import Block, units


class CodeCounts(NamedTuple):
    """As ZiCo's code counts: `flops`, multiply-accumulates and one per normalised element, but projections divided by the square of their
    stride once too often; `model_size`, one parameter per normalised channel instead of two, and one bias of the classifier instead of
    `classes`; `layers`, sub-layers of all blocks."""

    flops: int
    model_size: int
    layers: int


class _Conv(NamedTuple):
    """A convolution with normalisation: sizes (height, width) before and after it."""

    size: int
    c_in: int
    c_out: int
    stride: int
    grouped: bool
    projection: bool
    before: tuple[int, int]
    after: tuple[int, int]


def _convolutions(blocks: Sequence[Block], size: tuple[int, int], residual: bool) -> tuple[list[_Conv], tuple[int, int]]:
    """All convolutions in order, and the size of the last map."""
    convs: list[_Conv] = []

    def add(k: int, c_in: int, c_out: int, stride: int, grouped: bool, before: tuple[int, int], extra: bool = False) -> tuple[int, int]:
        after = (before[0] + stride - 1) // stride, (before[1] + stride - 1) // stride
        convs.append(_Conv(k, c_in, c_out, stride, grouped, extra, before, after))
        return after

    for block in blocks:
        if block.form == "conv":
            for layer in range(block.layers):
                c_in, stride = (block.c_in, block.stride) if layer == 0 else (block.c_out, 1)
                size = add(block.kernel, c_in, block.c_out, stride, False, size)
            continue
        for unit in units(block):
            before, c = size, unit.c_in
            for _, k, c_out, stride, grouped in unit.convolutions:
                size = add(k, c, c_out, stride, grouped, size)
                c = c_out
            if residual and unit.projection:
                add(1, unit.c_in, unit.c_out, unit.stride, False, before, extra=True)
    return convs, size


def network_tally(blocks: Sequence[Block], classes: int, size: tuple[int, int], residual: bool = True) -> Tally:
    """Exact: every trainable parameter, multiply-accumulates of convolutions and the linear layer, and their number."""
    convolutions, _ = _convolutions(blocks, size, residual)
    parts = [convolution(c.size**2 * (1 if c.grouped else c.c_in) * c.c_out, c.after[0] * c.after[1], c.c_out) for c in convolutions]
    biases = Tally(params=sum(c.c_out for c in convolutions if c.projection))
    return total([*parts, biases, linear(blocks[-1].c_out, classes)])


def code_counts(blocks: Sequence[Block], classes: int, resolution: int, residual: bool = True) -> CodeCounts:
    """As the authors' code counts for square images; their search counts with `residual=True` what it scores without."""
    convolutions, _ = _convolutions(blocks, (resolution, resolution), residual)
    features = blocks[-1].c_out
    flops, model_size = features * classes, features * classes + 1
    for c in convolutions:
        groups = c.c_in if c.grouped else 1
        weights = c.size**2 * c.c_in * c.c_out // groups
        model_size += weights + c.c_out
        if c.projection:
            flops += (weights + c.c_out) * c.after[0] ** 2 // c.stride**2
        else:
            flops += weights * c.before[0] ** 2 // c.stride**2 + c.c_out * c.after[0] ** 2
    return CodeCounts(flops, model_size, sum(block.layers for block in blocks))
