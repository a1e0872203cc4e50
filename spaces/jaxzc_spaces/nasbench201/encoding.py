"""NAS-Bench-201 without its network: genes, official strings, isomorphism classes, dead edges and exact counts; numpy only.

A cell has four nodes, 0 (its input) to 3 (its output), and one operation on each of the six edges from a lower to a higher node; a node is
the sum of what its edges deliver. An architecture is int32 `[6]`: gene `e` is the index in `OPS` of the operation on `EDGES[e]`.
Source: Dong & Yang, NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search, ICLR 2020.
"""

import functools

import numpy as np

from jaxzc.spacekit.vectors import check_vector, check_vectors, enumerate_vectors
from jaxzc.types import Counts, Genes, JaxzcError
from jaxzc_spaces.cells import isomorphism as cell_isomorphism
from jaxzc_spaces.cells.isomorphism import IDENTITY, LAYER, NOTHING, POOLING

OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(source node, target node) of each gene, in the order of the official string."""
CHOICES = (len(OPS),) * len(EDGES)
NONE, SKIP, CONV1, CONV3, POOL = range(len(OPS))

_FORM = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"


def parse(text: str) -> np.ndarray:
    """The genes int32 `[6]` of an official string such as `|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|`.

    White space around the string is ignored. Raises `JaxzcError` that quotes the string, says what is wrong where, and what was expected.
    """
    if not isinstance(text, str):
        raise JaxzcError(f"{text!r} is no NAS-Bench-201 architecture: it is a {type(text).__name__}; expected a string {_FORM}")
    nodes = text.strip().split("+")
    if len(nodes) != 3:
        raise _malformed(text, f"it has {len(nodes)} nodes separated by '+'", f"3, as in {_FORM}")
    return np.array([gene for k, node in enumerate(nodes, start=1) for gene in _parse_node(text, k, node)], np.int32)


def _parse_node(text: str, k: int, node: str) -> list[int]:
    form = "|" + "".join(f"op~{source}|" for source in range(k))
    if len(node) < 2 or node[0] != "|" or node[-1] != "|":
        raise _malformed(text, f"node {k}, {node!r}, lacks a '|' at its beginning or end", f"the form {form}")
    edges = node[1:-1].split("|")
    if len(edges) != k:
        raise _malformed(text, f"node {k}, {node!r}, has {len(edges)} edges", f"{k}, as in {form}")
    genes = []
    for source, edge in enumerate(edges):
        op, tilde, number = edge.partition("~")
        if not tilde:
            raise _malformed(text, f"edge {edge!r} of node {k} has no '~'", f"an operation and its input, op~{source}")
        if op not in OPS:
            raise _malformed(text, f"edge {edge!r} of node {k} has the unknown operation {op!r}", f"one of {', '.join(OPS)}")
        if number != str(source):
            raise _malformed(text, f"edge {edge!r} of node {k} has the input {number!r}", f"{source}: inputs come in order, {form}")
        genes.append(OPS.index(op))
    return genes


def _malformed(text: str, wrong: str, expected: str) -> JaxzcError:
    return JaxzcError(f"{text!r} is no NAS-Bench-201 architecture: {wrong}; expected {expected}")


def to_string(arch: Genes) -> str:
    """The official string of the genes int `[6]`; the inverse of `parse`. Raises `JaxzcError` for invalid genes."""
    edges = [f"{OPS[op]}~{source}" for op, (source, _) in zip(check_vector(CHOICES, arch), EDGES, strict=True)]
    return "+".join(f"|{'|'.join(node)}|" for node in (edges[:1], edges[1:3], edges[3:]))


def canonical(archs: Genes) -> np.ndarray:
    """For each of `archs` int `[n, 6]` the representative of its isomorphism class, int32 `[n, 6]`: the class's smallest genes in
    lexicographic order. The classes are the 6,466 that the benchmark's authors count ("considering zero and skip").

    They are equal texts, and the rules below are exactly theirs. Node 0 reads `0`. An edge reads `#` if its operation is none or its source
    reads `#`; what its source reads if its operation is skip_connect; `(source)@operation` otherwise. A node reads what its edges read,
    sorted as text and joined by `+`. Two architectures are of one class if their output nodes read the same. Hence:
    - merged: the order of a sum's operands; a path through skip connections and the direct edge; whatever leaves a node 1 that is zero.
    - not merged: sums that differ only in zero operands, so that a node 2 that reads `#+#` is not known to be zero, and nodes 1 and 2 do
      not change places (node 2 keeps the zero of its edge from node 1); nor regroupings of the sum that a skip brings from node 2 to
      node 3, unless the texts happen to be equal (that sum is sorted as one operand).
    The members of a class compute the same function wherever equal subexpressions have equal weights (dropping zeros and flattening sums
    would leave 4,930 classes of this kind). But `x+x` does not tell one convolution used twice from two convolutions with weights of their
    own, and a convolution that reads or feeds zero leaves no trace. So members of a class may differ in parameters, in convolutions that
    have an effect, and therefore in scores and in accuracy.

    Raises `JaxzcError` for invalid genes. The first call builds a table of the whole space (about 0.1 s).
    """
    return _representatives()[np.ravel_multi_index(tuple(check_vectors(CHOICES, archs).T), CHOICES)]


@functools.cache
def _representatives() -> np.ndarray:
    """int32 `[15625, 6]`: for every architecture, in lexicographic order, the first one with the same text."""
    space = enumerate_vectors(CHOICES)
    first: dict[str, int] = {}
    table = space[[first.setdefault(_expression(genes), row) for row, genes in enumerate(space.tolist())]]
    table.flags.writeable = False
    return table


def same_network(archs: Genes) -> np.ndarray:
    """For each of `archs` int `[n, 6]` the smallest genes, in lexicographic order, of those that are the same network with weights drawn
    anew, int32 `[n, 6]`: 6,410 networks, equal in counts and, in distribution, in every score. (`canonical` differs in both directions.)

    A convolution that has no effect is there, for its ReLU counts in naswot and its weights in counts; a pooling that has none is not.
    Raises `JaxzcError` for invalid genes. The first call builds a table of the whole space (about 0.6 s).
    """
    return _networks()[np.ravel_multi_index(tuple(check_vectors(CHOICES, archs).T), CHOICES)]


@functools.cache
def _networks() -> np.ndarray:
    kinds = {NONE: NOTHING, SKIP: IDENTITY, CONV1: LAYER, CONV3: LAYER, POOL: POOLING}
    return cell_isomorphism.networks(CHOICES, EDGES, [[kinds[op] for op in range(len(OPS))]] * len(EDGES))


def _expression(genes: list[int]) -> str:
    nodes = ["0"]
    for target in (1, 2, 3):
        edges = [_operand(op, nodes[s]) for op, (s, t) in zip(genes, EDGES, strict=True) if t == target]
        nodes.append("+".join(sorted(edges)))
    return nodes[3]


def _operand(op: int, source: str) -> str:
    if op == NONE or source == "#":
        return "#"
    return source if op == SKIP else f"({source})@{OPS[op]}"


def dead_edges(archs: Genes) -> np.ndarray:
    """Which edges do something that has no effect, bool `[n, 6]`, for `archs` int `[n, 6]`.

    An edge is dead if its operation is not none, and its source is always zero or its target never reaches the output node. The benchmark's
    network evaluates dead edges nevertheless. "Always zero" holds at initialisation, where normalisation has no shift. Raises `JaxzcError`
    for invalid genes.
    """
    used = check_vectors(CHOICES, archs) != NONE
    fed = [np.ones(len(used), bool), *np.zeros((3, len(used)), bool)]
    reaches = [*np.zeros((3, len(used)), bool), np.ones(len(used), bool)]
    for edge, (source, target) in enumerate(EDGES):
        fed[target] = fed[target] | (used[:, edge] & fed[source])
    for edge, (source, target) in reversed(list(enumerate(EDGES))):
        reaches[source] = reaches[source] | (used[:, edge] & reaches[target])
    alive = np.stack([fed[source] & reaches[target] for source, target in EDGES], axis=1)
    return used & ~alive


def macs_params_layers(archs: Genes, channels: int, cells: int, classes: int, image_shape: tuple[int, ...] = (32, 32, 3)) -> Counts:
    """Exact counts of the official network, int64 `[n]` each, for `archs` int `[n, 6]`.

    channels, cells: of the first stage (C) and of each stage (N); the benchmark has 16 and 5. image_shape: (height, width, channels).
    params: every trainable parameter: convolutions (no bias), normalisation (scale and shift), linear layer (with bias).
    flops: multiply-accumulates of convolutions and the linear layer for one image; bias, normalisation, pooling and sums count nothing.
    layers: convolutions and the linear layer. All three include the edges that `dead_edges` finds: the network evaluates them.

    Raises `JaxzcError` for invalid genes, sizes that are not positive, a height or width that 4 does not divide (the two halves of a
    reduction, a padded convolution and a pooling, would disagree on the size), and counts that int64 does not hold.
    """
    genes = check_vectors(CHOICES, archs)
    height, width, colours = image_shape
    for name, value in (("channels", channels), ("cells", cells), ("classes", classes), ("image channels", colours)):
        if value < 1:
            raise JaxzcError(f"{name} = {value}; expected at least 1")
    if height < 4 or width < 4 or height % 4 or width % 4:
        raise JaxzcError(f"images are {height} x {width}; expected multiples of 4: the network halves them twice. Resize or crop them")

    stem, head = 9 * colours * channels, 4 * channels * classes
    # Of everything but the edges, of one 1x1 edge, of one 3x3 edge; Python integers, which cannot overflow.
    params = [stem + 2 * channels + 2 * 4 * channels + head + classes, 0, 0]
    flops = [stem * height * width + head, 0, 0]
    for stage in range(3):
        c = channels << stage
        positions = (height >> stage) * (width >> stage)
        for kind, kernel in ((1, c * c), (2, 9 * c * c)):
            params[kind] += cells * (kernel + 2 * c)
            flops[kind] += cells * kernel * positions
        if stage > 0:
            # The block before this stage: 3x3 from half the channels, 3x3, and the 1x1 shortcut, all at the smaller size.
            kernels = 9 * (c // 2) * c + 9 * c * c + (c // 2) * c
            params[0] += kernels + 4 * c
            flops[0] += kernels * positions
    layers = [1 + 2 * 3 + 1, 3 * cells, 3 * cells]

    edges = np.stack([(genes == op).sum(axis=1, dtype=np.int64) for op in (CONV1, CONV3)], axis=1)
    return Counts(params=_linear(params, edges), flops=_linear(flops, edges), layers=_linear(layers, edges))


def _linear(terms: list[int], edges: np.ndarray) -> np.ndarray:
    largest = terms[0] + len(EDGES) * terms[2]
    if largest >= 2**63:
        raise JaxzcError(f"a network of the space counts {largest}, more than int64 holds; expected fewer channels, cells or pixels")
    return terms[0] + edges @ np.array(terms[1:], np.int64)
