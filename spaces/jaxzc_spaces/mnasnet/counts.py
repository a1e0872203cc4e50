"""Exact parameters, multiply-accumulates and layers of Accel-NASBench's networks, by arithmetic.

A block's counts depend on its own genes only, because widths and sizes of maps are fixed. So they are listed once for all values, and those
of an architecture are sums of seven entries.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from jaxzc.spacekit.vectors import check_vectors
from jaxzc.types import Genes
from jaxzc_spaces.mnasnet.encoding import BLOCKS, CHOICES, DEPTHS, EXPANSIONS, KERNELS
from jaxzc_spaces.mnasnet.network import STRIDES, round8

PARAMS, FLOPS, LAYERS, NORMED, POOLED = range(5)
"""Columns of a count: parameters; multiply-accumulates of convolutions and linear layers; their number; elements that are normalised; and
what the published count adds for pools, (pixels + 1) x channels."""


def network_counts(archs: Genes, stem: int, widths: Sequence[int], head: int, classes: int, image_shape: tuple[int, ...]) -> np.ndarray:
    """int64 `[n, 5]`, by column, of architectures int `[n, 28]`."""
    fixed, tables = _tables(stem, tuple(widths), head, classes, image_shape)
    genes = check_vectors(CHOICES, archs).reshape(-1, BLOCKS, 4)
    return fixed + sum(table[tuple(genes[:, number].T)] for number, table in enumerate(tables))


def published_macs(counted: np.ndarray) -> np.ndarray:
    """int64 `[n]` of `[n, 5]`: the multiply-accumulates that the benchmark's table states, which are thop's: it counts four for each
    normalised element, and pools."""
    return counted[:, FLOPS] + 4 * counted[:, NORMED] + counted[:, POOLED]


@lru_cache(maxsize=16)
def _tables(
    stem: int, widths: tuple[int, ...], head: int, classes: int, image_shape: tuple[int, ...]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Counts of what all networks have `[5]`, and of each block by its genes `[3, 2, layers, 2, 5]`."""
    height, width, colours = image_shape
    size = (height + 1) // 2, (width + 1) // 2
    fixed, tables = _conv(9 * colours * stem, size, stem), []
    c = stem
    for number, (c_out, stride) in enumerate(zip(widths, STRIDES, strict=True)):
        after = size if stride == 1 else ((size[0] + 1) // 2, (size[1] + 1) // 2)
        table = np.zeros((len(EXPANSIONS), len(KERNELS), DEPTHS[number], 2, 5), np.int64)
        for e, expansion in enumerate(EXPANSIONS):
            for k, kernel in enumerate(KERNELS):
                for s in (0, 1):
                    first = _layer(c, c_out, expansion, kernel, s, size, after)
                    further = _layer(c_out, c_out, expansion, kernel, s, after, after)
                    table[e, k, :, s] = [first + depth * further for depth in range(DEPTHS[number])]
        tables.append(table)
        c, size = c_out, after
    classifier = np.array([(head + 1) * classes, head * classes, 1, 0, head * (size[0] * size[1] + 1)])
    return fixed + _conv(c * head, size, head) + classifier, tables


def _layer(c_in: int, c_out: int, expansion: int, kernel: int, excites: int, size: tuple[int, int], after: tuple[int, int]) -> np.ndarray:
    wide, squeezed = round8(c_in * expansion), max(1, c_in // 4)
    counted = _conv(kernel * kernel * wide, after, wide) + _conv(wide * c_out, after, c_out)
    if wide != c_in:
        counted += _conv(c_in * wide, size, wide)
    if excites:
        kernels = 2 * wide * squeezed
        counted += np.array([kernels + wide + squeezed, kernels, 2, 0, wide * (after[0] * after[1] + 1)])
    return counted


def _conv(kernel: int, size: tuple[int, int], channels: int) -> np.ndarray:
    """A convolution with so many weights and maps of this size, and its normalisation."""
    pixels = size[0] * size[1]
    return np.array([kernel + 2 * channels, kernel * pixels, 1, channels * pixels, 0])
