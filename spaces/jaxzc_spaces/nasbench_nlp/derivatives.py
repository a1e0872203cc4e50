"""Derivatives of a layer whose recipe is data, written out.

JAX would keep, for every token and place, a copy of the matrices that the place reads, and add up gradients of whole stacks of them. Here
the values of all nodes are kept, and the gradient of a matrix is one product over all tokens. With a tap, and for derivatives of
derivatives, JAX differentiates what is in `interpreter.py` and here, which is right but takes that memory.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxzc.types import Array
from jaxzc_spaces.core.stacked import at, put, zeros
from jaxzc_spaces.nasbench_nlp.encoding import FIRST_STATE, INPUTS, LINEAR, OPS, STATES, X
from jaxzc_spaces.nasbench_nlp.interpreter import COUNTS, FUNCTIONS, Kernels, Node, Wiring, first, node_at, read, run


@jax.custom_vjp
def outputs(kernels: Kernels, xs: Array, recipe: Wiring) -> Array:
    """The layer's outputs `[steps, B, units]` of inputs `[steps, B, inputs]`."""
    return first(run(kernels, xs, recipe)[0], recipe)


def _forward(kernels: Kernels, xs: Array, recipe: Wiring) -> Any:
    values = run(kernels, xs, recipe)[0]
    return first(values, recipe), (kernels, xs, recipe, values)


def _backward(saved: Any, pulled: Array) -> Any:
    """Derivatives by kernels and inputs, of the outputs' `[steps, B, units]`."""
    kernels, xs, recipe, values = saved
    places = len(recipe.op)

    def step(later: Array, inputs: tuple[Array, Array, Array]) -> Any:
        values, x, of_output = inputs
        grads = zeros(jax.ShapeDtypeStruct(values.shape, values.dtype))
        for i, end in enumerate(recipe.outputs):
            where = STATES - 1 + jnp.maximum(end, 1)
            grad = later[i] + of_output if i == 0 else later[i]
            grads = put(grads, where, at(grads, where) + jnp.where(end > 0, grad, 0))

        def place(carry: tuple[Array, Array], number: Array) -> tuple[tuple[Array, Array], None]:
            node = node_at(kernels, recipe, number)
            return lax.switch(node.op, [partial(op, kernels, values, number, node) for op in _PULLS], carry), None

        (grads, of_x), _ = lax.scan(place, (grads, jnp.zeros_like(x)), jnp.arange(places), reverse=True)
        return grads[:STATES], (grads[STATES:], of_x)

    start = jnp.zeros((STATES, *values.shape[2:]), values.dtype)
    _, (grads, of_xs) = lax.scan(step, start, (values, xs, pulled), reverse=True)
    return _of_kernels(kernels, xs, recipe, values, grads), of_xs, None


def _of_kernels(kernels: Kernels, xs: Array, recipe: Wiring, values: Array, grads: Array) -> Kernels:
    """Derivatives by kernels. values: of `run`. grads: derivatives by nodes, `[steps, places, B, units]`."""
    linear = recipe.op == LINEAR
    by_x = linear & (recipe.inputs == X).any(1)

    def of_x(stack: Array, number: Array) -> tuple[Array, None]:
        def add(stack: Array) -> Array:
            return put(stack, recipe.of_x[number], jnp.einsum("tbi,tbj->ij", xs, _at_place(grads, number)))

        return lax.cond(by_x[number], add, lambda stack: stack, stack), None

    def of_hidden(stack: Array, at_input: tuple[Array, Array]) -> tuple[Array, None]:
        number, i = at_input
        source = recipe.inputs[number, i]

        def add(stack: Array) -> Array:
            inputs = _at_place(values, jnp.maximum(source - FIRST_STATE, 0))
            return put(stack, recipe.of_hidden[number, i], jnp.einsum("tbi,tbj->ij", inputs, _at_place(grads, number)))

        return lax.cond(linear[number] & (source > X), add, lambda stack: stack, stack), None

    numbers = jnp.arange(len(linear))
    x, _ = lax.scan(of_x, jnp.zeros_like(kernels.x), numbers)
    pairs = jnp.repeat(numbers, INPUTS), jnp.tile(jnp.arange(INPUTS), len(linear))
    hidden, _ = lax.scan(of_hidden, jnp.zeros_like(kernels.hidden), pairs)
    bias = jnp.where(linear[:, None], grads.sum((0, 2)), 0)
    return Kernels(x, hidden, bias.astype(kernels.bias.dtype))


def _at_place(values: Array, number: Array) -> Array:
    return lax.dynamic_index_in_dim(values, number, 1, keepdims=False)


def _pull_linear(kernels: Kernels, values: Array, number: Array, node: Node, carry: tuple[Array, Array]) -> tuple[Array, Array]:
    grad = at(carry[0], STATES + number)
    for i in range(INPUTS):
        source = node.inputs[i]

        def of_x(carry: tuple[Array, Array]) -> tuple[Array, Array]:
            return carry[0], carry[1] + grad @ at(kernels.x, node.of_x).T

        def of_hidden(carry: tuple[Array, Array], i: int = i, source: Array = source) -> tuple[Array, Array]:
            return _add(carry[0], source, grad @ at(kernels.hidden, node.of_hidden[i]).T), carry[1]

        carry = lax.switch(jnp.minimum(source, FIRST_STATE), [lambda carry: carry, of_x, of_hidden], carry)
    return carry


def _pull_elementwise(function: Callable[..., Array], count: int) -> Callable[..., tuple[Array, Array]]:
    def pull(kernels: Kernels, values: Array, number: Array, node: Node, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        grads, of_x = carry
        by_inputs = jax.vjp(function, *(read(values, node.inputs[i]) for i in range(count)))[1](at(grads, STATES + number))
        for i, grad in enumerate(by_inputs):
            grads = _add(grads, node.inputs[i], grad)
        return grads, of_x

    return pull


def _pull_nothing(kernels: Kernels, values: Array, number: Array, node: Node, carry: tuple[Array, Array]) -> tuple[Array, Array]:
    return carry


def _add(grads: Array, source: Array, grad: Array) -> Array:
    return put(grads, source - FIRST_STATE, at(grads, source - FIRST_STATE) + grad)


_PULLS = tuple(
    _pull_nothing if name == "none" else _pull_linear if function is None else _pull_elementwise(function, count)
    for function, count, name in zip(FUNCTIONS, COUNTS, OPS, strict=True)
)
outputs.defvjp(_forward, _backward)
