"""Random architectures of AutoFormer's spaces, their mutants and their neighbours; numpy only."""

import numpy as np

from jaxzc.spacekit.vectors import check_vector, check_vectors
from jaxzc.types import Genes, JaxzcError
from jaxzc_spaces.autoformer.encoding import Menu, canonical, enumerate_architectures

MOST_LISTED = 2**16
"""Spaces of at most so many architectures are listed to draw from them."""


def sample(menu: Menu, rng: np.random.Generator, n: int) -> np.ndarray:
    """`n` distinct architectures int32 `[n, genes]`, drawn as the authors do: width and depth uniformly, then each layer. (Of all
    architectures, most have the largest depth.) Raises `JaxzcError` where there are fewer than `n`, or `n` is negative."""
    if not 0 <= n <= menu.size:
        raise JaxzcError(f"cannot sample {n:,} distinct architectures from a space of {menu.size:,}; expected 0 <= n <= {menu.size:,}")
    if menu.size <= MOST_LISTED and 2 * n > menu.size:
        return rng.permutation(enumerate_architectures(menu))[:n]
    rows = _draw(menu, rng, n)
    while len(first := np.sort(np.unique(rows, axis=0, return_index=True)[1])) < n:
        rows = np.concatenate([rows[first], _draw(menu, rng, n - len(first))])
    return rows


def _draw(menu: Menu, rng: np.random.Generator, n: int) -> np.ndarray:
    return canonical(menu, rng.integers(0, menu.choices, size=(n, len(menu.choices))))


def mutate(menu: Menu, rng: np.random.Generator, archs: Genes) -> np.ndarray:
    """A copy of int32 `[n, genes]` in which one gene of each row, of those that its depth has, has another value: gene and value are
    uniform. Layers that a larger depth adds are as the last one was. Raises `JaxzcError` where there is one architecture only."""
    if menu.size == 1:
        raise JaxzcError(f"cannot mutate: the space has one architecture only, as its menu {menu._asdict()} says")
    mutants = []
    for row in canonical(menu, archs):
        gene = rng.choice(_mutable(menu, row))
        value = (row[gene] + rng.integers(1, menu.choices[gene])) % menu.choices[gene]
        mutants.append(_with_gene(menu, row, int(gene), int(value)))
    return np.array(mutants, np.int32).reshape(-1, len(menu.choices))


def neighbours(menu: Menu, arch: Genes) -> np.ndarray:
    """Every architecture that a mutation makes of one, int32 `[n, genes]`, by gene and then by value."""
    (row,) = canonical(menu, check_vector(menu.choices, arch)[None])
    changes = [(gene, value) for gene in _mutable(menu, row) for value in range(menu.choices[gene]) if value != row[gene]]
    changed = [_with_gene(menu, row, gene, value) for gene, value in changes]
    return check_vectors(menu.choices, np.array(changed, np.int32).reshape(-1, len(menu.choices)))


def _mutable(menu: Menu, row: np.ndarray) -> list[int]:
    """Genes of a row that the architecture has and that may have another value."""
    most, depth = max(menu.depths), menu.depths[row[1]]
    existing = (0, 1, *range(2, 2 + depth), *range(2 + most, 2 + most + depth))
    return [gene for gene in existing if menu.choices[gene] > 1]


def _with_gene(menu: Menu, row: np.ndarray, gene: int, value: int) -> np.ndarray:
    changed, most, depth = row.copy(), max(menu.depths), menu.depths[row[1]]
    changed[gene] = value
    if gene == 1:
        for start in (2, 2 + most):
            changed[start + depth : start + most] = row[start + depth - 1]
    return canonical(menu, changed[None])[0]
