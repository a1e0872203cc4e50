"""Cells whose operations are data: one compiled program runs every architecture, by a loop over edges with hand-written derivatives.

A graph is a directed acyclic graph of nodes. The first node starts with the input, the others mostly with zeros. Edge e adds
`operation(node[source])` to node[target]. Edges are ordered so that every source is complete before it is read.

**Why hand-written derivatives.** JAX differentiates a `switch` by saving the residuals of all its branches, and a loop that carries the
nodes by saving all nodes at every edge. Both multiply memory and the time to fill it. Three loops replace what JAX would do; they are
closed under two differentiations, which is what gradients and Hessian-vector products need:

    value   the nodes, and the convolutions' outputs y, edge by edge
    pull    (first derivative) cotangents, edges backwards; its residuals are the nodes and y, so no convolution is computed twice
    second  (derivative of the pull) cotangents of its inputs from those of its outputs, edges forwards

Residuals stay small because an edge's contribution is a function of its source node and its y alone, and because a node is final once it is
read: the nodes after the loop are the nodes that every edge saw.

**What was tried** (`benchmarks/README.md`, history of NAS-Bench-201's program; seconds for one architecture's grad_norm, grasp):

    six edges unrolled, normalisation for every edge, `scan` over cells                       1.17  4.45
    one loop over edges, hand-written derivatives, normalisation inside the branch            1.02  3.52
    one loop for a whole stage of cells; only live edges are visited                          0.71  2.04
    indices declared non-negative; both convolutions in one branch                            0.60  1.69

The arithmetic was never the bottleneck: filling and copying buffers was. On a GPU it was waiting: for the processor, after every edge.

**Beware:**

- An edge must add to its target and do nothing else, and may read its source only. Otherwise the final nodes are not valid residuals.
- The zero operation is not a branch, but on GPUs: its edges are never visited, and their slots in stacked results stay zero.
- Tapped values are constant under differentiation (`stop_gradient`); a proxy that wants gradients of outputs perturbs them instead.
- `symbolic_zeros` lets an input gradient skip all weight gradients. The residual `by_weights` is `()` or None, not a bool: it has to be
  a pytree without leaves that Python can test.
- A third derivative is not defined here: differentiating `second` falls back on JAX and its memory, and on a GPU is refused.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxzc._compile.platforms import by_platform
from jaxzc.types import Genes, PyTree
from jaxzc_spaces.cells.edge import Alone, Edges, Post, Together, edge_pull, edge_value
from jaxzc_spaces.cells.ops import ZERO, Operation
from jaxzc_spaces.cells.visit import Kinds, Visit
from jaxzc_spaces.core.stacked import at, zeros

Array = jax.Array
Wiring = Sequence[tuple[int, int]]
"""(source, target) of every edge."""


def repeated(wiring: Wiring, count: int) -> list[tuple[int, int]]:
    """The wiring of `count` graphs in sequence: the last node of one is the first node of the next."""
    last = max(target for _, target in wiring)
    return [(source + last * k, target + last * k) for k in range(count) for source, target in wiring]


def begin(wiring: Wiring, x: Array) -> Array:
    """Initial values `[nodes, B, H, W, C]` of a graph's nodes: the input x `[B, H, W, C]` at the first, zeros at the others."""
    return jnp.zeros((1 + max(target for _, target in wiring), *x.shape), x.dtype).at[0].set(x)


def without_dead_edges(operations: Sequence[Operation], wiring: Wiring, genes: Array) -> Array:
    """Genes int `[edges]` with the zero operation on every dead edge: one from which no path of operations leads to the last node."""
    zero = operations.index(ZERO)
    last = max(target for _, target in wiring)
    reaches = {last: jnp.ones((), bool)}
    live: dict[int, Array] = {}
    for e, (source, target) in reversed(list(enumerate(wiring))):
        live[e] = (genes[e] != zero) & reaches.get(target, jnp.zeros((), bool))
        reaches[source] = reaches.get(source, jnp.zeros((), bool)) | live[e]
    return jnp.where(jnp.stack([live[e] for e in range(len(wiring))]), genes, zero)


