"""TransNAS-Bench-101 without its networks: genes, official strings and exact counts of its cell-level and macro-level spaces; numpy only.

Strings are `C-MACRO-CELL`: the width C of the first layer, one digit a layer (1 nothing, 2 doubles the width, 3 halves the image, 4 both),
and the cell. The benchmark's C is 64; strings are printed with it and read with any, for the width is an option of our spaces. Source: Duan
et al., TransNAS-Bench-101, CVPR 2021, section 3.
"""

import functools
from typing import Any

import numpy as np

from jaxzc.spacekit.vectors import check_vector, check_vectors, enumerate_vectors
from jaxzc.types import Counts, Genes, JaxzcError
from jaxzc_spaces.cells import isomorphism as cell_isomorphism
from jaxzc_spaces.cells.isomorphism import IDENTITY, LAYER, NOTHING
from jaxzc_spaces.nasbench201.encoding import EDGES

WIDTH = 64
MICRO = "41414"
ZERO, SKIP, CONV1, CONV3 = range(4)
MICRO_CHOICES = (4,) * len(EDGES)
LAYERS, ABSENT = 6, 4
MACRO_CHOICES = (4, 4, 4, 4, 5, 5)
"""Genes of the macro space: the digit of each layer less 1; 4 for a fifth or sixth layer that is not there."""


def _body(text: Any, space: str, form: str) -> tuple[str, str]:
    """MACRO and CELL of an official string."""
    words = text.strip().split("-") if isinstance(text, str) else []
    if len(words) != 3 or not words[0].isdecimal() or int(words[0]) < 1:
        raise malformed(text, space, "it is not a width, a macro string and a cell separated by '-'", form)
    return words[1], words[2]


def malformed(text: Any, space: str, wrong: str, expected: str) -> JaxzcError:
    return JaxzcError(f"{text!r} is no TransNAS-Bench-101 {space} architecture: {wrong}; expected {expected}")


def parse_micro(text: str) -> np.ndarray:
    """The genes `[6]` of `64-41414-a_bc_def`: the operations (0 none, 1 skip, 2 conv 1x1, 3 conv 3x3) on the edges 0->1 | 0->2, 1->2 |
    0->3, 1->3, 2->3. Raises `JaxzcError` that quotes the string."""
    form = f"{WIDTH}-{MICRO}-a_bc_def with digits 0 to 3"
    macro, cell = _body(text, "cell", form)
    if macro != MICRO:
        raise malformed(text, "cell", f"its macro string is {macro!r}", f"{MICRO}, which all cells of the benchmark have")
    nodes = cell.split("_")
    if [len(node) for node in nodes] != [1, 2, 3] or not set("".join(nodes)) <= set("0123"):
        raise malformed(text, "cell", f"its cell is {cell!r}", form)
    return np.array([int(digit) for digit in "".join(nodes)], np.int32)


def micro_to_string(arch: Genes) -> str:
    """The official string of the genes int `[6]`; the inverse of `parse_micro`."""
    digits = "".join(map(str, check_vector(MICRO_CHOICES, arch).tolist()))
    return f"{WIDTH}-{MICRO}-{digits[0]}_{digits[1:3]}_{digits[3:]}"


@functools.cache
def micro_networks() -> np.ndarray:
    """int32 `[4096, 6]`: for every cell, in lexicographic order, the first one that is the same network with weights drawn anew."""
    entering, inner = ([NOTHING, skip, LAYER, LAYER] for skip in (LAYER, IDENTITY))
    kinds = [entering if source == 0 else inner for source, _ in EDGES]
    return cell_isomorphism.networks(MICRO_CHOICES, EDGES, kinds)


def parse_macro(text: str) -> np.ndarray:
    """The genes int32 `[6]` of `64-MACRO-basic`, four to six digits from 1 to 4. Raises `JaxzcError` that quotes the string.

    Strings that the benchmark leaves out (see `in_benchmark`) are read as well: their networks exist."""
    form = f"{WIDTH}-MACRO-basic with four to six digits from 1 to 4"
    macro, cell = _body(text, "macro", form)
    if cell != "basic":
        raise malformed(text, "macro", f"its cell is {cell!r}", form)
    if not 4 <= len(macro) <= LAYERS or not set(macro) <= set("1234"):
        raise malformed(text, "macro", f"its macro string is {macro!r}", form)
    return np.array([*(int(digit) - 1 for digit in macro), *[ABSENT] * (LAYERS - len(macro))], np.int32)


def macro_to_string(arch: Genes) -> str:
    """The official string of the genes int `[6]`; the inverse of `parse_macro`."""
    genes = check_macro(np.asarray(arch)[None])[0]
    return f"{WIDTH}-{''.join(str(gene + 1) for gene in genes.tolist() if gene != ABSENT)}-basic"


