"""Which NAS-Bench-101 cells are the same up to the numbering of their vertices, and the list of all 423,624; numpy only.

The representative of a class is the cell with the smallest matrix, read as a number whose bit x + y (y - 1) / 2 is the edge x -> y, and
then the smallest operations: the one that the benchmark's own enumeration meets first and stores (Ying et al., 2019, section 2).
"""

import functools
import itertools

import numpy as np

from jaxzc.spacekit.vectors import check_vector, neighbours_of
from jaxzc.types import Genes, TooFewArchitectures
from jaxzc_spaces.nasbench101.encoding import CHOICES, EDGES, MAX_EDGES, OPS, VERTICES, cells, genes, is_valid, pruned

CELLS = 423_624
BITS, INTERIOR = len(EDGES), VERTICES - 2
_CHUNK = 7
_EDGE = {edge: number for number, edge in enumerate(EDGES)}
_LABELS = len(OPS) ** INTERIOR


def canonical(archs: Genes) -> np.ndarray:
    """For each of `archs` int `[n, 26]` the pruned representative of its isomorphism class, int32 `[n, 26]`.

    Members of a class are one network except where channels do not divide evenly: the vertices that get one channel more are the first
    in vertex order, so that parameters may differ by a few. Raises `JaxzcError` for invalid genes.
    """
    return _genes(_smallest(_codes(genes(pruned(cells(archs))))))


@functools.cache
def all_cells() -> np.ndarray:
    """Every cell of the benchmark, int32 `[423624, 26]`, in the order of the matrices, then of the operations. The first call takes some
    seconds; the array is shared and read-only."""
    bits = np.arange(2**BITS)
    bits = bits[np.bitwise_count(bits) <= MAX_EDGES]
    graphs = cells(_genes(bits * _LABELS))
    bits = bits[(pruned(graphs).edges == graphs.edges).all((1, 2)) & graphs.edges.any((1, 2))]
    matrices = np.unique(_smallest(bits * _LABELS))
    codes = (matrices[:, None] + np.arange(_LABELS)).ravel()
    archs = _genes(codes)
    # Vertices without edges have operation 0 and nothing else.
    codes = codes[(archs == genes(pruned(cells(archs)))).all(1)]
    table = _genes(codes[_smallest(codes) == codes])
    table.flags.writeable = False
    return table


def sample(rng: np.random.Generator, n: int) -> np.ndarray:
    """`n` distinct cells of the benchmark, uniformly, int32 `[n, 26]`."""
    if not 0 <= n <= CELLS:
        raise TooFewArchitectures(n, CELLS)
    return all_cells()[rng.choice(CELLS, n, replace=False)]


def mutate(rng: np.random.Generator, archs: Genes) -> np.ndarray:
    """A copy of `archs` int `[n, 26]` in which edges flip with probability 1/7 and operations change with probability 1/5 each, drawn anew
    until the cell is in the benchmark and another one; int32 `[n, 26]`, canonical. Source: Ying et al., 2019, supplement S3."""
    parents = canonical(archs)
    children, open_rows = parents.copy(), np.arange(len(parents))
    while open_rows.size:
        start = parents[open_rows]
        flips = rng.random((len(start), BITS)) < 1 / VERTICES
        shift = np.where(rng.random((len(start), INTERIOR)) < 1 / INTERIOR, rng.integers(1, len(OPS), (len(start), INTERIOR)), 0)
        drawn = np.concatenate([start[:, :BITS] ^ flips, (start[:, BITS:] + shift) % len(OPS)], axis=1).astype(np.int32)
        children[open_rows] = drawn = canonical(drawn)
        open_rows = open_rows[~is_valid(drawn) | (drawn == start).all(1)]
    return children


def neighbours(arch: Genes) -> np.ndarray:
    """The other cells of the benchmark, canonical and each once, that one changed gene of `canonical(arch)` leads to, int32 `[n, 26]`."""
    own = canonical(check_vector(CHOICES, arch)[None])
    near = neighbours_of(CHOICES, own[0])
    near = np.unique(canonical(near[is_valid(near)]), axis=0)
    return near[(near != own).any(1)]


def _codes(archs: np.ndarray) -> np.ndarray:
    """Genes `[n, 26]` as numbers int64 `[n]`: the matrix, then the operations, the first interior vertex being the most significant."""
    powers = len(OPS) ** np.arange(INTERIOR)[::-1]
    return (archs[:, :BITS] @ 2 ** np.arange(BITS)) * _LABELS + archs[:, BITS:] @ powers


def _genes(codes: np.ndarray) -> np.ndarray:
    matrix, labels = np.divmod(codes, _LABELS)
    digits = labels[:, None] // len(OPS) ** np.arange(INTERIOR)[::-1] % len(OPS)
    return np.concatenate([matrix[:, None] >> np.arange(BITS) & 1, digits], axis=1).astype(np.int32)


def _smallest(codes: np.ndarray) -> np.ndarray:
    """The smallest number of any renumbering of the interior vertices that keeps every edge leading to a later vertex, int64 `[n]`."""
    matrix, labels = np.divmod(codes, _LABELS)
    parts = [matrix >> start & (2**_CHUNK - 1) for start in range(0, BITS, _CHUNK)]
    best = codes.copy()
    for backwards, tables, relabelled in _renumberings():
        moved = tables[0][parts[0]] + tables[1][parts[1]] + tables[2][parts[2]]
        code = moved * _LABELS + relabelled[labels]
        np.minimum(best, code, out=best, where=(matrix & backwards) == 0)
    return best


@functools.cache
def _renumberings() -> list[tuple[int, np.ndarray, np.ndarray]]:
    """For each of the 120 permutations: the edges that would lead backwards, where the other edges go (a table for each 7 bits), and where
    the operations go."""
    relabellings = []
    ops = _genes(np.arange(_LABELS))[:, BITS:]
    for order in itertools.permutations(range(1, VERTICES - 1)):
        new = (0, *order, VERTICES - 1)  # the new number of each vertex
        target = [_EDGE.get((new[x], new[y])) for x, y in EDGES]
        backwards = sum(1 << bit for bit, to in enumerate(target) if to is None)
        gain = np.array([0 if to is None else 1 << to for to in target])
        bits = np.arange(2**_CHUNK)[:, None] >> np.arange(_CHUNK) & 1
        tables = np.stack([bits @ gain[start : start + _CHUNK] for start in range(0, BITS, _CHUNK)])
        relabelled = ops @ len(OPS) ** (INTERIOR - np.array(order))
        relabellings.append((backwards, tables, relabelled))
    return relabellings
