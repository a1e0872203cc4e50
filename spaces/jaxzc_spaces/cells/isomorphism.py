"""Which cells with one operation on each edge are the same network with weights drawn anew: isomorphism of graphs of operations.

A cell's operations are the vertices of a graph: each reads the sum of some of the others and of the cell's input, and the cell gives such a
sum. Skip connections only add to these sums, and what reads nothing is zero and adds nothing. Two cells whose graphs differ in the order of
their vertices alone have equal weights in another place: their scores have one distribution, whatever reads the layers, and equal counts.
Official texts and strings are not that: they may take one convolution used twice for two, or leave out convolutions that nothing reads,
whose ReLUs count in naswot.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from jaxzc.spacekit.vectors import enumerate_vectors

NOTHING, IDENTITY, POOLING, LAYER = range(4)
"""What an operation is: zero, its operand, without weights and ReLUs (leaves no trace where nothing reads it), with them (leaves one)."""

INPUT = -1


class Vertex(NamedTuple):
    """An operation and what it reads: vertex, or `INPUT` -> how often."""

    op: int
    reads: dict[int, int]


def networks(choices: tuple[int, ...], edges: Sequence[tuple[int, int]], kinds: Sequence[Sequence[int]]) -> np.ndarray:
    """For every cell of a space, in lexicographic order of the genes, the first one that is the same network, int32 `[cells, edges]`,
    read-only.

    edges: (source node, target node) of each, ordered by target; node 0 is the cell's input, the highest its output.
    kinds: of each edge, what each operation is.
    """
    first: dict[Hashable, int] = {}
    numbers: dict[Hashable, int] = {}
    cells = enumerate_vectors(choices)
    table = cells[[first.setdefault(_form(genes, edges, kinds, numbers), row) for row, genes in enumerate(cells.tolist())]]
    table.flags.writeable = False
    return table


def _form(genes: Sequence[int], edges: Sequence[tuple[int, int]], kinds: Sequence[Sequence[int]], numbers: dict[Hashable, int]) -> Hashable:
    """A form that only isomorphic cells have. Colours of vertices are refined by the colours of what they read and of what reads them
    (Weisfeiler and Leman, 1968): as many rounds as there are vertices. numbers: of the colours met so far."""
    vertices, output, live = _graph(genes, edges, kinds)
    colour = {INPUT: -1} | {v: vertices[v].op for v in live}
    for _ in live:
        finer = {v: _described(v, vertices, output, live, colour) for v in live}
        colour = {INPUT: -1} | {v: numbers.setdefault(description, len(numbers)) for v, description in finer.items()}
    return tuple(sorted(colour[v] for v in live)), output[INPUT]


def _described(v: int, vertices: Sequence[Vertex], output: Counter[int], live: Sequence[int], colour: dict[int, int]) -> Hashable:
    reads = sorted((colour[w], times) for w, times in vertices[v].reads.items())
    readers = sorted((colour[w], vertices[w].reads[v]) for w in live if v in vertices[w].reads)
    return vertices[v].op, colour[v], tuple(reads), tuple(readers), output[v]


def _graph(
    genes: Sequence[int], edges: Sequence[tuple[int, int]], kinds: Sequence[Sequence[int]]
) -> tuple[list[Vertex], Counter[int], list[int]]:
    """The vertices, what the output sums, and the vertices that leave a trace."""
    vertices: list[Vertex] = []
    leaves_trace: list[bool] = []
    sums: dict[int, Counter[int]] = {node: Counter() for edge in edges for node in edge}
    sums[0][INPUT] = 1
    for op, (source, target), kind in zip(genes, edges, kinds, strict=True):
        if kind[op] == IDENTITY:
            sums[target].update(sums[source])
        elif kind[op] != NOTHING:
            vertices.append(Vertex(op, dict(sums[source])))
            leaves_trace.append(kind[op] == LAYER)
            if sums[source]:
                sums[target][len(vertices) - 1] += 1
    output = sums[max(sums)]
    for v in reversed(range(len(vertices))):  # a pooling is needed by what comes after it
        leaves_trace[v] = (
            leaves_trace[v] or v in output or any(leaves_trace[w] and v in vertices[w].reads for w in range(v + 1, len(vertices)))
        )
    return vertices, output, [v for v in range(len(vertices)) if leaves_trace[v]]
