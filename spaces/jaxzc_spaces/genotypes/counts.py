"""Exact parameters, multiply-accumulates and layers of genotype networks, by arithmetic; see `jaxzc_spaces.genotypes.network`."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from jaxzc.types import Counts
from jaxzc_spaces.genotypes.encoding import Cell, Genotype


class Tally(NamedTuple):
    """Of some layers: parameters, multiply-accumulates of convolutions and linear layers, and how many of these there are."""

    params: int = 0
    flops: int = 0
    layers: int = 0


def total(tallies: Iterable[Tally]) -> Tally:
    return Tally(*(sum(column) for column in zip(*tallies, strict=True)))


def convolution(kernel: int, pixels: int, norm: int = 0) -> Tally:
    """A convolution with `kernel` weights whose output has `pixels` positions, and a normalisation of `norm` channels behind it."""
    return Tally(params=kernel + 2 * norm, flops=kernel * pixels, layers=1)


def operation(op: str, c: int, stride: int, size: tuple[int, int], affine: bool) -> Tally:
    """An operation of a cell on `c` channels, maps of `size` (height, width) before it. Pools and zero have nothing; nor has identity
    with stride 1."""
    before, (height, width) = size[0] * size[1], halved(size, stride)
    after, norm = height * width, c if affine else 0
    k = int(op[-1]) if op[-1].isdigit() else 0
    if op == "skip_connect":
        return reduce_by_two(c, c, after, norm) if stride == 2 else Tally()
    if op.startswith(("sep_conv", "dil_sep_conv", "dil_conv")):
        one = total([convolution(k * k * c, after), convolution(c * c, after, norm)])
        return one if op.startswith("dil_conv") else total([one, one])
    if re.fullmatch(r"conv_(\d)x1_1x\1", op):
        # The 1 x k convolution comes first and halves the width only.
        return total([convolution(k * c * c, before // size[1] * width), convolution(k * c * c, after, norm)])
    if op in ("conv_1x1", "conv_3x3"):
        return convolution(k * k * c * c, after, norm)
    return Tally()


def halved(size: tuple[int, int], stride: int) -> tuple[int, int]:
    return (size[0] + stride - 1) // stride, (size[1] + stride - 1) // stride


def reduce_by_two(c_in: int, c: int, after: int, norm: int) -> Tally:
    half = convolution(c_in * (c // 2), after)
    return total([half, half, Tally(params=2 * norm)])


def cell_tally(
    cell: Cell, widths: tuple[int, int], c: int, reduction: bool, after_reduction: bool, size: tuple[int, int], affine: bool
) -> Tally:
    """A cell whose newer input has maps of `size`."""
    pixels = size[0] * size[1]
    first = reduce_by_two(widths[0], c, pixels, c) if after_reduction else convolution(widths[0] * c, pixels, c)
    inner = halved(size, 2) if reduction else size
    edges = [
        operation(op, c, 2, size, affine) if reduction and state < 2 else operation(op, c, 1, inner, affine) for op, state in cell.edges
    ]
    return total([first, convolution(widths[1] * c, pixels, c), *edges])


def network_tally(
    genotype: Genotype,
    channels: int,
    cells: int,
    classes: int,
    image_shape: tuple[int, ...],
    stem: str,
    affine: bool = True,
    auxiliary: bool = False,
) -> Tally:
    """The network of `jaxzc_spaces.genotypes.network.GenotypeNet` with the same arguments."""
    size, colours = (image_shape[0], image_shape[1]), image_shape[2]
    if stem == "cifar":
        parts = [convolution(9 * colours * 3 * channels, size[0] * size[1], 3 * channels)]
        widths = (3 * channels, 3 * channels)
    else:
        parts = []
        for c_in, c in ((colours, channels // 2), (channels // 2, channels), (channels, channels)):
            size = halved(size, 2)
            parts.append(convolution(9 * c_in * c, size[0] * size[1], c))
        widths = (channels, channels)
    c, reduced = channels, stem != "cifar"
    for number in range(cells):
        reduction = number in (cells // 3, 2 * cells // 3)
        c = 2 * c if reduction else c
        cell = genotype.reduce if reduction else genotype.normal
        parts.append(cell_tally(cell, widths, c, reduction, reduced, size, affine))
        size = halved(size, 2) if reduction else size
        widths, reduced = (widths[1], c * len(cell.concat)), reduction
        if auxiliary and number == 2 * cells // 3:
            parts += [convolution(128 * widths[1], 4, 128), convolution(4 * 128 * 768, 1, 768), linear(768, classes)]
    return total([*parts, linear(widths[1], classes)])


def linear(features: int, classes: int) -> Tally:
    return Tally(params=(features + 1) * classes, flops=features * classes, layers=1)


def as_counts(tallies: Sequence[Tally]) -> Counts:
    return Counts(**{name: np.array([getattr(tally, name) for tally in tallies], np.int64) for name in Tally._fields})
