"""A cell whose operations are chosen by integers inside one compiled program: a loop over its edges, and the loop's own derivatives.

A cell is a directed acyclic graph: node 0 is the input, edge e adds `operation(node[source])` to node[target]; edges come in an order in
which every source is complete before it is read. Left to JAX, differentiating a switch saves the residuals of all branches, and a loop
that carries the nodes saves all of them for every edge. So the derivatives are loops written out here, closed under two differentiations:

    value   nodes and the convolutions' outputs y, edge by edge
    pull    cotangents, edges backwards; residuals are the nodes and y, so no convolution is computed twice
    second  the pull's own cotangents (Hessian-vector products), edges forwards

Each loop's body is compiled once for all edges, and an edge costs what its operation costs: a missing one almost nothing.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxzc_spaces.edge_ops import Fixed, Operation

Array = jax.Array
Post = Callable[[Array, Any, Any], tuple[Array, Any]]
"""What follows a convolution: (y, parameters of the edge's normalisation, perturbation) -> (the edge's output, what to keep). It may not
close over traced arrays."""


class Edges(NamedTuple):
    """Arguments of all edges, leading axis [edges]: kernels, one array per kernel slot; norm: pytree of the normalisation's parameters;
    perturb: one pytree per kernel slot, or None."""

    kernels: tuple[Array, ...]
    norm: Any
    perturb: tuple[Any, ...] | None = None


def cell(operations: Sequence[Operation], wiring: Sequence[tuple[int, int]], post: Post) -> Callable[..., tuple[Array, Any]]:
    """The function (genes int `[edges]`, x `[B, H, W, C]`, `Edges`) -> (nodes `[nodes, B, H, W, C]`, what was kept `[edges, ...]`, zeros
    where the operation is no convolution). Differentiable twice by x and the edges; what was kept is constant under differentiation."""
    sources, targets = (np.asarray(ends, np.int32) for ends in zip(*wiring, strict=True))
    count = 1 + max(target for _, target in wiring)

    def branch(operation: Operation, function: Any) -> Any:
        return lambda *arguments: function(operation, *arguments)

    def switch(op: Array, function: Any, *arguments: Any) -> Any:
        return lax.switch(op, [branch(operation, function) for operation in operations], *arguments)

    def edge_value(operation: Operation, nodes: Array, source: Array, edge: Edges) -> Any:
        return _value(operation, nodes[source], edge, post)

    def edge_pull(weights: bool) -> Any:
        """(dx, d edge) of one edge from the cotangents of its output and of y (None: zero); kernels' cotangents only if asked for."""

        def pull(operation: Operation, x: Array, edge: Edges, y: Array, ct: Array, ct_y: Array | None) -> tuple[Array, Edges]:
            zeros = jax.tree.map(jnp.zeros_like, edge)
            if isinstance(operation, Fixed):
                return operation.pull(ct), zeros
            slot = operation.kernel
            w = edge.kernels[slot]
            _, pull_post, _ = jax.vjp(post, y, edge.norm, _slot(edge.perturb, slot), has_aux=True)
            dy, norm, perturb = pull_post(ct)
            dy = dy if ct_y is None else dy + ct_y
            if weights:
                dx, dw = operation.pulls(jax.nn.relu(x), w, dy)
                zeros = zeros._replace(kernels=_put(zeros.kernels, slot, dw))
            else:
                dx = operation.pull(w, dy)
            if edge.perturb is not None:
                zeros = zeros._replace(perturb=_put(zeros.perturb, slot, perturb))
            return jnp.where(x > 0, dx, 0), zeros._replace(norm=norm)

        return pull

    def run(genes: Array, x: Array, edges: Edges) -> tuple[Array, Array, Any]:
        def step(nodes: Array, slices: Any) -> Any:
            op, source, target, edge = slices
            out, y, kept = switch(op, edge_value, nodes, source, edge)
            return nodes.at[target].add(out), (y, kept)

        nodes = jnp.zeros((count, *x.shape), x.dtype).at[0].set(x)
        nodes, (ys, kept) = lax.scan(step, nodes, (genes, sources, targets, edges))
        return nodes, ys, kept

    value = jax.custom_vjp(run)
    pull = {weights: _second_order(edge_pull(weights), switch, sources, targets) for weights in (False, True)}

    def forward(genes: Any, x: Any, edges: Any) -> Any:
        perturbed = any(k.perturbed for k in edges.kernels)
        genes, x, edges = jax.tree.map(lambda p: p.value, (genes, x, edges), is_leaf=_is_primal)
        nodes, ys, kept = value(genes, x, edges)
        return (nodes, ys, kept), (genes, nodes, edges, ys, () if perturbed else None)

    def backward(residuals: Any, cotangents: Any) -> Any:
        genes, nodes, edges, ys, perturbed = residuals
        ct_nodes, ct_ys, _ = cotangents
        dx, d_edges = pull[perturbed is not None](genes, nodes, edges, ys, _array(ct_nodes), None if _is_zero(ct_ys) else ct_ys)
        return None, dx, d_edges

    value.defvjp(forward, backward, symbolic_zeros=True)

    def outputs(genes: Array, x: Array, edges: Edges) -> tuple[Array, Any]:
        nodes, _, kept = value(genes, x, edges)
        return nodes, lax.stop_gradient(kept)

    return outputs


