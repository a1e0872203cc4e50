"""What of a NAS-Bench-101 cell is data in a program that it shares (its edges and operations), and what shapes the program (`Layout`)."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxzc.types import Array
from jaxzc_spaces.nasbench101.encoding import EDGES, VERTICES

INTERIOR = tuple(range(1, VERTICES - 1))
OUTPUT = VERTICES - 1
PLACES = np.array([[[(x, y) == edge for y in range(VERTICES)] for x in range(VERTICES)] for edge in EDGES])
"""Of each edge's gene, its place in the matrix, bool `[21, 7, 7]`."""


class Cell(NamedTuple):
    """A pruned cell, traced. edges: bool `[7, 7]`; live: bool `[7]`, whether a vertex is on a path from the input to the output; ops: int
    `[7]`, -1 at both ends."""

    edges: Array
    live: Array
    ops: Array


def cell(genes: Array) -> Cell:
    """The pruned cell of traced genes `[26]`; as `nasbench101_encoding.pruned`."""
    edges = ((genes[: len(EDGES)] > 0)[:, None, None] & PLACES).any(0)
    fed, feeds = jnp.arange(VERTICES) == 0, jnp.arange(VERTICES) == OUTPUT
    for _ in range(VERTICES - 1):
        fed, feeds = fed | (edges & fed[:, None]).any(0), feeds | (edges & feeds[None]).any(1)
    live = fed & feeds
    return Cell(edges & live[:, None] & live[None], live, jnp.pad(genes[len(EDGES) :], 1, constant_values=-1))


class Layout(NamedTuple):
    """Shapes of one stack. parts: how many vertices share the output's `channels`; widths: channels of the interior vertices."""

    parts: int
    channels: int
    widths: tuple[int, ...]

    @property
    def classes(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """(width, the vertices that have it), widest first."""
        return tuple((w, tuple(v for v in INTERIOR if self.width(v) == w)) for w in sorted(set(self.widths), reverse=True))

    def width(self, vertex: int) -> int:
        return self.widths[vertex - 1]

    def place(self, vertex: int) -> tuple[int, int]:
        """The vertex's class and its number there."""
        return next((k, members.index(vertex)) for k, (_, members) in enumerate(self.classes) if vertex in members)

    def slots(self) -> list[tuple[int, list[int]]]:
        """Width and possible vertices of each part of the output."""
        base, extra = divmod(self.channels, self.parts)
        sizes = [base + (k < extra) for k in range(self.parts)]
        return [(size, [v for v in INTERIOR if v > k and self.width(v) == size]) for k, size in enumerate(sizes)]


def layouts(key: Sequence[int], channels: int) -> list[Layout]:
    """The three stacks of a row of `NasBench101.program_keys`."""
    parts, *widths = key
    return [Layout(parts, channels << stack, tuple(row)) for stack, row in enumerate(np.reshape(widths, (3, -1)).tolist())]