def check_macro(archs: Genes) -> np.ndarray:
    """`archs` as int32 `[n, 6]`; raises `JaxzcError` for invalid genes and for a sixth layer without a fifth."""
    genes = check_vectors(MACRO_CHOICES, archs)
    if ((genes[:, 4] == ABSENT) & (genes[:, 5] != ABSENT)).any():
        wrong = genes[(genes[:, 4] == ABSENT) & (genes[:, 5] != ABSENT)][0]
        raise JaxzcError(f"genes {wrong.tolist()} have a sixth layer and no fifth; expected gene 5 to be {ABSENT}")
    return genes


def widens(genes: np.ndarray) -> np.ndarray:
    """Which layers double the width, bool `[n, 6]`."""
    return (genes == 1) | (genes == 3)


def strides(genes: np.ndarray) -> np.ndarray:
    """Which layers halve the image, bool `[n, 6]`."""
    return (genes == 2) | (genes == 3)


def in_benchmark(archs: Genes) -> np.ndarray:
    """Which of `archs` int `[n, 6]` the space holds, bool `[n]`: one to three layers double the width, one to four halve the image."""
    genes = check_vectors(MACRO_CHOICES, archs)
    wide, small = widens(genes).sum(1), strides(genes).sum(1)
    ordered = (genes[:, 4] != ABSENT) | (genes[:, 5] == ABSENT)
    return ordered & (wide >= 1) & (wide <= 3) & (small >= 1) & (small <= 4)


def all_macros() -> np.ndarray:
    """The macro space, int32 `[3256, 6]`, in lexicographic order."""
    everything = enumerate_vectors(MACRO_CHOICES)
    return everything[in_benchmark(everything)]


class _Sum:
    """Running totals of params, flops and layers while a network is walked through; every entry a number or int64 `[n]`."""

    def __init__(self, n: int, channels: int, classes: int, image_shape: tuple[int, ...]):
        height, width, colours = image_shape
        self.params, self.flops, self.layers = (np.zeros(n, np.int64) for _ in range(3))
        self.classes, self.height, self.width = classes, np.full(n, height), np.full(n, width)
        for c_in, c in ((colours, channels // 2), (channels // 2, channels)):
            self.halve(np.ones(n, bool))
            self.conv(9 * c_in * c, c)

    def halve(self, where: np.ndarray) -> None:
        self.height, self.width = (np.where(where, (size + 1) // 2, size) for size in (self.height, self.width))

    def conv(self, kernel: Any, c: Any, times: Any = 1, layers: Any = 1) -> None:
        """`times` normalised convolutions with kernels of this size; a factorised one has two `layers`."""
        self.params += times * (kernel + 2 * c)
        self.flops += times * kernel * self.height * self.width
        self.layers += times * layers

    def counts(self, c: Any) -> Counts:
        head = c * self.classes
        return Counts(self.params + head + self.classes, self.flops + head, self.layers + 1)


def micro_counts(archs: Genes, channels: int, classes: int, image_shape: tuple[int, ...]) -> Counts:
    """Exact counts, int64 `[n]` each, for cells int `[n, 6]`; channels: the width of the first layer, 64 in the benchmark.

    params: every trainable parameter: convolutions (no bias), normalisation (scale and shift), linear layer (with bias). flops:
    multiply-accumulates of convolutions and the linear layer for one image. layers: convolutions and the linear layer. All include
    operations that have no effect: the network evaluates them.
    """
    genes = check_vectors(MICRO_CHOICES, archs)
    entering = np.array([source == 0 for source, _ in EDGES])
    total, c = _Sum(len(genes), channels, classes, image_shape), channels

    def number(op: int, edges: np.ndarray) -> np.ndarray:
        return (genes[:, edges] == op).sum(1)

    for digit in MICRO:
        for block in range(2):
            plain = np.ones_like(entering)
            if block == 0 and digit == "4":
                c_in, c, plain = c, 2 * c, ~entering
                total.halve(np.ones(len(genes), bool))
                for op, size, layers in ((SKIP, 1, 2), (CONV1, 1, 1), (CONV3, 9, 1)):
                    total.conv(size * c_in * c, c, number(op, entering), layers)
            for op, size in ((CONV1, 1), (CONV3, 9)):
                total.conv(size * c * c, c, number(op, plain))
    return total.counts(c)


def macro_counts(archs: Genes, channels: int, classes: int, image_shape: tuple[int, ...]) -> Counts:
    """As `micro_counts`, for macro architectures int `[n, 6]`."""
    genes = check_macro(archs)
    total, c = _Sum(len(genes), channels, classes, image_shape), np.full(len(genes), channels, np.int64)
    for layer in range(LAYERS):
        here = (genes[:, layer] != ABSENT).astype(np.int64)
        wide, small = widens(genes)[:, layer], strides(genes)[:, layer]
        c_in, c = c, np.where(wide, 2 * c, c)
        total.halve(small)
        total.conv(9 * c_in * c, c, here)
        total.conv(9 * c * c, c, 3 * here)
        total.conv(c_in * c, c, here * (wide | small))
    return total.counts(c)
