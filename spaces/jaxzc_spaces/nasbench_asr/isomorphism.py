"""Which of NAS-Bench-ASR's architectures are alike: by the benchmark's own hash, and as networks. (These differ in both directions.)"""

import hashlib
from collections.abc import Callable, Hashable
from functools import cache

import numpy as np

from jaxzc.spacekit.vectors import check_vectors, enumerate_vectors
from jaxzc.types import Genes
from jaxzc_spaces.nasbench_asr.encoding import CHOICES, NODES, ZERO, as_read, nodes


def canonical(archs: Genes) -> np.ndarray:
    """For each of `archs` int `[n, 9]` the smallest genes, in lexicographic order, with the same hash, int32 `[n, 9]`: 8,242 in all.

    Architectures with one hash share a row of the benchmark's table. Where an operation is zero, they need not be one network."""
    return _look_up(_by_hash(), archs)


def same_network(semantics: str, archs: Genes) -> np.ndarray:
    """For each of `archs` int `[n, 9]` the smallest genes of those that one of the authors' codes makes the same network of, with weights
    drawn anew, int32 `[n, 9]`: equal in counts and, in distribution, in every score. Operations without effect count."""
    return _look_up(_by_network(semantics), archs)


def model_hash(arch: Genes) -> str:
    """The benchmark's name of an architecture, 32 hexadecimal digits, under which its table has the accuracies.

    Graph: the cell's input, a vertex for each operation, the output; an edge from every vertex to the next, and for a bit one from that
    value to the vertex behind the node. Vertices of "zero" are deleted, with the bits that start there, and so is what is on no path from
    input to output; then NASBench-101's iterated MD5."""
    matrix = np.zeros((NODES + 2, NODES + 2), int)
    labels = [-1, *(op for op, _ in nodes(arch)), -2]
    for number, (_, bits) in enumerate(nodes(arch)):
        matrix[number, number + 1] = 1
        for source, bit in enumerate(bits):
            matrix[source, number + 2] |= bit
    matrix[NODES, NODES + 1] = 1
    present = np.array([label != ZERO for label in labels])
    matrix = matrix * present[:, None] * present
    paths = np.linalg.matrix_power(np.eye(len(labels), dtype=int) + matrix, len(labels)) > 0
    live = np.flatnonzero(present & paths[0] & paths[:, -1])
    matrix, names = matrix[np.ix_(live, live)], [labels[vertex] for vertex in live]
    degrees = matrix.astype(float)  # the authors' text says 1.0
    hashes = [_md5(str(start)) for start in zip(degrees.sum(1).tolist(), degrees.sum(0).tolist(), names, strict=True)]
    for _ in names:
        near = [["".join(sorted(h for h, on in zip(hashes, row, strict=True) if on)) for row in m] for m in (matrix.T, matrix)]
        hashes = [_md5("|".join(parts)) for parts in zip(*near, hashes, strict=True)]
    return _md5(str(sorted(hashes)))


def network_form(arch: Genes) -> tuple[tuple[int, ...], ...]:
    """What genes int `[9]`, as PyTorch's code reads them, compute: of each operation but zero its number and how often its input has the
    cell's input and each of the operations' results; last, the same of the cell's output."""
    steps = nodes(arch)
    results = [number for number, (op, _) in enumerate(steps) if op != ZERO]
    unit = np.eye(1 + len(results), dtype=int)
    values, form = [unit[0]], []
    for number, (op, bits) in enumerate(steps):
        value = np.zeros(1 + len(results), int)
        if op != ZERO:
            form.append((op, *values[-1].tolist()))
            value = unit[1 + results.index(number)]
        values.append(sum((values[source] for source, bit in enumerate(bits) if bit), value))
    return (*form, tuple(values[-1].tolist()))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def _look_up(smallest: np.ndarray, archs: Genes) -> np.ndarray:
    return smallest[np.ravel_multi_index(tuple(check_vectors(CHOICES, archs).T), CHOICES)]


@cache
def _by_hash() -> np.ndarray:
    return _smallest(enumerate_vectors(CHOICES), model_hash)


@cache
def _by_network(semantics: str) -> np.ndarray:
    return _smallest(as_read(semantics, enumerate_vectors(CHOICES)), network_form)


def _smallest(archs: np.ndarray, key: Callable[[np.ndarray], Hashable]) -> np.ndarray:
    """int32 `[13824, 9]`: for each architecture of the space the first one of the same key, `archs` being how they are read."""
    first: dict[Hashable, int] = {}
    numbers = [first.setdefault(key(arch), number) for number, arch in enumerate(archs)]
    return enumerate_vectors(CHOICES)[numbers]
