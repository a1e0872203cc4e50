"""What a loop over the edges of a graph has at one edge, whose operation is data."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxzc_spaces.cells.edge import PROGRAMMED, Alone, Chosen, Edges, Place, Post, Together, call
from jaxzc_spaces.cells.ops import ZERO, Convolution, Fixed, Operation
from jaxzc_spaces.core import lanes, stacked

Array = jax.Array


class Kinds:
    """The operations that an edge may have, by gene. Convolutions are one branch of a switch, operations without kernels one each.

    zero: the gene of the zero operation. branch, which, numbers: gene -> branch, which of the convolutions (-1: none), and number in
    `PROGRAMMED` (-1: none). programmed: whether `side_by_side` knows all of them."""

    def __init__(self, operations: Sequence[Operation]):
        self.zero = operations.index(ZERO)
        self.fixed = [o for o in operations if isinstance(o, Fixed) and o is not ZERO]
        self.convolutions = tuple(o for o in operations if isinstance(o, Convolution))
        convolution, nothing = len(self.fixed), len(self.fixed) + 1
        self.branch = [convolution if isinstance(o, Convolution) else nothing if o is ZERO else self.fixed.index(o) for o in operations]
        self.which = [self.convolutions.index(o) if isinstance(o, Convolution) else -1 for o in operations]
        self.numbers = [PROGRAMMED.index(o) if o in PROGRAMMED else -1 for o in operations]
        self.programmed = all(o is ZERO or o in PROGRAMMED for o in operations)


class Visit(NamedTuple):
    """Edge e. every: whether the loop visits every edge, of architectures side by side. gene: of the edge. source, target: numbers of its
    nodes."""

    kinds: Kinds
    post: Post
    every: bool
    e: Array
    gene: Array
    source: Array
    target: Array

    @property
    def rows(self) -> Any:
        """The functions `at` and `put`: of architectures side by side, or of one."""
        return lanes if self.every else stacked

    @property
    def chosen(self) -> Chosen:
        return Chosen(self.kinds.convolutions, self._of(self.kinds.which), together=self.every)

    def switch(self, function: Callable[[Any], Any]) -> Any:
        """`function(operation)`, with the operation that the edge has."""
        operations = [*self.kinds.fixed, self.chosen, *([ZERO] if self.every else [])]
        return lax.switch(self._of(self.kinds.branch), [call(function, o) for o in operations])

    def run(self, function: Callable[[Alone | Together], Any], nodes: Array, edges: Edges) -> Any:
        """`function(edge)`, of architectures side by side where one program computes their operations, else of one."""
        place = Place(self.post, nodes, self.source, edges, self.e)
        if self.every and self.kinds.programmed and self.chosen.served(nodes[0], stacked.at(edges.kernels, 0)):
            return function(Together(self._of(self.kinds.numbers), self.chosen, place))
        return self.switch(lambda operation: function(Alone(operation, place)))

    def _of(self, table: Sequence[int]) -> Array:
        return jnp.asarray(table, jnp.int32)[self.gene]
