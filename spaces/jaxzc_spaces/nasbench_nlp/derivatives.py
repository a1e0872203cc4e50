"""Derivatives of a layer whose recipe is data, written out.

JAX would keep, for every token and place, a copy of the matrices that the place reads, and add up gradients of whole stacks of them. Here
the values of all nodes are kept, and the gradient of a matrix is one product over all tokens. For derivatives of derivatives JAX
differentiates what is in `interpreter.py` and here, which is right but takes that memory.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxzc.types import Array
from jaxzc_spaces.core.stacked import at, put
from jaxzc_spaces.nasbench_nlp.encoding import FIRST_STATE, INPUTS, LINEAR, OPS, STATES
from jaxzc_spaces.nasbench_nlp.interpreter import COUNTS, FUNCTIONS, Kernels, Node, Wiring, first, node_at, of_steps, read, run


@jax.custom_vjp
def outputs(kernels: Kernels, xs: Array, shift: Array | None, recipe: Wiring) -> Array:
    """The layer's outputs `[steps, B, units]` of inputs `[steps, B, inputs]`. shift: what is added to linear nodes, `[steps, places, B,
    units]`."""
    return first(run(kernels, xs, recipe, shift), recipe)


def _forward(kernels: Kernels, xs: Array, shift: Array | None, recipe: Wiring) -> Any:
    values = run(kernels, xs, recipe, shift)
    return first(values, recipe), (kernels, xs, recipe, values, None if shift is None else ())


def _backward(saved: Any, pulled: Array) -> Any:
    """Derivatives by kernels, inputs and shifts, of the outputs' `[steps, B, units]`."""
    kernels, xs, recipe, values, shifted = saved

    def step(later: Array, inputs: tuple[Array, Array, Array]) -> Any:
        values, x, of_output = inputs
        grads = jnp.zeros_like(values)
        for i, end in enumerate(recipe.outputs):
            where = STATES - 1 + jnp.maximum(end, 1)
            grad = later[i] + of_output if i == 0 else later[i]
            grads = put(grads, where, at(grads, where) + jnp.where(end > 0, grad, 0))

        def place(carry: tuple[Array, Array], number: Array) -> tuple[tuple[Array, Array], None]:
            node = node_at(kernels, recipe, number)
            return lax.switch(node.op, [partial(op, kernels, values, number, node) for op in _PULLS], carry), None

        places = jnp.arange(len(recipe.op))
        (grads, of_x), _ = lax.scan(place, (grads, jnp.zeros_like(x)), places, reverse=True)
        return grads[:STATES], (grads[STATES:], of_x)

    start = jnp.zeros((STATES, *values.shape[2:]), values.dtype)
    _, (grads, of_xs) = lax.scan(step, start, (values, xs, pulled), reverse=True)
    linear = recipe.op == LINEAR
    of_shift = jnp.where(linear[None, :, None, None], grads, 0)
    bias = of_shift.sum((0, 2)).astype(kernels.bias.dtype)
    of_kernels = Kernels(_of_x(kernels, xs, recipe, grads), _of_hidden(kernels, recipe, values, grads), bias)
    return of_kernels, of_xs, None if shifted is None else of_shift, None


def _of_x(kernels: Kernels, xs: Array, recipe: Wiring, grads: Array) -> Array:
    """Derivatives by the matrices for x. grads: derivatives by nodes, `[steps, places, B, units]`."""
    reads = recipe.reads_x

    def add(stack: Array, number: Array) -> tuple[Array, None]:
        def added(stack: Array) -> Array:
            return put(stack, recipe.of_x[number], jnp.einsum("tbi,tbj->ij", xs, of_steps(grads, number)))

        return lax.cond(reads[number], added, lambda stack: stack, stack), None

    return lax.scan(add, jnp.zeros_like(kernels.x), jnp.arange(len(reads)))[0]


def _of_hidden(kernels: Kernels, recipe: Wiring, values: Array, grads: Array) -> Array:
    """Derivatives by the matrices for other inputs. values: of `run`."""
    reads = recipe.reads_hidden

    def add(stack: Array, place: tuple[Array, Array]) -> tuple[Array, None]:
        def added(stack: Array) -> Array:
            inputs = of_steps(values, jnp.maximum(recipe.inputs[place] - FIRST_STATE, 0))
            return put(stack, recipe.of_hidden[place], jnp.einsum("tbi,tbj->ij", inputs, of_steps(grads, place[0])))

        return lax.cond(reads[place], added, lambda stack: stack, stack), None

    places = jnp.arange(len(reads))
    return lax.scan(add, jnp.zeros_like(kernels.hidden), (jnp.repeat(places, INPUTS), jnp.tile(jnp.arange(INPUTS), len(reads))))[0]


Carry = tuple[Array, Array]
"""Derivatives by all values of a step and by x."""


def _pull_linear(kernels: Kernels, values: Array, number: Array, node: Node, carry: Carry) -> Carry:
    grad = at(carry[0], STATES + number)
    for i in range(INPUTS):
        source = node.inputs[i]

        def of_x(carry: Carry) -> Carry:
            return carry[0], carry[1] + grad @ at(kernels.x, node.of_x).T

        def of_hidden(carry: Carry, i: int = i, source: Array = source) -> Carry:
            return _add(carry[0], source, grad @ at(kernels.hidden, node.of_hidden[i]).T), carry[1]

        carry = lax.switch(jnp.minimum(source, FIRST_STATE), [lambda carry: carry, of_x, of_hidden], carry)
    return carry


def _pull_elementwise(function: Callable[..., Array], count: int) -> Callable[..., Carry]:
    def pull(kernels: Kernels, values: Array, number: Array, node: Node, carry: Carry) -> Carry:
        grads, of_x = carry
        by_inputs = jax.vjp(function, *(read(values, node.inputs[i]) for i in range(count)))[1](at(grads, STATES + number))
        for i, grad in enumerate(by_inputs):
            grads = _add(grads, node.inputs[i], grad)
        return grads, of_x

    return pull


def _pull_nothing(kernels: Kernels, values: Array, number: Array, node: Node, carry: Carry) -> Carry:
    return carry


def _add(grads: Array, source: Array, grad: Array) -> Array:
    return put(grads, source - FIRST_STATE, at(grads, source - FIRST_STATE) + grad)


_PULLS = tuple(
    _pull_nothing if name == "none" else _pull_linear if function is None else _pull_elementwise(function, count)
    for function, count, name in zip(FUNCTIONS, COUNTS, OPS, strict=True)
)
outputs.defvjp(_forward, _backward)