def discrete_cell(operations: Sequence[Operation], wiring: Sequence[tuple[int, int]], post: Post) -> Callable[..., tuple[Any, Any]]:
    """As `cell`, for genes that are Python ints: only the chosen operations are traced, and JAX differentiates them as they stand."""

    def outputs(genes: Sequence[int], x: Array, edges: Edges) -> tuple[list[Array], Any]:
        nodes = {0: x}
        all_kept = []
        for e, (source, target) in enumerate(wiring):
            out, _, kept = _value(operations[genes[e]], nodes.get(source, jnp.zeros_like(x)), jax.tree.map(lambda a, e=e: a[e], edges), post)
            nodes[target] = nodes[target] + out if target in nodes else out
            all_kept.append(kept)
        return [nodes[n] for n in sorted(nodes)], lax.stop_gradient(jax.tree.map(lambda *a: jnp.stack(a), *all_kept))

    return outputs


def _value(operation: Operation, x: Array, edge: Edges, post: Post) -> tuple[Array, Array, Any]:
    """(output, y, what was kept) of one edge; y and what was kept are zeros where the operation is no convolution."""
    if isinstance(operation, Fixed):
        y = jnp.zeros_like(x)
        kept = jax.eval_shape(lambda: post(y, edge.norm, _slot(edge.perturb, 0))[1])
        return operation.value(x), y, jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), kept)
    y = operation.value(jax.nn.relu(x), edge.kernels[operation.kernel])
    out, kept = post(y, edge.norm, _slot(edge.perturb, operation.kernel))
    return out, y, kept


def _second_order(edge_pull: Any, switch: Any, sources: np.ndarray, targets: np.ndarray) -> Any:
    """The pull of a whole cell: (genes, nodes, edges, ys, ct_nodes, ct_ys) -> (dx, d edges), with a derivative of its own."""

    def run(genes: Array, nodes: Array, edges: Edges, ys: Array, ct_nodes: Array, ct_ys: Any) -> Any:
        def on_edge(operation: Operation, cts: Array, source: Array, target: Array, edge: Edges, y: Array, ct_y: Any) -> Any:
            return edge_pull(operation, nodes[source], edge, y, cts[target], ct_y)

        def step(cts: Array, slices: Any) -> Any:
            op, source, target, edge, y, ct_y = slices
            dx, d_edge = switch(op, on_edge, cts, source, target, edge, y, ct_y)
            return cts.at[source].add(dx), d_edge

        return lax.scan(step, ct_nodes, (genes, sources, targets, edges, ys, ct_ys), reverse=True)

    @jax.custom_vjp
    def pull(genes: Array, nodes: Array, edges: Edges, ys: Array, ct_nodes: Array, ct_ys: Any) -> Any:
        cts, d_edges = run(genes, nodes, edges, ys, ct_nodes, ct_ys)
        return cts[0], d_edges

    def forward(genes: Array, nodes: Array, edges: Edges, ys: Array, ct_nodes: Array, ct_ys: Any) -> Any:
        cts, d_edges = run(genes, nodes, edges, ys, ct_nodes, ct_ys)
        return (cts[0], d_edges), (genes, nodes, edges, ys, cts, ct_ys)

    def backward(residuals: Any, cotangents: Any) -> Any:
        genes, nodes, edges, ys, cts, ct_ys = residuals
        u, u_edges = cotangents

        def on_edge(operation: Operation, us: Array, source: Array, target: Array, edge: Edges, y: Array, ct_y: Any, u_edge: Edges) -> Any:
            pull_back = jax.vjp(lambda *a: edge_pull(operation, *a), nodes[source], edge, y, cts[target], ct_y)[1]
            return pull_back((us[source], u_edge))

        def step(carry: Any, slices: Any) -> Any:
            us, d_nodes = carry
            op, source, target, edge, y, ct_y, u_edge = slices
            dx, d_edge, dy, d_ct, d_ct_y = switch(op, on_edge, us, source, target, edge, y, ct_y, u_edge)
            return (us.at[target].add(d_ct), d_nodes.at[source].add(dx)), (d_edge, dy, d_ct_y)

        us = jnp.zeros_like(nodes).at[0].set(u)
        carry = (us, jnp.zeros_like(nodes))
        (us, d_nodes), (d_edges, dys, d_ct_ys) = lax.scan(step, carry, (genes, sources, targets, edges, ys, ct_ys, u_edges))
        return None, d_nodes, d_edges, dys, us, d_ct_ys

    pull.defvjp(forward, backward)
    return pull


def _slot(perturb: tuple[Any, ...] | None, slot: int) -> Any:
    return None if perturb is None else perturb[slot]


def _put(items: tuple[Any, ...], slot: int, item: Any) -> tuple[Any, ...]:
    return (*items[:slot], item, *items[slot + 1 :])


def _is_primal(leaf: Any) -> bool:
    return hasattr(leaf, "perturbed")


def _is_zero(cotangent: Any) -> bool:
    return isinstance(cotangent, jax.custom_derivatives.SymbolicZero)


def _array(cotangent: Any) -> Array:
    return jnp.zeros(cotangent.shape, cotangent.dtype) if _is_zero(cotangent) else cotangent
