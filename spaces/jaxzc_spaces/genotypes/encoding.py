"""Cell genotypes as vectors: the encoding that DARTS and the five NDS spaces share.

A cell has two inputs, states 0 (the output of the cell before the last) and 1 (of the last cell), and nodes that become states 2, 3, ...;
a node is the sum of two edges, each an operation applied to an earlier state. A genotype is a normal and a reduction cell. Genes: leading
ones of the space's own, then for each cell, node and edge the operation and the state it reads.
Source: Liu et al., DARTS, ICLR 2019, sections 2.1 and 3.1; Radosavovic et al., On Network Design Spaces, ICCV 2019, section 5.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from jaxzc.spacekit.vectors import check_vector, check_vectors
from jaxzc.types import Genes, JaxzcError


class Cell(NamedTuple):
    """edges: (operation, state), two for each node; concat: the states whose channels make the output."""

    edges: tuple[tuple[str, int], ...]
    concat: tuple[int, ...]


class Genotype(NamedTuple):
    normal: Cell
    reduce: Cell


@dataclass(frozen=True)
class Encoding:
    """Genotypes of one space.

    ops: names, in the order of the genes. nodes: per cell. loose_ends: the output is made of the nodes that no other node reads, else of
        all. leading: choices of the genes before the cells. drawn: the operations that sampling and mutation use (parsing takes all of
        `ops`). distinct: whether they give a node two different states.
    """

    space: str
    ops: tuple[str, ...]
    nodes: int
    loose_ends: bool
    leading: tuple[int, ...] = ()
    drawn: tuple[str, ...] = ()
    distinct: bool = False

    @property
    def choices(self) -> tuple[int, ...]:
        cell = [count for node in range(self.nodes) for count in (len(self.ops), node + 2) * 2]
        return (*self.leading, *cell, *cell)

    def genotype(self, arch: Genes) -> Genotype:
        genes = check_vector(self.choices, arch)[len(self.leading) :].reshape(2, -1, 2).tolist()
        return Genotype(*(self._cell([(self.ops[op], state) for op, state in edges]) for edges in genes))

    def _cell(self, edges: Sequence[tuple[str, int]]) -> Cell:
        read = {state for _, state in edges} if self.loose_ends else set()
        return Cell(tuple(edges), tuple(state for state in range(2, self.nodes + 2) if state not in read))

    def genes(self, genotype: Mapping[str, Any], text: str, leading: Sequence[int] = ()) -> np.ndarray:
        """Genes int32 of `normal`, `normal_concat`, `reduce` and `reduce_concat`, as the authors write them; `text` is for messages.

        Raises `JaxzcError` for unknown operations, states that do not exist, and outputs made of other states than the space's."""
        numbers = list(leading)
        for name in ("normal", "reduce"):
            edges = genotype.get(name)
            shape = f"{2 * self.nodes} pairs ('{self.ops[-1]}', 0)"
            if not isinstance(edges, list | tuple) or len(edges) != 2 * self.nodes:
                raise self.malformed(text, f"{name} has no {2 * self.nodes} edges", shape)
            for number, edge in enumerate(edges):
                op, state = edge if isinstance(edge, list | tuple) and len(edge) == 2 else (None, None)
                if op not in self.ops:
                    raise self.malformed(text, f"edge {number} of {name} is {edge!r}", f"an operation of {', '.join(self.ops)}")
                if not isinstance(state, int) or not 0 <= state < number // 2 + 2:
                    raise self.malformed(text, f"edge {number} of {name} reads state {state!r}", f"one of 0 .. {number // 2 + 1}")
                numbers += [self.ops.index(op), state]
            concat = self._cell([tuple(edge) for edge in edges]).concat
            listed = genotype.get(f"{name}_concat", concat)
            if not isinstance(listed, list | tuple) or sorted(map(str, listed)) != sorted(map(str, concat)):
                rule = "the nodes that no other reads" if self.loose_ends else "all nodes"
                raise self.malformed(text, f"{name}_concat is {listed!r}", f"{list(concat)}: {rule}")
        return np.array(numbers, np.int32)

    def malformed(self, text: str, wrong: str, expected: str) -> JaxzcError:
        return JaxzcError(f"{text!r} is no {self.space} architecture: {wrong}; expected {expected}")

    # Sampling and mutation.

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """`n` architectures, int32 `[n, genes]`: leading genes, operations and states each uniform."""
        if n < 0:
            raise JaxzcError(f"cannot sample n = {n} architectures; expected n >= 0")
        ops = [self.ops.index(op) for op in self.drawn or self.ops]
        columns = [rng.integers(count, size=n) for count in self.leading]
        for _, node in itertools.product(range(2), range(self.nodes)):
            first = rng.integers(node + 2, size=n)
            other = (first + rng.integers(1, node + 2, size=n)) % (node + 2) if self.distinct else rng.integers(node + 2, size=n)
            columns += [rng.choice(ops, n), first, rng.choice(ops, n), other]
        return np.stack(columns, axis=1).astype(np.int32)

    def alternatives(self, genes: Sequence[int], position: int) -> list[int]:
        """The values that a mutation may give this gene: not the present one, and none that breaks `drawn` or `distinct`."""
        offset = position - len(self.leading)
        if offset < 0:
            values = range(self.choices[position])
        elif offset % 2 == 0:
            values = [self.ops.index(op) for op in self.drawn or self.ops]
        else:
            twin = genes[position + 2 if offset % 4 == 1 else position - 2]
            values = [v for v in range(self.choices[position]) if not self.distinct or v != twin]
        return [value for value in values if value != genes[position]]

    def mutate(self, rng: np.random.Generator, archs: np.ndarray) -> np.ndarray:
        """A copy of `archs` in which each row has one gene changed: the gene uniform among those that can change, then its value."""
        mutated = check_vectors(self.choices, archs).copy()
        for row in mutated:
            options = [(g, values) for g in range(len(row)) if (values := self.alternatives(row.tolist(), g))]
            gene, values = options[rng.integers(len(options))]
            row[gene] = values[rng.integers(len(values))]
        return mutated

    def neighbours(self, arch: Genes) -> np.ndarray:
        """Every architecture that one mutation makes of `arch`, by gene and then by value."""
        row = check_vector(self.choices, arch)
        changes = [(g, value) for g in range(len(row)) for value in self.alternatives(row.tolist(), g)]
        near = np.tile(row, (len(changes), 1))
        near[np.arange(len(changes)), [g for g, _ in changes]] = [value for _, value in changes]
        return near

    def canonical(self, archs: Genes) -> np.ndarray:
        """The same networks with each cell's nodes in that order, and each node's edges in that order, which gives the smallest genes.

        Members of a class are the same graph: a node's two edges are added, and to reorder nodes reorders channels of the output, which
        the next cell's kernels follow."""
        genes = check_vectors(self.choices, archs)
        start = len(self.leading)
        cells = genes[:, start:].reshape(len(genes) * 2, self.nodes, 2, 2)
        return np.concatenate([genes[:, :start], self._smallest(cells).reshape(len(genes), -1)], axis=1)

    def _smallest(self, cells: np.ndarray) -> np.ndarray:
        """For cells int32 `[n, nodes, 2, (op, state)]` the smallest over all orders of nodes that make every state before it is read."""
        best, keys = cells, np.full(len(cells), b"\xff", f"S{4 * self.nodes}")
        for order in itertools.permutations(range(self.nodes)):
            renamed = np.array([0, 1, *(2 + order.index(node) for node in range(self.nodes))], np.int32)
            relabelled = cells[:, list(order)].copy()
            relabelled[..., 1] = renamed[relabelled[..., 1]]
            valid = (relabelled[..., 1] < np.arange(2, self.nodes + 2)[:, None]).all((1, 2))
            rank = 16 * relabelled[..., 0].astype(int) + relabelled[..., 1]
            swap = rank[..., 0] > rank[..., 1]
            relabelled = np.where(swap[:, :, None, None], relabelled[:, :, ::-1], relabelled)
            # Bytes compare like genes; none is zero, which numpy would strip.
            key = np.ascontiguousarray(relabelled.astype(np.uint8).reshape(len(relabelled), -1) + 1).view(keys.dtype)[:, 0]
            better = valid & (key < keys)
            best, keys = np.where(better[:, None, None, None], relabelled, best), np.where(better, key, keys)
        return best
