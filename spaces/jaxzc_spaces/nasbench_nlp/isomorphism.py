"""Which recipes are one cell: nodes in another order, inputs that change places, hidden states behind the first that do.

Colours of vertices (x, hidden states, nodes) are refined by what they read and by what reads them, until nothing changes; where vertices
still share a colour, each of them is given one of its own in turn, and the smallest genes of all outcomes count.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxzc_spaces.nasbench_nlp.encoding import FIRST_NODE, FIRST_STATE, ORDERED, Cell, Node, X, cell_of, genes_of


def canonical(archs: Any) -> np.ndarray:
    """For each architecture int `[n, 99]`, the one that stands for all that are the same cell, int32 `[n, 99]`."""
    cells = [canonical_cell(cell_of(arch)) for arch in archs]
    return np.stack([genes_of(cell) for cell in cells]) if cells else np.zeros_like(archs, np.int32)


def canonical_cell(cell: Cell) -> Cell:
    """The cell that stands for all that are the same."""
    depths: list[int] = []
    for node in cell.nodes:
        depths.append(1 + max((depths[source - FIRST_NODE] for source in node.inputs if source >= FIRST_NODE), default=0))
    # x, the first state and the others, then nodes from the shallow to the deep, whose order of colours stays an order of execution.
    start = {X: (0,), **{FIRST_STATE + i: (1 + min(i, 1),) for i in range(len(cell.outputs))}}
    start |= {FIRST_NODE + number: (3, depths[number], node.op) for number, node in enumerate(cell.nodes)}
    return min(_outcomes(cell, _ranks(start)), key=lambda outcome: genes_of(outcome).tolist())


def _outcomes(cell: Cell, colours: dict[int, int]) -> list[Cell]:
    colours = _refined(cell, colours)
    choices = _told_apart(colours)
    if not choices:
        return [_renumbered(cell, sorted(colours, key=colours.__getitem__))]
    # Two choices that lead to one cell are images of each other, and so is all that follows: one of them is enough.
    different = {tuple(genes_of(_one_outcome(cell, choice)).tolist()): choice for choice in choices}
    return [outcome for choice in different.values() for outcome in _outcomes(cell, choice)]


def _one_outcome(cell: Cell, colours: dict[int, int]) -> Cell:
    while choices := _told_apart(colours := _refined(cell, colours)):
        colours = choices[0]
    return _renumbered(cell, sorted(colours, key=colours.__getitem__))


def _told_apart(colours: dict[int, int]) -> list[dict[int, int]]:
    """For each vertex of the first colour that several share, the colours in which it comes before the others; empty without any."""
    classes: dict[int, list[int]] = {}
    for vertex, colour in colours.items():
        classes.setdefault(colour, []).append(vertex)
    shared = next((classes[colour] for colour in sorted(classes) if len(classes[colour]) > 1), [])
    return [_ranks({vertex: (colour, int(vertex != chosen)) for vertex, colour in colours.items()}) for chosen in shared]


def _refined(cell: Cell, colours: dict[int, int]) -> dict[int, int]:
    while True:
        users: dict[int, list[tuple[int, int]]] = {vertex: [] for vertex in colours}
        for number, node in enumerate(cell.nodes):
            for position, source in enumerate(node.inputs):
                users[source].append((colours[FIRST_NODE + number], position if node.op in ORDERED else 0))
        told: dict[int, Any] = {}
        for vertex, colour in colours.items():
            reads, becomes = _reads(cell, vertex, colours)
            told[vertex] = (colour, reads, becomes, tuple(sorted(users[vertex])))
        ranks = _ranks(told)
        if len(set(ranks.values())) == len(set(colours.values())):
            return ranks
        colours = ranks


def _reads(cell: Cell, vertex: int, colours: dict[int, int]) -> tuple[tuple[int, ...], int]:
    """Colours of what a vertex reads, and of the node that a hidden state becomes, or of the state that a node is the new value of."""
    if vertex == X:
        return (), -1
    if vertex < FIRST_NODE:
        return (), colours[FIRST_NODE + cell.outputs[vertex - FIRST_STATE]]
    number = vertex - FIRST_NODE
    node = cell.nodes[number]
    reads = [colours[source] for source in node.inputs]
    state = colours[FIRST_STATE + cell.outputs.index(number)] if number in cell.outputs else -1
    return tuple(reads if node.op in ORDERED else sorted(reads)), state


def _renumbered(cell: Cell, order: Sequence[int]) -> Cell:
    """The cell with its vertices in this order: x, hidden states, nodes."""
    states = [vertex for vertex in order if FIRST_STATE <= vertex < FIRST_NODE]
    places = [vertex for vertex in order if vertex >= FIRST_NODE]
    number = {X: X, **{vertex: FIRST_STATE + i for i, vertex in enumerate(states)}}
    number |= {vertex: FIRST_NODE + i for i, vertex in enumerate(places)}
    nodes = []
    for vertex in places:
        node = cell.nodes[vertex - FIRST_NODE]
        inputs = [number[source] for source in node.inputs]
        nodes.append(Node(node.op, tuple(inputs if node.op in ORDERED else sorted(inputs))))
    outputs = [number[FIRST_NODE + cell.outputs[state - FIRST_STATE]] - FIRST_NODE for state in states]
    return Cell(tuple(nodes), tuple(outputs))


def _ranks(values: dict[int, Any]) -> dict[int, int]:
    """Each vertex's place among the different values, in their order."""
    place = {value: rank for rank, value in enumerate(sorted(set(values.values())))}
    return {vertex: place[value] for vertex, value in values.items()}
