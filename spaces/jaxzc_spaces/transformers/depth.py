"""Vectors of genes of networks that choose their depth: canonical forms, random ones, mutants, neighbours; numpy only.

Genes are one of the whole network, the number of the depth, and for each layer of the deepest network those of a layer. An architecture's
genes of layers that it has not are 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jaxzc.spacekit.vectors import check_vector, check_vectors, enumerate_vectors
from jaxzc.types import Genes, JaxzcError, TooFewArchitectures

MOST_LISTED = 2**16
"""Of spaces of at most so many architectures, samples of more than half are drawn from a list."""


@dataclass(frozen=True)
class VariableDepth:
    """first: how many values the network's own gene has. depths: numbers of layers. layer: how many values each gene of a layer has."""

    first: int
    depths: tuple[int, ...]
    layer: tuple[int, ...]

    @property
    def most(self) -> int:
        return max(self.depths)

    @property
    def choices(self) -> tuple[int, ...]:
        return (self.first, len(self.depths), *self.layer * self.most)

    @property
    def size(self) -> int:
        """Number of architectures."""
        return self.first * sum(int(np.prod(self.layer, dtype=object)) ** depth for depth in self.depths)

    def depth(self, genes: np.ndarray) -> int:
        """Of one architecture."""
        return self.depths[int(genes[1])]

    def layers(self, archs: Genes) -> tuple[np.ndarray, np.ndarray]:
        """Genes of layers int32 `[n, deepest, genes of a layer]` of architectures `[n, genes]`, and which of them there are, bool
        `[n, deepest]`."""
        genes = check_vectors(self.choices, archs)
        present = np.arange(self.most) < np.array(self.depths)[genes[:, 1], None]
        return genes[:, 2:].reshape(len(genes), self.most, len(self.layer)), present

    def canonical(self, archs: Genes) -> np.ndarray:
        """The architectures int32 `[n, genes]`, genes of absent layers 0."""
        layers, present = self.layers(archs)
        genes = np.where(present[..., None], layers, 0).reshape(len(layers), -1)
        return np.hstack([check_vectors(self.choices, archs)[:, :2], genes]).astype(np.int32)

    def enumerate(self) -> np.ndarray:
        """All of them, int32 `[n, genes]`. Raises `JaxzcError` where they are too many."""
        return np.concatenate(list(self._by_depth()))

    def _by_depth(self) -> Iterator[np.ndarray]:
        for number, depth in enumerate(self.depths):
            rows = enumerate_vectors((self.first, *self.layer * depth))
            genes = np.zeros((len(rows), len(self.choices)), np.int32)
            genes[:, 0], genes[:, 1], genes[:, 2 : 1 + rows.shape[1]] = rows[:, 0], number, rows[:, 1:]
            yield genes

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """`n` distinct architectures int32 `[n, genes]`: the network's gene and the depth uniformly, then each layer. (Of all
        architectures, most have the largest depth.) Raises `JaxzcError` where there are fewer than `n`, or `n` is negative."""
        if not 0 <= n <= self.size:
            raise TooFewArchitectures(n, self.size)
        if self.size <= MOST_LISTED and 2 * n > self.size:
            return rng.permutation(self.enumerate())[:n]
        rows = self._draw(rng, n)
        while len(first := np.sort(np.unique(rows, axis=0, return_index=True)[1])) < n:
            rows = np.concatenate([rows[first], self._draw(rng, n - len(first))])
        return rows

    def _draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return self.canonical(rng.integers(0, self.choices, size=(n, len(self.choices))))

    def mutate(self, rng: np.random.Generator, archs: Genes) -> np.ndarray:
        """A copy of int32 `[n, genes]` in which one gene of each row, of those that its depth has, has another value: gene and value are
        uniform. Layers that a larger depth adds are as the last one was. Raises `JaxzcError` where there is one architecture only."""
        if self.size == 1:
            raise JaxzcError(f"cannot mutate: the space with choices {self.choices} has one architecture only")
        mutants = []
        for row in self.canonical(archs):
            gene = int(rng.choice(self._mutable(row)))
            value = (int(row[gene]) + int(rng.integers(1, self.choices[gene]))) % self.choices[gene]
            mutants.append(self._with_gene(row, gene, value))
        return np.array(mutants, np.int32).reshape(-1, len(self.choices))

    def neighbours(self, arch: Genes) -> np.ndarray:
        """Every architecture that a mutation makes of one, int32 `[n, genes]`, by gene and then by value."""
        (row,) = self.canonical(check_vector(self.choices, arch)[None])
        changes = [(gene, value) for gene in self._mutable(row) for value in range(self.choices[gene]) if value != row[gene]]
        changed = [self._with_gene(row, gene, value) for gene, value in changes]
        return np.array(changed, np.int32).reshape(-1, len(self.choices))

    def _mutable(self, row: np.ndarray) -> list[int]:
        """Genes of a row that the architecture has and that may have another value."""
        return [gene for gene in range(2 + self.depth(row) * len(self.layer)) if self.choices[gene] > 1]

    def _with_gene(self, row: np.ndarray, gene: int, value: int) -> np.ndarray:
        changed, end, width = row.copy(), 2 + self.depth(row) * len(self.layer), len(self.layer)
        changed[gene] = value
        if gene == 1:
            changed[end:] = np.resize(row[end - width : end], len(row) - end)
        return self.canonical(changed[None])[0]
