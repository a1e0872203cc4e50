"""Recipes drawn at random, and recipes one step away.

Source: Klyuchnikov et al., NAS-Bench-NLP, 2020, and the authors' generator, whose rules hold here: one to three hidden states, linear nodes
in half of the draws and with two or three inputs (4 : 1), an activation behind each, every source used, no node that nothing reads, and no
new hidden state that reads an old one itself. The order of the draws, and so the distribution, is ours.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from jaxzc.types import JaxzcError
from jaxzc_spaces.nasbench_nlp.encoding import (
    ARITY,
    BLEND,
    CHOICES,
    FIRST_NODE,
    FIRST_STATE,
    LEAKY,
    LINEAR,
    NODES,
    PROD,
    SIGM,
    SUM,
    TANH,
    Cell,
    Node,
    X,
    cell_of,
    genes_of,
    wrong,
)

ACTIVATIONS = (TANH, SIGM, LEAKY)
DRAWN = (LINEAR, LINEAR, LINEAR, BLEND, PROD, SUM)
"""Operations that draws choose from, evenly."""


def sample(rng: np.random.Generator, n: int, most: int = 13) -> np.ndarray:
    """`n` distinct recipes int32 `[n, 99]`, of up to `most` nodes. Raises `JaxzcError` for a negative `n`."""
    if n < 0:
        raise JaxzcError(f"cannot sample n = {n} architectures; expected n >= 0")
    drawn: dict[bytes, np.ndarray] = {}
    while len(drawn) < n:
        cell = _drawn(rng)
        if cell is not None and len(cell.nodes) <= most:
            genes = genes_of(cell)
            drawn.setdefault(genes.tobytes(), genes)
    return np.array([*drawn.values()], np.int32).reshape(n, -1)


def mutate(rng: np.random.Generator, archs: np.ndarray) -> np.ndarray:
    """A copy of int `[n, 99]` in which each recipe has gone one step (see `neighbours`), of all steps with the same chance."""
    rows = []
    for arch in archs:
        start = cell_of(arch)
        steps = list(_steps(start))
        moved = next(steps[i] for i in rng.permutation(len(steps)) if _allowed(steps[i], start))
        rows.append(genes_of(moved))
    return np.array(rows, np.int32).reshape(np.shape(archs))


def neighbours(arch: np.ndarray) -> np.ndarray:
    """Every recipe one step away, int32 `[n, 99]`: another operation of as many inputs, one input more, less or another, an activation or
    a node of two inputs more or less. Steps that leave a source or a node unused are none."""
    start = cell_of(arch)
    cells = dict.fromkeys(cell for cell in _steps(start) if _allowed(cell, start))
    return np.array([genes_of(cell) for cell in cells], np.int32).reshape(-1, len(CHOICES))


def _allowed(cell: Cell, start: Cell) -> bool:
    return cell != start and not wrong(cell) and not unused(cell)


def unused(cell: Cell) -> list[int]:
    """The inputs and nodes, numbered as inputs are, that nothing reads and that are no new hidden state."""
    read = {source for node in cell.nodes for source in node.inputs} | {FIRST_NODE + number for number in cell.outputs}
    every = [X, *range(FIRST_STATE, FIRST_STATE + len(cell.outputs)), *range(FIRST_NODE, FIRST_NODE + len(cell.nodes))]
    return [source for source in every if source not in read]


def _drawn(rng: np.random.Generator) -> Cell | None:
    """A recipe, or None where the draws led to none."""
    states, wanted = int(rng.integers(1, 4)), int(rng.integers(1, 6))
    pool = [X, *range(FIRST_STATE, FIRST_STATE + states)]
    nodes: list[Node] = []
    open_ends = set(pool)

    def add(op: int, inputs: Sequence[int]) -> None:
        nodes.append(Node(op, tuple(inputs)))
        open_ends.difference_update(inputs)
        pool.append(FIRST_NODE + len(nodes) - 1)
        open_ends.add(pool[-1])
        if op == LINEAR:
            add(ACTIVATIONS[rng.integers(3)], [pool[-1]])

    while len(nodes) <= NODES - 2:
        ends = [source for source in open_ends if source >= FIRST_NODE]
        if wanted <= 0 and len(ends) == len(open_ends) == states and not any(_copies(nodes[end - FIRST_NODE]) for end in ends):
            outputs = rng.permutation([end - FIRST_NODE for end in sorted(ends)])
            return Cell(tuple(nodes), tuple(int(number) for number in outputs))
        wanted -= 1
        op = DRAWN[rng.integers(len(DRAWN))]
        count = (3 if rng.random() < 0.2 else 2) if op == LINEAR else ARITY[op][0]
        values = pool if op == LINEAR else [source for source in pool if source != X]
        # Once there are enough nodes, those that nothing reads yet come first, so that the ends become as few as the states.
        loose = [source for source in values if source in open_ends] if wanted < 0 and len(open_ends) > states else []
        first = [int(source) for source in rng.permutation(sorted(loose))[:count]]
        others = [source for source in values if source not in first]
        if len(first) + len(others) < count:
            continue
        add(op, [*first, *(int(source) for source in rng.permutation(others)[: count - len(first)])])
    return None


def _copies(node: Node) -> bool:
    """Whether a node reads a hidden state itself."""
    return any(FIRST_STATE <= source < FIRST_NODE for source in node.inputs)


def _steps(cell: Cell) -> Iterator[Cell]:
    """Cells one step away; some of them leave something unused, or are wrong."""
    for number, (op, inputs) in enumerate(cell.nodes):
        for other, counts in ARITY.items():
            if other != op and len(inputs) in counts:
                yield _with(cell, number, Node(other, inputs))
        earlier = [X, *range(FIRST_STATE, FIRST_STATE + len(cell.outputs)), *range(FIRST_NODE, FIRST_NODE + number)]
        for position in range(len(inputs)):
            for source in earlier:
                yield _with(cell, number, Node(op, (*inputs[:position], source, *inputs[position + 1 :])))
        if op == LINEAR and len(inputs) > 2:
            yield from (_with(cell, number, Node(op, inputs[:i] + inputs[i + 1 :])) for i in range(len(inputs)))
        if op == LINEAR and len(inputs) == 2:
            yield from (_with(cell, number, Node(op, (*inputs, source))) for source in earlier)
        if len(cell.nodes) < NODES:
            for position, source in enumerate(inputs):
                read = Node(op, (*inputs[:position], FIRST_NODE + number, *inputs[position + 1 :]))
                between = [Node(kind, (source,)) for kind in ACTIVATIONS]
                between += [Node(kind, (source, other)) for kind in (LINEAR, PROD, SUM) for other in earlier]
                yield from (_inserted(cell, number, node, read) for node in between)
        if number not in cell.outputs and len(inputs) <= 2:
            yield from (_without(cell, number, source) for source in inputs)


def _with(cell: Cell, number: int, node: Node) -> Cell:
    return cell._replace(nodes=(*cell.nodes[:number], node, *cell.nodes[number + 1 :]))


def _inserted(cell: Cell, number: int, node: Node, reader: Node) -> Cell:
    """The cell with a node before the one of this number, which becomes `reader`; the reader counts its inputs as they are afterwards."""
    moved = [Node(op, tuple(source + (source >= FIRST_NODE + number) for source in inputs)) for op, inputs in cell.nodes[number + 1 :]]
    outputs = tuple(end + (end >= number) for end in cell.outputs)
    return Cell((*cell.nodes[:number], node, reader, *moved), outputs)


def _without(cell: Cell, number: int, source: int) -> Cell:
    """The cell without this node; what read it reads the source instead."""
    gone = FIRST_NODE + number

    def moved(read: int) -> int:
        return source if read == gone else read - (read > gone)

    nodes = [Node(op, tuple(map(moved, inputs))) for op, inputs in (*cell.nodes[:number], *cell.nodes[number + 1 :])]
    return Cell(tuple(nodes), tuple(end - (end > number) for end in cell.outputs))
