"""NAS-Bench-ASR's architectures without their networks: genes, official strings, what two codes read in them; numpy only.

An architecture is three nodes. A node has an operation, which reads the node before it, and a bit for every earlier value, the cell's input
first, which is added behind the operation if the bit is 1: `[[1, 0], [1, 0, 0], [1, 0, 0, 0]]`. Genes int32 `[9]` are the same numbers one
after another. Source: Mehrotra et al., NAS-Bench-ASR, ICLR 2021, and the authors' code.
"""

import json
from typing import Any

import numpy as np

from jaxzc.spacekit.vectors import check_vector
from jaxzc.types import Genes, JaxzcError

OPS = ("linear", "conv5", "conv5d2", "conv7", "conv7d2", "zero")
"""Operations by their genes: a linear layer for each frame; convolutions over 5 or 7 frames, also with dilation 2; zeros."""
LINEAR, ZERO = OPS.index("linear"), OPS.index("zero")
CONVOLUTIONS = {1: (5, 1), 2: (5, 2), 3: (7, 1), 4: (7, 2)}
"""Gene of a convolution -> its size and dilation."""
NODES = 3
CHOICES = (len(OPS), 2, len(OPS), 2, 2, len(OPS), 2, 2, 2)
OP_GENES = (0, 2, 5)
"""The genes that are operations."""
EXAMPLE = "[[1, 0], [1, 0, 0], [1, 0, 0, 0]]"

SEMANTICS = ("torch", "tensorflow")
_SAME = tuple(range(len(OPS)))
_READ = {"torch": (_SAME, _SAME), "tensorflow": ((0, 1, 1, 3, 3, 5), (1, 0, *_SAME[2:]))}
"""What each of the authors' two codes makes of an operation and of a bit. TensorFlow's drops the dilation, and its bit 1 is no skip."""

Node = tuple[int, tuple[int, ...]]
"""An operation, and the bits of the values before it, the cell's input first."""


def reading(semantics: str) -> np.ndarray:
    """int32 `[9, 6]`: what a code makes of each gene's values, as genes that PyTorch's code reads."""
    ops, bits = _READ[semantics]
    return np.array([ops if gene in OP_GENES else bits for gene in range(len(CHOICES))], np.int32)


def as_read(semantics: str, archs: np.ndarray) -> np.ndarray:
    """Architectures int `[..., 9]` as PyTorch's code would have to be told them, so that it builds what this one builds."""
    return reading(semantics)[np.arange(len(CHOICES)), archs]


def nodes(arch: Genes) -> tuple[Node, ...]:
    """The nodes of genes int `[9]`. Raises `JaxzcError` for invalid genes."""
    row = check_vector(CHOICES, arch).tolist()
    return tuple((row[first], tuple(row[first + 1 : first + 2 + number])) for number, first in enumerate(OP_GENES))


def parse(text: str) -> np.ndarray:
    """The genes int32 `[9]` of an official vector, a list of lists. Raises `JaxzcError` that quotes what is wrong."""
    try:
        parsed: Any = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        parsed = None
    rows: list[Any] = parsed if isinstance(parsed, list) else []
    lengths = [len(row) if isinstance(row, list) else -1 for row in rows]
    if lengths != [2, 3, 4] or not all(isinstance(gene, int) and not isinstance(gene, bool) for row in rows for gene in row):
        raise JaxzcError(f"{text!r:.80} is no NAS-Bench-ASR architecture: expected three lists of 2, 3 and 4 integers, as in {EXAMPLE}")
    return check_vector(CHOICES, [gene for row in rows for gene in row])


def to_string(arch: Genes) -> str:
    """The official vector of genes int `[9]`; the inverse of `parse`."""
    return json.dumps([[op, *bits] for op, bits in nodes(arch)])