def graph(operations: Sequence[Operation], wiring: Wiring, post: Post) -> Callable[..., tuple[Array, PyTree]]:
    """A function (genes, start, edges) -> (nodes, tapped) that runs the graph.

    genes: int `[edges]`, may be traced. start: initial values of the nodes `[nodes, B, H, W, C]`. edges: an `Edges`, stacked over edges.
    nodes: final values, of the shape of `start`. tapped: what the tap returned, `[edges, ...]`, zeros where the operation is no
    convolution; constant under differentiation.
    The function can be differentiated twice by `start` and `edges`.
    """
    loop = _Loop(operations, wiring, post)
    value = jax.custom_vjp(loop.on(loop.value))
    pull = {weights: _pull(loop, weights) for weights in (False, True)}

    def forward(genes: Genes, start: Any, edges: Any) -> Any:
        by_weights = any(k.perturbed for k in edges.kernels)
        genes, start, edges = jax.tree.map(lambda p: p.value, (genes, start, edges), is_leaf=lambda leaf: hasattr(leaf, "perturbed"))
        nodes, ys, tapped = value(genes, start, edges)
        # () or None: a Python value that the residuals can carry, so that input gradients pay for no weight gradients.
        return (nodes, ys, tapped), (genes, nodes, edges, ys, () if by_weights else None)

    def backward(residuals: PyTree, cotangents: Any) -> Any:
        genes, nodes, edges, ys, by_weights = residuals
        ct_nodes, ct_ys, _ = (None if _is_zero(ct) else ct for ct in cotangents)
        ct_nodes = jnp.zeros_like(nodes) if ct_nodes is None else ct_nodes
        return None, *pull[by_weights is not None](genes, nodes, edges, ys, ct_nodes, ct_ys)

    value.defvjp(forward, backward, symbolic_zeros=True)

    def outputs(genes: Array, start: Array, edges: Edges) -> tuple[Array, PyTree]:
        nodes, _, tapped = value(genes, start, edges)
        return nodes, lax.stop_gradient(tapped)

    return outputs


