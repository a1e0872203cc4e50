"""PiT's architectures without their networks: genes and strings; numpy only.

An architecture is the width of a head, the layers and the heads of each of three stages, and one ratio of the feed-forward parts. It is
written `B16-D2.8.4-H2.4.4-M60`: width of a head, layers, heads, ten times the ratio. Genes int32 `[4]`: the numbers of these four.
"""

import re
from typing import NamedTuple

import numpy as np

from jaxzc.spacekit.vectors import check_vector
from jaxzc.types import Genes, JaxzcError

STAGES = 3
Stages = tuple[int, int, int]


class Architecture(NamedTuple):
    """base: width of a head. depths, heads: of each stage. ratio: of the feed-forward parts."""

    base: int
    depths: Stages
    heads: Stages
    ratio: int

    @property
    def widths(self) -> Stages:
        """Of each stage."""
        first, second, third = (self.base * heads for heads in self.heads)
        return first, second, third


class Menu(NamedTuple):
    """What there is to choose from: widths of a head, layers of the stages, their heads, and ratios of the feed-forward parts."""

    bases: tuple[int, ...]
    depths: tuple[Stages, ...]
    heads: tuple[Stages, ...]
    ratios: tuple[int, ...]

    @property
    def choices(self) -> tuple[int, ...]:
        return tuple(map(len, self))

    def architecture(self, arch: Genes) -> Architecture:
        """What genes `[4]` stand for. Raises `JaxzcError` for invalid genes."""
        base, depth, heads, ratio = check_vector(self.choices, arch).tolist()
        return Architecture(self.bases[base], self.depths[depth], self.heads[heads], self.ratios[ratio])

    def parse(self, text: str) -> np.ndarray:
        """The genes int32 `[4]` of a string. Raises `JaxzcError` that quotes the string and what is wrong."""
        three = r"(\d+\.\d+\.\d+)"
        match = re.fullmatch(rf"B(\d+)-D{three}-H{three}-M(\d+)0", text.strip(), re.ASCII) if isinstance(text, str) else None
        if match is None:
            raise JaxzcError(
                f"{text!r} is no PiT architecture: expected the width of a head, layers and heads of three stages, and ten times the "
                "ratio, as in B16-D2.8.4-H2.4.4-M60"
            )
        depths, heads = (tuple(map(int, part.split("."))) for part in match.groups()[1:3])
        values = int(match[1]), depths, heads, int(match[4])
        for name, value, known in zip(("widths of a head", "layers", "heads", "ratios"), values, self, strict=True):
            if value not in known:
                raise JaxzcError(f"{text!r}: the {name} of this space are {', '.join(map(str, known))}, and {value} is none of them")
        return np.array([known.index(value) for value, known in zip(values, self, strict=True)], np.int32)

    def to_string(self, arch: Genes) -> str:
        """The string of genes `[4]`; the inverse of `parse`. Raises `JaxzcError` for invalid genes."""
        of = self.architecture(arch)
        return "B{}-D{}.{}.{}-H{}.{}.{}-M{}0".format(of.base, *of.depths, *of.heads, of.ratio)


def stages(digits: str) -> Stages:
    """Of three digits such as "248"; raises `JaxzcError` for anything else."""
    if not re.fullmatch(r"[1-9]{3}", digits, re.ASCII):
        raise JaxzcError(f"pit: {digits!r}: expected a digit from 1 to 9 for each of three stages, as in '248'")
    first, second, third = map(int, digits)
    return first, second, third


PUBLISHED = Menu(
    (16, 24, 32, 40),
    tuple(map(stages, ("166", "184", "246", "264", "266", "282", "284", "346", "364", "382"))),
    tuple(map(stages, ("222", "224", "228", "244", "248", "288", "444", "448", "488", "888"))),
    (2, 4, 6, 8),
)
"""TF-TAS's space of tiny networks, which is Auto-Prox's."""
