"""A DARTS cell whose operations and sources are traced: a loop over its steps, and the loop's own derivatives.

The states of a cell are its two inputs, its four nodes, and for each edge the middle of a separable convolution. Step (e, 0) of edge e
reads its source and adds to its node, or, of a separable convolution, to its middle state, from which step (e, 1) goes on to the node.

As in `cell_program`: left to JAX, differentiating a switch saves the residuals of all branches, and a loop that carries states saves
all of them for every step. So the loop's derivatives are loops written out here, closed under two differentiations, whose residuals are
the states; within a step, whose convolutions are computed again, they are JAX's.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxzc.types import Array, PyTree
from jaxzc_spaces.core.stacked import at, put, zeros
from jaxzc_spaces.darts.steps import Branch, Inputs

EDGES, NODES = 8, 4
STEPS = 2 * EDGES
STATES = 2 + NODES + EDGES
NONE, MAX_POOL, AVG_POOL, SKIP, SEP3, SEP5, DIL3, DIL5 = range(8)
"""Operations, in the order of the genes."""


class Plan(NamedTuple):
    """The steps of a cell: int `[16]`, step (e, part) at 2 e + part. present: 1 where the step exists; source, target: states;
    strided: 1 where it halves an input of the cell; operation: 0 maximum, 1 mean, 2 identity, 3 convolution step; reach, dilation."""

    present: Array
    source: Array
    target: Array
    strided: Array
    operation: Array
    reach: Array
    dilation: Array


def plan(genes: Array, reduction: bool) -> Plan:
    """The plan of a cell's genes `[16]`: for each edge the operation and the state it reads."""
    op, source = genes.reshape(EDGES, 2).astype(jnp.int32).T
    edge = jnp.arange(EDGES)
    middle, node, twice = 2 + NODES + edge, 2 + edge // 2, (op == SEP3) | (op == SEP5)

    def steps(first: Array, second: Any) -> Array:
        both = [jnp.broadcast_to(jnp.asarray(of, jnp.int32), (EDGES,)) for of in (first, second)]
        return jnp.stack(both, 1).reshape(STEPS)

    return Plan(
        steps(op != NONE, twice),
        steps(source, middle),
        steps(jnp.where(twice, middle, node), node),
        steps((source < 2) & reduction, False),
        jnp.repeat(jnp.clip(op - 1, 0, 3), 2),
        jnp.repeat(jnp.where((op == SEP5) | (op == DIL5), 2, 1), 2),
        jnp.repeat(jnp.where((op == DIL3) | (op == DIL5), 2, 1), 2),
    )


