"""Exact parameters, multiply-accumulates and layers of NAS-Bench-NLP's networks, by arithmetic."""

from collections.abc import Sequence

import numpy as np

from jaxzc.types import Counts, Genes
from jaxzc_spaces.nasbench_nlp.encoding import LINEAR, X, cell_of


def widths(emsize: int, nhid: int, layers: int, tied: bool) -> tuple[tuple[int, int], ...]:
    """(inputs, hidden units) of each layer. With tied weights the last one has as many units as the embedding."""
    units = [nhid] * (layers - 1) + [emsize if tied else nhid]
    return tuple(zip([emsize, *units[:-1]], units, strict=True))


def network_counts(archs: Sequence[Genes], sizes: Sequence[tuple[int, int]], emsize: int, tied: bool, words: int, steps: int) -> Counts:
    """Of architectures int `[n, 99]`. sizes: of `widths`. steps: tokens of one example, for each of which every layer runs once.

    A linear node has a matrix for each input, which is a layer, and one bias. The decoder is a layer, too, and with tied weights no
    parameters but its bias."""
    last = sizes[-1][1]
    fixed = np.array([words * emsize + words + (0 if tied else last * words), last * words, 1], np.int64)
    rows = [fixed + sum(_layer(*linear_inputs(arch), *size) for size in sizes) for arch in archs]
    params, macs, layers = np.array(rows, np.int64).reshape(-1, 3).T
    return Counts(params, steps * macs, layers)


def linear_inputs(arch: Genes) -> tuple[int, int, int]:
    """Numbers of linear nodes, of their inputs that are x, and of their other inputs."""
    linear = [node for node in cell_of(arch).nodes if node.op == LINEAR]
    of_x = sum(X in node.inputs for node in linear)
    return len(linear), of_x, sum(len(node.inputs) for node in linear) - of_x


def _layer(nodes: int, of_x: int, of_hidden: int, wide: int, units: int) -> np.ndarray:
    weights = of_x * wide * units + of_hidden * units * units
    return np.array([weights + nodes * units, weights, of_x + of_hidden], np.int64)
