"""Exact parameters, multiply-accumulates and layers of NAS-Bench-ASR's networks, by arithmetic."""

from typing import NamedTuple

import numpy as np

from jaxzc.spacekit.vectors import check_vectors
from jaxzc.types import Counts, Genes
from jaxzc_spaces.nasbench_asr.encoding import CHOICES, CONVOLUTIONS, LINEAR, OP_GENES, OPS, ZERO
from jaxzc_spaces.nasbench_asr.layers import BLOCK_KERNEL, STRIDES


class Sizes(NamedTuple):
    """Of a network: filters and cells of each block; groups of the cells' convolutions; units of the recurrent layer (0: there is none) and
    how many biases each of its gates has; outputs; frames and features of an example; the value at which activations are cut off."""

    filters: tuple[int, ...]
    cells: tuple[int, ...]
    groups: int
    units: int
    biases: int
    classes: int
    features: int
    clip: float


def frames(inputs: int) -> tuple[int, ...]:
    """Frames behind each block, of so many frames of the input."""
    lengths = []
    for stride in STRIDES:
        inputs = -(-inputs // stride)
        lengths.append(inputs)
    return tuple(lengths)


def network_counts(archs: Genes, sizes: Sizes, length: int) -> Counts:
    """Of architectures int `[n, 9]`, for `length` frames. The recurrent layer has two matrices, each a layer that runs once a frame."""
    ops = check_vectors(CHOICES, archs)[:, OP_GENES]
    counted, features = np.zeros((len(ops), 3), np.int64), sizes.features
    for f, cells, steps in zip(sizes.filters, sizes.cells, frames(length), strict=True):
        weights = np.zeros(len(OPS), np.int64)
        weights[LINEAR] = f * f
        for op, (size, _) in CONVOLUTIONS.items():
            weights[op] = size * (f // sizes.groups) * f
        present = np.arange(len(OPS)) != ZERO
        each = np.stack([weights + f * present, steps * weights, present], axis=1)
        counted += cells * each[ops].sum(1) + np.array([2 * f * (cells + 1), 0, 0])
        counted += _layer(BLOCK_KERNEL * features * f, f, steps)
        features = f
    steps = frames(length)[-1]
    if sizes.units:
        gates = 4 * sizes.units
        counted += _layer(features * gates, gates, steps) + _layer(sizes.units * gates, (sizes.biases - 1) * gates, steps)
    outputs = sizes.units or features
    counted += _layer(outputs * sizes.classes, sizes.classes, steps)
    return Counts(*counted.T)


def _layer(weights: int, biases: int, steps: int) -> np.ndarray:
    return np.array([weights + biases, steps * weights, 1], np.int64)