def loop(choices: Sequence[Branch]) -> Callable[..., tuple[Array, dict[str, Any]]]:
    """The function (`Plan`, states at the start `[14, B, H, W, C]`, inputs of twice the size `[2, B, 2H, 2W, C]` or None, arguments:
    `steps`, leading axis [16], and `edges`, leading axis [8]) -> (the states at the end; what was kept by slot `[16, ...]`, `fr`: `[8,
    ...]`, zeros where the step has not the slot). Differentiable twice by the states, inputs and arguments; what was kept is constant under
    differentiation."""

    @jax.custom_vjp
    def value(plan: Plan, start: Array, full: PyTree, arguments: PyTree) -> tuple[Array, PyTree]:
        shapes: dict[str, Any] = {}
        for branch in choices:
            shapes |= jax.eval_shape(branch, _read(plan, start, full, arguments, 0), plan.reach[0], plan.dilation[0])[1]
        nothing = zeros(shapes)

        def visit(s: Array, carry: PyTree) -> Any:
            states, records = carry
            run = [lambda *args, b=branch: _filled(b(*args), nothing) for branch in choices]
            out, written = _switch(plan, s, run, _read(plan, states, full, arguments, s), *_shape(plan, s))
            now = {name: put(records[name], s // 2 if name == "fr" else s, written[name]) for name in records}
            return _add(states, at(plan.target, s), out), now

        records = {name: zeros(shape, EDGES if name == "fr" else STEPS) for name, shape in shapes.items()}
        return _over(plan, visit, (start, records))

    def pulls(plan: Plan, s: Array) -> list[Any]:
        return [lambda read, ct, b=branch: jax.vjp(lambda read: b(read, *_shape(plan, s))[0], read)[1](ct)[0] for branch in choices]

    @jax.custom_vjp
    def pull(plan: Plan, states: Array, full: PyTree, arguments: PyTree, cts: Array) -> Any:
        """Cotangents of all states, of the inputs of twice the size and of the arguments."""

        def visit(s: Array, carry: PyTree) -> Any:
            d: Inputs = _switch(plan, s, pulls(plan, s), _read(plan, states, full, arguments, s), at(carry[0], at(plan.target, s)))
            return _accumulated(plan, s, carry, d)

        return _over(plan, visit, (cts, *jax.tree.map(jnp.zeros_like, (full, arguments))), backwards=True)

    def second(saved: Any, us: Any) -> Any:
        """Cotangents of the pull's inputs from those of its outputs."""
        plan, states, full, arguments, cts = saved
        of_states, of_full, of_arguments = us

        def visit(s: Array, carry: PyTree) -> Any:
            of_states, slopes = carry
            run = [lambda read, ct, u, f=f: jax.vjp(f, read, ct)[1](u) for f in pulls(plan, s)]
            target, read = at(plan.target, s), _read(plan, states, full, arguments, s)
            u = _read(plan, of_states, of_full, of_arguments, s)
            d, d_ct = _switch(plan, s, run, read, at(cts, target), u)
            return _add(of_states, target, d_ct), _accumulated(plan, s, slopes, d)

        of_states, slopes = _over(plan, visit, (of_states, jax.tree.map(jnp.zeros_like, (states, full, arguments))))
        return None, *slopes, of_states

    # Copies: JAX 0.10 confuses residuals that are a rule's own arguments where a scan is differentiated twice.
    def forward(*operands: Any) -> Any:
        states, records = value(*operands)
        plan, _, full, arguments = operands
        return (states, records), jax.tree.map(jnp.copy, (plan, states, full, arguments))

    def forward_pull(*operands: Any) -> Any:
        slopes = pull(*operands)
        return slopes, jax.tree.map(jnp.copy, (*operands[:-1], slopes[0]))

    value.defvjp(forward, lambda saved, cts: (None, *pull(*saved, cts[0])))
    pull.defvjp(forward_pull, second)

    def run(plan: Plan, start: Array, full: PyTree, arguments: PyTree) -> tuple[Array, dict[str, Any]]:
        states, records = value(plan, start, full, arguments)
        return states, lax.stop_gradient(records)

    return run


def _over(plan: Plan, visit: Callable[[Array, PyTree], Any], carry: PyTree, backwards: bool = False) -> Any:
    """`carry = visit(s, carry)` for every step s that is there, in order or backwards."""
    order, count = jnp.argsort(1 - plan.present, stable=True), plan.present.sum()
    return lax.fori_loop(0, count, lambda i, carry: visit(at(order, count - 1 - i if backwards else i), carry), carry)


def _switch(plan: Plan, s: Array, choices: Sequence[Any], *args: Any) -> Any:
    return lax.switch(at(plan.operation, s) + 4 * at(plan.strided, s), choices, *args)


def _shape(plan: Plan, s: Any) -> tuple[Array, Array]:
    return at(plan.reach, s), at(plan.dilation, s)


def _read(plan: Plan, states: Array, full: PyTree, arguments: PyTree, s: Any) -> Inputs:
    source, own = at(plan.source, s), {"steps": at(arguments["steps"], s), "edges": at(arguments["edges"], s // 2)}
    return Inputs(at(states, source), at(full, jnp.minimum(source, 1)), own)


def _accumulated(plan: Plan, s: Array, carry: PyTree, d: Inputs) -> Any:
    """Cotangents (states, full, arguments) with those of step s."""
    states, full, arguments = carry
    source = at(plan.source, s)
    own = {name: put(arguments[name], s // (2 if name == "edges" else 1), d.arguments[name]) for name in arguments}
    return _add(states, source, d.x), None if full is None else _add(full, jnp.minimum(source, 1), d.full), own


def _filled(branch_results: Any, nothing: dict[str, Any]) -> Any:
    out, records = branch_results
    return out, nothing | records


def _add(states: Array, i: Any, value: Any) -> Array:
    return put(states, i, at(states, i) + value)
