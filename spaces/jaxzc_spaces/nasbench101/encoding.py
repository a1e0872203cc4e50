"""NAS-Bench-101 without its network: genes, official strings, pruning, the benchmark's hash, channel widths and exact counts; numpy only.

A cell is a directed acyclic graph of at most 7 vertices, 0 its input, the last its output, and at most 9 edges; every interior vertex has
one of 3 operations. An architecture is int32 `[26]`: 21 bits, the edges x -> y in the order of y, then x (the benchmark's own numbering,
x + y (y - 1) / 2), and the operations of the 5 interior vertices. Smaller cells leave interior vertices without edges; the output is always
vertex 6. Source: Ying et al., NAS-Bench-101: Towards Reproducible Neural Architecture Search, ICML 2019, section 2.
"""

import hashlib
import math
from typing import Any, NamedTuple

import numpy as np

from jaxzc.spacekit.vectors import check_vectors
from jaxzc.types import Counts, Genes, JaxzcError

OPS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
CONV3, CONV1, POOL = range(3)
VERTICES, MAX_EDGES = 7, 9
EDGES = tuple((x, y) for y in range(VERTICES) for x in range(y))
"""(source, target) of each of the first 21 genes."""
CHOICES = (2,) * len(EDGES) + (len(OPS),) * (VERTICES - 2)
SOURCES, TARGETS = np.array(EDGES).T


class Cells(NamedTuple):
    """edges: bool `[n, 7, 7]`, entry (x, y) is the edge x -> y; ops: int32 `[n, 7]`, -1 at the input and the output."""

    edges: np.ndarray
    ops: np.ndarray


def cells(archs: Genes) -> Cells:
    """The graphs of `archs` int `[n, 26]` as they stand. Raises `JaxzcError` for invalid genes."""
    genes = check_vectors(CHOICES, archs)
    edges = np.zeros((len(genes), VERTICES, VERTICES), bool)
    edges[:, SOURCES, TARGETS] = genes[:, : len(EDGES)]
    return Cells(edges, np.pad(genes[:, len(EDGES) :], ((0, 0), (1, 1)), constant_values=-1))


def genes(graphs: Cells) -> np.ndarray:
    """The inverse of `cells`, int32 `[n, 26]`."""
    return np.concatenate([graphs.edges[:, SOURCES, TARGETS].astype(np.int32), graphs.ops[:, 1:-1].astype(np.int32)], axis=1)


def pruned(graphs: Cells) -> Cells:
    """Without the vertices that are on no path from the input to the output: they lose their edges and take operation 0. A cell without any
    such path has no edge left."""
    edges, ops = graphs
    fed, feeds = (np.zeros((len(edges), VERTICES), bool) for _ in range(2))
    fed[:, 0], feeds[:, -1] = True, True
    for v in range(1, VERTICES):
        fed[:, v] = (edges[:, :v, v] & fed[:, :v]).any(1)
        feeds[:, -1 - v] = (edges[:, -1 - v] & feeds).any(1)
    live = fed & feeds
    return Cells(edges & live[:, :, None] & live[:, None, :], np.where(live | (ops < 0), ops, 0))


def is_connected(archs: Genes) -> np.ndarray:
    """Whether the output of each of `archs` int `[n, 26]` is reached from the input, bool `[n]`; the benchmark has only such cells."""
    return pruned(cells(archs)).edges.sum((1, 2)) > 0


def is_valid(archs: Genes) -> np.ndarray:
    """Whether the benchmark holds the cell: connected, and at most 9 edges after pruning; bool `[n]` for `archs` int `[n, 26]`."""
    count = pruned(cells(archs)).edges.sum((1, 2))
    return (count > 0) & (count <= MAX_EDGES)


