"""One layer of a recurrent network whose recipe is data: a loop over tokens, and in it a loop over the recipe's places.

Its derivatives are in `derivatives.py`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxzc.types import Array, Tap
from jaxzc_spaces.core.stacked import at, put, zeros
from jaxzc_spaces.nasbench_nlp.encoding import FIRST_STATE, INPUTS, LINEAR, NODES, OPS, STATES, X

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


def wiring(genes: Array, places: int) -> Wiring:
    """The recipe of genes int `[99]`, which has no more nodes than there are places. Matrices are numbered in the order of their use."""
    table = genes[: NODES * (1 + INPUTS)].reshape(NODES, 1 + INPUTS)[:places]
    op, inputs = table[:, 0], table[:, 1:]
    x, hidden = (op == LINEAR)[:, None] & (inputs == X), (op == LINEAR)[:, None] & (inputs > X)
    before = (jnp.cumsum(hidden) - hidden.ravel()).reshape(hidden.shape)
    return Wiring(op, inputs, jnp.cumsum(x.any(1)) - x.any(1), before, genes[NODES * (1 + INPUTS) :])


class Kernels(NamedTuple):
    """x: `[kernels, inputs, units]`. hidden: `[kernels, units, units]`. bias: `[places, units]`."""

    x: Array
    hidden: Array
    bias: Array


class Kept(NamedTuple):
    """What a tap kept: of the products with x and with hidden values, `[steps, kernels, ...]`; of activations' inputs, `[steps, places,
    ...]`. None without the tap."""

    x: Any = None
    hidden: Any = None
    activations: Any = None


def tapped(kernels: Kernels, xs: Array, recipe: Wiring, tap: Tap, perturb: tuple[Any, Any] | None) -> tuple[Array, Kept]:
    """The layer's outputs, and what the tap kept. perturb: what it changes, of products with x and with hidden values, `[steps, kernels,
    ...]` each."""
    values, kept = run(kernels, xs, recipe, tap, perturb)
    return first(values, recipe), kept


def run(kernels: Kernels, xs: Array, recipe: Wiring, tap: Tap | None = None, perturb: Any = None) -> tuple[Array, Kept]:
    """All values `[steps, 3 + places, B, units]`: the hidden states before each step, then the nodes; and what the tap kept."""
    tap = tap or Tap()
    shape = jax.ShapeDtypeStruct((xs.shape[1], kernels.hidden.shape[-1]), xs.dtype)
    places = len(recipe.op)

    def step(states: Array, inputs: tuple[Array, Any]) -> tuple[Array, tuple[Array, Kept]]:
        x, moved = inputs
        look = _Looks(tap, moved, shape, kernels)

        def place(carry: tuple[Array, Kept], number: Array) -> tuple[tuple[Array, Kept], Any]:
            values, kept = carry
            node = node_at(kernels, recipe, number)
            y, kept, record = lax.switch(node.op, [partial(op, kernels, look, x) for op in _OPERATIONS], node, values, kept)
            return (put(values, STATES + number, y), kept), record

        values = jnp.concatenate([states, zeros(shape, places)])
        (values, kept), activations = lax.scan(place, (values, look.empty()), jnp.arange(places))
        return _next(values, recipe), (values, kept._replace(activations=activations))

    start = jnp.zeros((STATES, *shape.shape), shape.dtype)
    _, (values, kept) = lax.scan(step, start, (xs, perturb))
    return values, kept


class Node(NamedTuple):
    """A place of a recipe: an entry of `Wiring`, and its bias."""

    op: Array
    inputs: Array
    of_x: Array
    of_hidden: Array
    bias: Array


class _Looks(NamedTuple):
    """The tap, and what it changes at this step."""

    tap: Tap
    moved: Any
    shape: jax.ShapeDtypeStruct
    kernels: Kernels

    def empty(self) -> Kept:
        """Zeros of what the tap keeps of products at one step."""
        look = self.tap.layer
        if look is None:
            return Kept()
        moved = (None, None) if self.moved is None else self.moved
        stacks = zip((self.kernels.x, self.kernels.hidden), moved, strict=True)
        return Kept(*(zeros(jax.eval_shape(lambda m: look(jnp.zeros(*self._like), at(m, 0))[1], m), len(w)) for w, m in stacks))

    def product(self, y: Array, kept: Kept, stack: str, number: Array) -> tuple[Array, Kept]:
        """The product with a matrix, as the tap leaves it."""
        if self.tap.layer is None:
            return y, kept
        moved = None if self.moved is None else at(self.moved[0 if stack == "x" else 1], number)
        y, record = self.tap.layer(y, moved)
        return y, kept._replace(**{stack: put(getattr(kept, stack), number, lax.stop_gradient(record))})

    def activating(self, x: Array | None) -> Any:
        """What the tap keeps of an activation's input; zeros where there is no activation."""
        if self.tap.activation is None:
            return None
        if x is None:
            return zeros(jax.eval_shape(self.tap.activation, self.shape))
        return lax.stop_gradient(self.tap.activation(x))

    @property
    def _like(self) -> tuple[tuple[int, ...], Any]:
        return self.shape.shape, self.shape.dtype


def node_at(kernels: Kernels, recipe: Wiring, number: Array) -> Node:
    return Node(*(at(part, number) for part in recipe[:-1]), at(kernels.bias, number))


def read(values: Array, source: Array) -> Array:
    """An input of a node other than x, from all values `[3 + places, B, units]`."""
    return at(values, jnp.maximum(source - FIRST_STATE, 0))


def _linear(kernels: Kernels, look: _Looks, x: Array, node: Node, values: Array, kept: Kept) -> Any:
    y = jnp.broadcast_to(node.bias, look.shape.shape).astype(look.shape.dtype)
    for i in range(INPUTS):
        source = node.inputs[i]

        def of_x(kept: Kept) -> tuple[Array, Kept]:
            return look.product(x @ at(kernels.x, node.of_x), kept, "x", node.of_x)

        def of_hidden(kept: Kept, i: int = i, source: Array = source) -> tuple[Array, Kept]:
            return look.product(read(values, source) @ at(kernels.hidden, node.of_hidden[i]), kept, "hidden", node.of_hidden[i])

        term, kept = lax.switch(jnp.minimum(source, FIRST_STATE), [lambda kept: (zeros(look.shape), kept), of_x, of_hidden], kept)
        y = y + term
    return y, kept, look.activating(None)


def _elementwise(function: Callable[..., Array], count: int, activates: bool = False) -> Callable[..., Any]:
    def operation(kernels: Kernels, look: _Looks, x: Array, node: Node, values: Array, kept: Kept) -> Any:
        inputs = [read(values, node.inputs[i]) for i in range(count)]
        return function(*inputs), kept, look.activating(inputs[0] if activates else None)

    return operation


FUNCTIONS: tuple[Callable[..., Array] | None, ...] = (
    *(jnp.zeros_like, None, lambda a, b, c: a * b + (1 - a) * c, jnp.multiply, jnp.add),
    *(jnp.tanh, jax.nn.sigmoid, partial(jax.nn.leaky_relu, negative_slope=LEAK)),
)
"""By operation: of its inputs; None for linear."""
COUNTS = (1, 0, 3, 2, 2, 1, 1, 1)
"""By operation: how many inputs the function has."""
_OPERATIONS = tuple(
    _linear if function is None else _elementwise(function, count, "activation" in name)
    for function, count, name in zip(FUNCTIONS, COUNTS, OPS, strict=True)
)


def _next(values: Array, recipe: Wiring) -> Array:
    """The new hidden states `[3, B, units]`, zeros where there is none."""
    new = [jnp.where(end > 0, at(values, STATES - 1 + jnp.maximum(end, 1)), 0) for end in recipe.outputs]
    return jnp.stack(new)


def first(values: Array, recipe: Wiring) -> Array:
    """The new first hidden state of every step, which is the layer's output, from the values of all steps."""
    return lax.dynamic_index_in_dim(values, STATES - 1 + recipe.outputs[0], 1, keepdims=False)
