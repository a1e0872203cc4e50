"""Accel-NASBench's architectures without their networks: genes and official strings; numpy only.

An architecture is seven blocks, each written `e6k3l1s0`: expansion e, kernel size k, layers l, squeeze-and-excitation s; a "-" joins them.
Genes int32 `[28]`: for each block, expansion (1, 4, 6), kernel (3, 5), layers (1, 2, 3; the sixth block also 4) and squeeze-and-excitation
(no, yes), each as the number of its value.
"""

import re
from typing import NamedTuple

import numpy as np

from jaxzc.spacekit.vectors import check_vector
from jaxzc.types import Genes, JaxzcError

EXPANSIONS, KERNELS = (1, 4, 6), (3, 5)
DEPTHS = (3, 3, 3, 3, 3, 4, 3)
"""The most layers of each block."""
BLOCKS = len(DEPTHS)
CHOICES = tuple(count for depth in DEPTHS for count in (len(EXPANSIONS), len(KERNELS), depth, 2))
EXAMPLE = "e1k3l1s0-e4k3l2s0-e6k5l2s1-e6k3l3s0-e6k5l3s1-e6k5l4s1-e6k3l1s1"


class Block(NamedTuple):
    """expansion: of the channels inside. kernel: size of the depthwise convolutions. layers: their number. excites: whether each has
    squeeze-and-excitation."""

    expansion: int
    kernel: int
    layers: int
    excites: bool


def blocks(arch: Genes) -> tuple[Block, ...]:
    """The blocks of genes int `[28]`. Raises `JaxzcError` for invalid genes."""
    rows = check_vector(CHOICES, arch).reshape(BLOCKS, 4).tolist()
    return tuple(Block(EXPANSIONS[e], KERNELS[k], depth + 1, bool(s)) for e, k, depth, s in rows)


def parse(text: str) -> np.ndarray:
    """The genes int32 `[28]` of an official string. Raises `JaxzcError` that quotes the string and the block that is wrong."""
    words = text.strip().split("-") if isinstance(text, str) else []
    if len(words) != BLOCKS:
        raise JaxzcError(f"{text!r} is no Accel-NASBench architecture: expected {BLOCKS} blocks joined by '-', as in {EXAMPLE}")
    genes = []
    for word, depth in zip(words, DEPTHS, strict=True):
        match = re.fullmatch(r"e([146])k([35])l(\d)s([01])", word)
        if not match or not 1 <= int(match[3]) <= depth:
            raise JaxzcError(
                f"{text!r} is no Accel-NASBench architecture: block {len(genes) // 4} is {word!r}; expected e and 1, 4 or 6, k and 3 or 5, "
                f"l and 1 to {depth}, s and 0 or 1, as in e6k3l1s0"
            )
        e, k, layers, s = map(int, match.groups())
        genes += [EXPANSIONS.index(e), KERNELS.index(k), layers - 1, s]
    return np.array(genes, np.int32)


def to_string(arch: Genes) -> str:
    """The official string of genes int `[28]`; the inverse of `parse`. Raises `JaxzcError` for invalid genes."""
    return "-".join(f"e{b.expansion}k{b.kernel}l{b.layers}s{int(b.excites)}" for b in blocks(arch))