class _Loop:
    """The loops over the edges of one graph."""

    def __init__(self, operations: Sequence[Operation], wiring: Wiring, post: Post):
        self.post = post
        self.sources, self.targets = np.asarray(wiring, np.int32).T
        self.kinds = Kinds(operations)

    def on(self, run: Callable[..., Any]) -> Callable[..., Any]:
        """`run(every, ...)` for the platform that a program is lowered for: `every` says whether the loop visits every edge, also those of
        the zero operation.

        On a GPU it does. A loop whose length is known needs no word from the processor after each step, and its edges are the same for all
        architectures that are side by side."""
        few = partial(run, False)
        return lambda *arguments: by_platform(partial(run, True), *arguments, cpu=few, tpu=few)

    def over(self, every: bool, genes: Array, visit: Callable[[Visit, Any], Any], carry: PyTree, backwards: bool = False) -> Any:
        """Runs `carry = visit(here, carry)` for every edge, or every one that has an operation, in order or backwards. here: the `Visit` of
        an edge."""
        present = genes != self.kinds.zero
        order = jnp.argsort(~present, stable=True)
        count = len(genes) if every else present.sum()

        def step(i: Array, carry: PyTree) -> Any:
            number = count - 1 - i if backwards else i
            e = number if every else at(order, number)
            return visit(Visit(self.kinds, self.post, every, e, at(genes, e), *self.ends(e)), carry)

        return lax.fori_loop(0, count, step, carry)

    def ends(self, e: Array) -> tuple[Array, Array]:
        """Numbers of the source and the target of edge e."""
        return at(jnp.asarray(self.sources), e), at(jnp.asarray(self.targets), e)

    def value(self, every: bool, genes: Array, start: Array, edges: Edges) -> tuple[Array, Array, Any]:
        """Final nodes `[nodes, B, H, W, C]`, outputs of convolutions `[edges, ...]`, and what the tap returned `[edges, ...]`."""

        def visit(here: Visit, carry: PyTree) -> Any:
            nodes, ys, tapped = carry
            at, put = here.rows.at, here.rows.put

            def on_edge(edge: Alone | Together) -> Any:
                out, y, tapped_here = edge.value()
                return at(nodes, here.target) + out, y, tapped_here

            node, y, tapped_here = here.run(on_edge, nodes, edges)
            return put(nodes, here.target, node), put(ys, here.e, y), put(tapped, here.e, tapped_here)

        shapes = jax.eval_shape(lambda x, edge: edge_value(ZERO, self.post, x, edge), start[0], at(edges, 0))
        return self.over(every, genes, visit, (start, *(zeros(s, len(genes)) for s in shapes[1:])))

    def pull(
        self, weights: bool, every: bool, genes: Array, nodes: Array, edges: Edges, ys: Array, cts: Array, ct_ys: Any
    ) -> tuple[Array, Edges]:
        """Cotangents of the initial nodes and of the edges, from those of the final nodes (`cts`) and of the outputs (`ct_ys`, or None).

        weights: whether weight gradients are wanted; without it those of the kernels are zero."""

        def visit(here: Visit, carry: PyTree) -> Any:
            cts, d_edges = carry
            at, put = here.rows.at, here.rows.put

            def on_edge(edge: Alone | Together) -> Any:
                dx, d_edge = edge.pull(weights, at(ys, here.e), at(cts, here.target), at(ct_ys, here.e))
                return at(cts, here.source) + dx, d_edge

            ct, d_edge = here.run(on_edge, nodes, edges)
            return put(cts, here.source, ct), put(d_edges, here.e, d_edge)

        return self.over(every, genes, visit, (cts, jax.tree.map(jnp.zeros_like, edges)), backwards=True)

    def second(self, weights: bool, every: bool, residuals: PyTree, us: Array, u_edges: Edges) -> Any:
        """The pull's derivative: cotangents of its inputs (nodes, edges, ys, cts, ct_ys) from those of its outputs (`us`, `u_edges`)."""
        genes, nodes, edges, ys, cts, ct_ys = residuals

        def visit(here: Visit, carry: PyTree) -> Any:
            us, d_nodes, d_edges, d_ys, d_ct_ys = carry
            e, source, target, at, put = here.e, here.source, here.target, here.rows.at, here.rows.put

            def on_edge(operation: Operation) -> Any:
                def pull(*arguments: Any) -> Any:
                    return edge_pull(operation, self.post, weights, *arguments)

                arguments = at(nodes, source), at(edges, e), at(ys, e), at(cts, target), at(ct_ys, e)
                dx, d_edge, dy, d_ct, d_ct_y = jax.vjp(pull, *arguments)[1]((at(us, source), at(u_edges, e)))
                return at(us, target) + d_ct, at(d_nodes, source) + dx, d_edge, dy, d_ct_y

            u, d_node, d_edge, dy, d_ct_y = here.switch(on_edge)
            return put(us, target, u), put(d_nodes, source, d_node), *put((d_edges, d_ys, d_ct_ys), e, (d_edge, dy, d_ct_y))

        zeros = jax.tree.map(jnp.zeros_like, (nodes, edges, ys, ct_ys))
        us, d_nodes, d_edges, d_ys, d_ct_ys = self.over(every, genes, visit, (us, *zeros))
        return d_nodes, d_edges, d_ys, us, d_ct_ys


def _pull(loop: _Loop, weights: bool) -> Any:
    """The pull (genes, nodes, edges, ys, ct_nodes, ct_ys) -> (d start, d edges), with `_Loop.second` as its derivative."""

    first, second = loop.on(partial(loop.pull, weights)), loop.on(partial(loop.second, weights))

    def forward(*arguments: Any) -> Any:
        cts, d_edges = first(*arguments)
        *inputs, _, ct_ys = arguments
        return (cts, d_edges), (*inputs, cts, ct_ys)

    pull = jax.custom_vjp(first)
    pull.defvjp(forward, lambda residuals, cotangents: (None, *second(residuals, *cotangents)))
    return pull


def _is_zero(cotangent: PyTree) -> bool:
    return isinstance(cotangent, jax.custom_derivatives.SymbolicZero)
