"""Networks as chains of "super blocks", written as the strings of Zen-NAS and ZiCo: what a block is, and how strings are read.

A string is `KIND(in,out,stride,layers)` for plain convolutions and `KIND(in,out,stride,bottleneck,layers)` for residual blocks, one after
another. Source: Lin et al., Zen-NAS, ICCV 2021, and ZiCo's code.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from jaxzc.types import JaxzcError

KINDS = {
    **{f"SuperConvK{k}BNRELU": ("conv", k, 0) for k in (1, 3, 5, 7)},
    **{f"SuperResK{k}K{k}": ("basic", k, 0) for k in (3, 5, 7)},
    **{f"SuperResK1K{k}K1": ("bottleneck", k, 0) for k in (3, 5, 7)},
    **{f"SuperResIDWE{e}K{k}": ("inverted", k, e) for e in (1, 2, 4, 6) for k in (3, 5, 7)},
}
"""Name -> (form, kernel size, expansion). Forms: `conv`; `basic`, two k x k convolutions; `bottleneck`, two of 1x1, k x k, 1x1;
`inverted`, two inverted bottlenecks with a depthwise k x k convolution."""


class Block(NamedTuple):
    """kind: a name of `KINDS`. c_in, c_out: channels. stride: of its first sub-layer. bottleneck: channels inside (0 for `conv`).
    layers: sub-layers."""

    kind: str
    c_in: int
    c_out: int
    stride: int
    bottleneck: int
    layers: int

    @property
    def form(self) -> str:
        return KINDS[self.kind][0]

    @property
    def kernel(self) -> int:
        return KINDS[self.kind][1]

    @property
    def expansion(self) -> int:
        return KINDS[self.kind][2]

    def __str__(self) -> str:
        inside = () if self.form == "conv" else (self.bottleneck,)
        return f"{self.kind}({','.join(map(str, (self.c_in, self.c_out, self.stride, *inside, self.layers)))})"


class Unit(NamedTuple):
    """One residual unit of a block: its convolutions as (name, kernel size, channels out, stride, depthwise), and whether the shortcut is
    a projection (always so for a block's first unit) or the identity. Source: the authors' code."""

    path: tuple[str, ...]
    c_in: int
    convolutions: tuple[tuple[str, int, int, int, bool], ...]
    projection: bool
    stride: int

    @property
    def c_out(self) -> int:
        return self.convolutions[-1][2]


def round8(channels: float) -> int:
    """The nearest multiple of 8 (of two, the one whose eighth is even), at least 8."""
    return max(8, 8 * round(channels / 8))


def units(block: Block) -> list[Unit]:
    """The residual units of a block that is no plain convolution, in order."""
    sequence: list[Unit] = []
    c, k, e = block.c_in, block.kernel, block.expansion
    for layer in range(block.layers):
        s = block.stride if layer == 0 else 1
        inside, out = block.bottleneck, block.c_out
        if block.form == "basic":
            parts = {(): (("conv0", k, inside, s, False), ("conv1", k, out, 1, False))}
        elif block.form == "bottleneck":
            parts = {
                (name,): (("conv0", 1, inside, 1, False), ("conv1", k, inside, stride, False), ("conv2", 1, out, 1, False))
                for name, stride in (("a", s), ("b", 1))
            }
        else:
            parts = {
                (name,): (
                    ("expand", 1, round8(width * e), 1, False),
                    ("depthwise", k, round8(width * e), stride, True),
                    ("project", 1, width, 1, False),
                )
                for name, width, stride in (("a", inside, s), ("b", out, 1))
            }
        for path, convolutions in parts.items():
            stride, width = max(part[3] for part in convolutions), convolutions[-1][2]
            sequence.append(Unit((f"sub{layer}", *path), c, convolutions, not sequence or stride > 1 or width != c, stride))
            c = width
    return sequence


def parse_blocks(text: str, colours: int) -> list[Block]:
    """The blocks of a string; widths must follow from one block to the next, the first reading `colours` channels.

    Raises `JaxzcError` that quotes what cannot be read."""
    blocks: list[Block] = []
    rest = text.strip() if isinstance(text, str) else ""
    while rest or not blocks:
        match = re.match(r"(\w+)\((\d{1,6}(?:,\d{1,6})*)\)", rest)
        if not match or match[1] not in KINDS:
            known = "SuperConvK3BNRELU(in,out,stride,layers) or SuperResIDWE6K3(in,out,stride,bottleneck,layers)"
            raise JaxzcError(f"{text!r} is no chain of blocks: cannot read {rest[:60]!r}; expected a block such as {known}")
        rest = rest[match.end() :]
        numbers = [int(number) for number in match[2].split(",")]
        wanted = 4 if KINDS[match[1]][0] == "conv" else 5
        if len(numbers) != wanted or min(numbers) < 1:
            raise JaxzcError(f"{text!r} is no chain of blocks: {match[0]} has {numbers}; expected {wanted} positive numbers")
        c_in, c_out, stride, *inside, layers = numbers
        before = blocks[-1].c_out if blocks else colours
        if c_in != before:
            raise JaxzcError(f"{text!r} is no chain of blocks: {match[0]} reads {c_in} channels; expected {before}, what comes before it")
        blocks.append(Block(match[1], c_in, c_out, stride, inside[0] if inside else 0, layers))
    return blocks


def print_blocks(blocks: Sequence[Block]) -> str:
    return "".join(map(str, blocks))
