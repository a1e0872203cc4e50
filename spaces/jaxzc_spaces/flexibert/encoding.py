"""FlexiBERT's architectures without their networks: genes and strings; numpy only.

An architecture is a hidden size, two or four layers, and for each an operator, heads, the width and the number of its feed-forward layers.
It is written `H256|SA:WMA:h4:ff1024:n3|LT:DCT:h2:ff512:n3`. Genes are int32, see `transformers.depth`: numbers of the hidden size, of the
depth, and of operator, heads, width and number of each layer.
"""

import re
from typing import NamedTuple

import numpy as np

from jaxzc.spacekit.vectors import check_vector
from jaxzc.types import Genes, JaxzcError
from jaxzc_spaces.transformers.depth import VariableDepth

OPERATORS = ("SA:SDP", "SA:WMA", "LT:DFT", "LT:DCT", "DSC:5", "DSC:9")
"""Self-attention with scaled dot products or with a weight matrix between; linear transforms; span-based dynamic convolution of 5 or 9."""
DEPTHS, HEADS, NUMBERS = (2, 4), (2, 4), (1, 3)


class Layer(NamedTuple):
    """operator: of `OPERATORS`. heads: their number. width: of the feed-forward layers. number: of these, without the last."""

    operator: str
    heads: int
    width: int
    number: int


class Architecture(NamedTuple):
    hidden: int
    layers: tuple[Layer, ...]


class Menu(NamedTuple):
    """hidden: hidden sizes. widths: of feed-forward layers."""

    hidden: tuple[int, ...]
    widths: tuple[int, ...]

    @property
    def vectors(self) -> VariableDepth:
        return VariableDepth(len(self.hidden), DEPTHS, (len(OPERATORS), len(HEADS), len(self.widths), len(NUMBERS)))

    def architecture(self, arch: Genes) -> Architecture:
        """What genes `[18]` stand for. Raises `JaxzcError` for invalid genes."""
        genes = check_vector(self.vectors.choices, arch)
        rows = genes[2:].reshape(-1, 4)[: self.vectors.depth(genes)].tolist()
        return Architecture(self.hidden[genes[0]], tuple(Layer(OPERATORS[o], HEADS[h], self.widths[w], NUMBERS[n]) for o, h, w, n in rows))

    def parse(self, text: str) -> np.ndarray:
        """The genes int32 `[18]` of a string. Raises `JaxzcError` that quotes the string and what is wrong."""
        first, *words = text.strip().split("|") if isinstance(text, str) else [""]
        example = "as in H256|SA:WMA:h4:ff1024:n3|LT:DCT:h2:ff512:n3"
        size = re.fullmatch(r"H(\d+)", first, re.ASCII)
        if size is None or int(size[1]) not in self.hidden or len(words) not in DEPTHS:
            sizes, depths = (" or ".join(map(str, values)) for values in (self.hidden, DEPTHS))
            raise JaxzcError(f"{text!r} is no FlexiBERT architecture: expected H and {sizes}, and {depths} layers behind '|', {example}")
        genes = np.zeros(len(self.vectors.choices), np.int32)
        genes[:2] = self.hidden.index(int(size[1])), DEPTHS.index(len(words))
        for layer, word in enumerate(words):
            match = re.fullmatch(r"(\w+:\w+):h(\d+):ff(\d+):n(\d+)", word, re.ASCII)
            values = (match[1], *map(int, match.groups()[1:])) if match else ()
            known = OPERATORS, HEADS, self.widths, NUMBERS
            if not match or any(value not in of for value, of in zip(values, known, strict=True)):
                lists = "; ".join(
                    f"{name} {', '.join(map(str, of))}" for name, of in zip(("operators", "h", "ff", "n"), known, strict=True)
                )
                raise JaxzcError(f"{text!r}: layer {layer} is {word!r}: expected one of each of {lists}, {example}")
            genes[2 + 4 * layer : 6 + 4 * layer] = [of.index(value) for value, of in zip(values, known, strict=True)]  # type: ignore[arg-type]
        return genes

    def to_string(self, arch: Genes) -> str:
        """The string of genes; the inverse of `parse`. Raises `JaxzcError` for invalid genes."""
        hidden, layers = self.architecture(arch)
        return "|".join([f"H{hidden}", *(f"{of.operator}:h{of.heads}:ff{of.width}:n{of.number}" for of in layers)])
