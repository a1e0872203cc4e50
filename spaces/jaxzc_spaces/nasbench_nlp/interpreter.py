"""One layer of a recurrent network whose recipe is data: a loop over tokens, and in it a loop over the recipe's places.

Its derivatives are in `derivatives.py`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxzc.types import Array
from jaxzc_spaces.core.stacked import at, put, zeros
from jaxzc_spaces.nasbench_nlp.encoding import FIRST_STATE, INPUTS, LINEAR, NODES, STATES, X

LEAK = 0.01
"""Slope of the leaky ReLU below zero."""


class Wiring(NamedTuple):
    """A recipe as int arrays, which may be traced; by place but for the last.

    op: `[places]`. inputs: `[places, 3]`, as in genes. of_x: number of the matrix by which the place multiplies x, `[places]`; of_hidden:
    of those by which it multiplies its other inputs, `[places, 3]`. outputs: places of the new hidden states from 1, 0 without, `[3]`.
    """

    op: Array
    inputs: Array
    of_x: Array
    of_hidden: Array
    outputs: Array

    @property
    def reads_x(self) -> Array:
        """Whether a place multiplies x by a matrix, bool `[places]`."""
        return (self.op == LINEAR) & (self.inputs == X).any(1)

    @property
    def reads_hidden(self) -> Array:
        """Whether a place multiplies this input by a matrix, and it is not x, bool `[places, 3]`."""
        return (self.op == LINEAR)[:, None] & (self.inputs > X)


def wiring(genes: Array, places: int) -> Wiring:
    """The recipe of genes int `[99]`, which has no more nodes than there are places. Matrices are numbered in the order of their use."""
    table = genes[: NODES * (1 + INPUTS)].reshape(NODES, 1 + INPUTS)[:places]
    op, inputs = table[:, 0], table[:, 1:]
    x, hidden = (op == LINEAR) & (inputs == X).any(1), ((op == LINEAR)[:, None] & (inputs > X)).ravel()
    x_before, hidden_before = (jnp.cumsum(of, dtype=jnp.int32) - of.astype(jnp.int32) for of in (x, hidden))
    return Wiring(op, inputs, x_before, hidden_before.reshape(inputs.shape), genes[NODES * (1 + INPUTS) :])


class Kernels(NamedTuple):
    """x: `[kernels, inputs, units]`. hidden: `[kernels, units, units]`. bias: `[places, units]`."""

    x: Array
    hidden: Array
    bias: Array


class Node(NamedTuple):
    """A place of a recipe: an entry of `Wiring`, with its bias and what else is added to it if it is linear, `[B, units]`."""

    op: Array
    inputs: Array
    of_x: Array
    of_hidden: Array
    bias: Array
    shift: Array | None


def node_at(kernels: Kernels, recipe: Wiring, number: Array, shift: Array | None = None) -> Node:
    op, inputs, of_x, of_hidden = (at(part, number) for part in recipe[:-1])
    return Node(op, inputs, of_x, of_hidden, at(kernels.bias, number), None if shift is None else at(shift, number))


def run(kernels: Kernels, xs: Array, recipe: Wiring, shift: Array | None = None) -> Array:
    """All values `[steps, 3 + places, B, units]` of inputs `[steps, B, inputs]`: the hidden states before each step, then the nodes.

    shift: what is added to linear nodes, `[steps, places, B, units]`."""
    shape = jax.ShapeDtypeStruct((xs.shape[1], kernels.hidden.shape[-1]), xs.dtype)
    places = len(recipe.op)

    def step(states: Array, inputs: tuple[Array, Any]) -> tuple[Array, Array]:
        x, added = inputs

        def place(values: Array, number: Array) -> tuple[Array, None]:
            node = node_at(kernels, recipe, number, added)
            y = lax.switch(node.op, [partial(op, kernels, x) for op in _OPERATIONS], node, values)
            return put(values, STATES + number, y), None

        values, _ = lax.scan(place, jnp.concatenate([states, zeros(shape, places)]), jnp.arange(places))
        new = [jnp.where(end > 0, at(values, STATES - 1 + jnp.maximum(end, 1)), 0) for end in recipe.outputs]
        return jnp.stack(new), values

    return lax.scan(step, jnp.zeros((STATES, *shape.shape), shape.dtype), (xs, shift))[1]


def read(values: Array, source: Array) -> Array:
    """An input of a node other than x, from all values of a step."""
    return at(values, jnp.maximum(source - FIRST_STATE, 0))


def of_steps(values: Array, number: Array) -> Array:
    """One of the values in all steps `[steps, B, units]`."""
    return lax.dynamic_index_in_dim(values, number, 1, keepdims=False, allow_negative_indices=False)


def first(values: Array, recipe: Wiring) -> Array:
    """The new first hidden state of every step, which is the layer's output."""
    return of_steps(values, STATES - 1 + recipe.outputs[0])


def _linear(kernels: Kernels, x: Array, node: Node, values: Array) -> Array:
    y = jnp.broadcast_to(node.bias, values.shape[1:]).astype(values.dtype)
    y = y if node.shift is None else y + node.shift
    for i in range(INPUTS):
        source = node.inputs[i]

        def of_x(values: Array) -> Array:
            return x @ at(kernels.x, node.of_x)

        def of_hidden(values: Array, i: int = i, source: Array = source) -> Array:
            return read(values, source) @ at(kernels.hidden, node.of_hidden[i])

        y = y + lax.switch(jnp.minimum(source, FIRST_STATE), [lambda values: jnp.zeros_like(values[0]), of_x, of_hidden], values)
    return y


def _elementwise(function: Callable[..., Array], count: int) -> Callable[..., Array]:
    def operation(kernels: Kernels, x: Array, node: Node, values: Array) -> Array:
        return function(*(read(values, node.inputs[i]) for i in range(count)))

    return operation


FUNCTIONS: tuple[Callable[..., Array] | None, ...] = (
    *(jnp.zeros_like, None, lambda a, b, c: a * b + (1 - a) * c, jnp.multiply, jnp.add),
    *(jnp.tanh, jax.nn.sigmoid, partial(jax.nn.leaky_relu, negative_slope=LEAK)),
)
"""By operation: of its inputs; None for linear."""
COUNTS = (1, 0, 3, 2, 2, 1, 1, 1)
"""By operation: how many inputs the function has."""
_OPERATIONS = tuple(
    _linear if function is None else _elementwise(function, count) for function, count in zip(FUNCTIONS, COUNTS, strict=True)
)
