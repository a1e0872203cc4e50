"""NAS-Bench-201 cells as graphs whose nodes are operations: what a graph network reads."""

import numpy as np

from jaxzc.spacekit.vectors import check_vectors
from jaxzc.types import Genes
from jaxzc_spaces.nasbench201.encoding import CHOICES, EDGES, OPS

INPUT, OUTPUT = len(OPS), len(OPS) + 1
"""Labels of the two nodes that are no operation."""


def graph(archs: Genes) -> tuple[np.ndarray, np.ndarray]:
    """Adjacency bool `[n, 8, 8]` and labels int `[n, 8]` of architectures int `[n, 6]`: the input, the six operations in the order of the
    official string, the output. Entry (a, b) is True where b reads what a gives. Labels are indices in `OPS`, then `INPUT`, `OUTPUT`.

    All cells have the same edges: an operation none is a node with that label. Source: BRP-NAS (Dudziak et al., NeurIPS 2020), section 3.1.
    Raises `JaxzcError` for invalid genes.
    """
    genes = check_vectors(CHOICES, archs).astype(np.int64)
    reads = np.zeros((8, 8), bool)
    for a, (source, target) in enumerate(EDGES, start=1):
        reads[0, a] = source == 0
        reads[a, 7] = target == 3
        for b, (after, _) in enumerate(EDGES, start=1):
            reads[a, b] = target == after
    labels = np.pad(genes, ((0, 0), (1, 1)), constant_values=((0, 0), (INPUT, OUTPUT)))
    return np.broadcast_to(reads, (len(genes), 8, 8)), labels
