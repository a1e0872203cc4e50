"""AutoFormer's architectures without their networks: genes and strings; numpy only.

An architecture is a width for the whole network, a depth, and for each layer a number of heads and a ratio of its feed-forward part. It is
written `E192-H3.4.3-M40.35.40`: width, heads of each layer, ten times the ratio of each. Genes are int32, see `transformers.depth`: numbers
of the width, of the depth, and of heads and ratio of each layer.
"""

import re
from typing import NamedTuple

import numpy as np

from jaxzc.spacekit.vectors import check_vector
from jaxzc.types import Genes, JaxzcError
from jaxzc_spaces.transformers.depth import VariableDepth


class Architecture(NamedTuple):
    """width: of the network. heads, tenths: for each layer."""

    width: int
    heads: tuple[int, ...]
    tenths: tuple[int, ...]


class Menu(NamedTuple):
    """What there is to choose from. tenths: ratios of the feed-forward part's width to the network's, ten times."""

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    heads: tuple[int, ...]
    tenths: tuple[int, ...]

    @property
    def vectors(self) -> VariableDepth:
        return VariableDepth(len(self.widths), self.depths, (len(self.heads), len(self.tenths)))

    def architecture(self, arch: Genes) -> Architecture:
        """What genes `[genes]` stand for. Raises `JaxzcError` for invalid genes."""
        genes = check_vector(self.vectors.choices, arch)
        layers = genes[2 : 2 + 2 * self.vectors.depth(genes)].tolist()
        return Architecture(self.widths[genes[0]], tuple(self.heads[g] for g in layers[::2]), tuple(self.tenths[g] for g in layers[1::2]))

    def parse(self, text: str) -> np.ndarray:
        """The genes int32 of a string. Raises `JaxzcError` that quotes the string and what is wrong."""
        match = re.fullmatch(r"E(\d+)-H(\d+(?:\.\d+)*)-M(\d+(?:\.\d+)*)", text.strip(), re.ASCII) if isinstance(text, str) else None
        if match is None:
            raise JaxzcError(
                f"{text!r} is no AutoFormer architecture: expected width, heads and ten times the ratios, as in E192-H3.4-M40.35"
            )
        heads, tenths = (list(map(int, part.split("."))) for part in match.groups()[1:])
        if len(heads) != len(tenths):
            raise JaxzcError(f"{text!r} has {len(heads)} layers by its heads and {len(tenths)} by its ratios: expected as many of both")
        genes = np.zeros(len(self.vectors.choices), np.int32)
        genes[:2] = _number("a width of", int(match[1]), self.widths, text), _number("a depth of", len(heads), self.depths, text)
        for layer, (h, m) in enumerate(zip(heads, tenths, strict=True)):
            genes[2 + 2 * layer] = _number(f"in layer {layer} heads", h, self.heads, text)
            genes[3 + 2 * layer] = _number(f"in layer {layer} a ratio times ten of", m, self.tenths, text)
        return genes

    def to_string(self, arch: Genes) -> str:
        """The string of genes; the inverse of `parse`. Raises `JaxzcError` for invalid genes."""
        width, heads, tenths = self.architecture(arch)
        return f"E{width}-H{'.'.join(map(str, heads))}-M{'.'.join(map(str, tenths))}"


SIZES = {
    "tiny": Menu((192, 216, 240), (12, 13, 14), (3, 4), (35, 40)),
    "small": Menu((320, 384, 448), (12, 13, 14), (5, 6, 7), (30, 35, 40)),
    "base": Menu((528, 576, 624), (14, 15, 16), (9, 10), (30, 35, 40)),
}
"""The published spaces, in the order of size. (Base has 8 heads in one of the authors' files besides, that of its best subnet.)"""


def _number(what: str, value: int, values: tuple[int, ...], text: str) -> int:
    if value not in values:
        raise JaxzcError(f"{text!r} has {what} {value}: expected one of {', '.join(map(str, values))}, which this space has")
    return values.index(value)