def compact(edges: np.ndarray, ops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One graph without the interior vertices that have no edge: bool `[v, v]` and the operations int `[v - 2]`."""
    used = np.asarray(edges.any(0) | edges.any(1))
    used[[0, -1]] = True
    return edges[np.ix_(used, used)], ops[used][1:-1]


def parse(text: str) -> np.ndarray:
    """The genes int32 `[26]` of `MATRIX:OPERATIONS`, as `jaxzc import nasbench101` writes them: the digits of the square upper-triangular
    matrix row by row, and the names of all vertices from `input` to `output`, comma separated.

    Raises `JaxzcError` that quotes the string: another form, more than 7 vertices, no path from the input to the output.
    """
    form = "MATRIX:OPERATIONS, as in 010001000:input,conv3x3-bn-relu,output"
    digits, colon, names = str(text).strip().partition(":")
    words = [word.strip() for word in names.split(",")]
    size = math.isqrt(len(digits))
    if not isinstance(text, str) or not colon or size * size != len(digits) or not set(digits) <= {"0", "1"}:
        raise _malformed(text, "the matrix is not the digits 0 and 1 of a square", form)
    if not 2 <= size <= VERTICES:
        raise _malformed(text, f"it has {size} vertices", f"2 to {VERTICES}")
    if len(words) != size or words[0] != "input" or words[-1] != "output" or not set(words[1:-1]) <= set(OPS):
        raise _malformed(text, f"the operations are {names!r}", f"input, {size - 2} of {', '.join(OPS)}, output")
    matrix = np.array([digit == "1" for digit in digits]).reshape(size, size)
    if np.tril(matrix).any():
        raise _malformed(text, "an edge leads to the same or an earlier vertex", "a matrix that is zero on and below the diagonal")
    place = [*range(size - 1), VERTICES - 1]
    edges, ops = np.zeros((1, VERTICES, VERTICES), bool), np.zeros((1, VERTICES), np.int32)
    edges[0][np.ix_(place, place)] = matrix
    ops[0, 1 : size - 1] = [OPS.index(word) for word in words[1:-1]]
    arch = genes(Cells(edges, ops))
    if not is_connected(arch)[0]:
        raise _malformed(text, "no path leads from the input to the output", "a connected cell")
    return arch[0]


def _malformed(text: Any, wrong: str, expected: str) -> JaxzcError:
    return JaxzcError(f"{text!r} is no NAS-Bench-101 architecture: {wrong}; expected {expected}")


def to_string(arch: Genes) -> str:
    """`MATRIX:OPERATIONS` of the genes int `[26]`, interior vertices without any edge left out; otherwise the inverse of `parse`."""
    matrix, ops = compact(*(part[0] for part in cells(np.asarray(arch)[None])))
    names = ["input", *(OPS[op] for op in ops), "output"]
    return "".join("01"[int(bit)] for bit in matrix.ravel()) + ":" + ",".join(names)


def module_hash(arch: Genes) -> str:
    """The benchmark's name of the pruned cell, 32 hexadecimal digits, equal for isomorphic cells.

    Every vertex starts with the MD5 of (out-degree, in-degree, operation: -1 input, -2 output) and is hashed, as often as there are
    vertices, together with the sorted hashes of its predecessors and successors; the name is the hash of the sorted list (Ying et al.,
    2019, supplement S1).
    """
    matrix, ops = compact(*(part[0] for part in pruned(cells(np.asarray(arch)[None]))))
    labels = [-1, *ops.tolist(), -2]
    names = [_md5(str(start)) for start in zip(matrix.sum(1).tolist(), matrix.sum(0).tolist(), labels, strict=True)]
    for _ in labels:
        before = [["".join(sorted(n for n, on in zip(names, row, strict=True) if on)) for row in m] for m in (matrix.T, matrix)]
        names = [_md5("|".join(parts)) for parts in zip(*before, names, strict=True)]
    return _md5(str(sorted(names)))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def widths(graphs: Cells, channels: int) -> np.ndarray:
    """Channels of every vertex of a module with `channels` outputs, int64 `[n, 7]`, of pruned graphs: 0 where a vertex does not exist; the
    input's own are not known here and read 0, the output's are `channels`.

    The d interior vertices that lead to the output share its channels, the first (channels mod d) of them having one more; every other
    vertex is as wide as the widest of the vertices it leads to.
    """
    into = graphs.edges[:, :, -1].copy()
    into[:, 0] = False
    share = np.maximum(into.sum(1), 1)
    extra = np.cumsum(into, axis=1) <= (channels % share)[:, None]
    width = np.where(into, (channels // share)[:, None] + extra, 0)
    for v in reversed(range(1, VERTICES - 1)):
        after = np.where(graphs.edges[:, v, v + 1 : -1], width[:, v + 1 : -1], 0).max(1, initial=0)
        width[:, v] = np.where(into[:, v], width[:, v], after)
    width[:, -1] = channels
    return width


def macs_params_layers(archs: Genes, channels: int, modules: int, classes: int, image_shape: tuple[int, ...] = (32, 32, 3)) -> Counts:
    """Exact counts, int64 `[n]` each, for `archs` int `[n, 26]`; the benchmark has channels 128, modules 3 (per stack), 10 classes.

    params: every trainable parameter: convolutions (no bias), normalisation (scale and shift), linear layer (with bias). flops:
    multiply-accumulates of convolutions and the linear layer for one image. layers: convolutions and the linear layer. Pruned vertices
    count nothing. A cell without a path from the input to the output counts stem and head only. Raises `JaxzcError` for invalid genes.
    """
    graphs = pruned(cells(archs))
    height, width, colours = image_shape
    out = np.int64(4 * channels)
    stem = 9 * colours * channels
    params = np.full(len(graphs.ops), stem + 2 * channels + out * classes + classes)
    flops = np.full(len(graphs.ops), stem * height * width + out * classes)
    layers = np.full(len(graphs.ops), 2)
    from_input = graphs.edges[:, 0].astype(np.int64)
    side = {CONV3: 9, CONV1: 1}
    taps = sum(np.where(graphs.ops == op, k, 0) for op, k in side.items())
    for stack in range(3):
        c = channels << stack
        w = widths(graphs, c)
        conv = (taps > 0) & (w > 0)
        norms = (2 * w * (from_input + conv)).sum(1)
        kernels = (np.where(conv, taps, 0) * w * w).sum(1)
        for module in range(modules):
            c_in = c // 2 if stack and module == 0 else c
            weights = kernels + (from_input * w).sum(1) * c_in
            params += weights + norms
            flops += weights * ((height >> stack) * (width >> stack))
            layers += (from_input + conv).sum(1)
    return Counts(params, flops, layers)
