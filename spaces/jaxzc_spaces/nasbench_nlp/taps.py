"""What a tap reads in a layer whose recipe is data, and what it changes.

A tap sees a matrix's product in all steps at once, `[B, steps, units]`, as it sees feature maps. In a recurrent layer it cannot replace
that on the way: a pass without it comes first, the tap is called with what that gives, and what it changes is added in a second pass. So a
change has its effect to first order, which is all that derivatives by it, at zero, take.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxzc.types import Array, PyTree, Tap
from jaxzc_spaces.core.stacked import at
from jaxzc_spaces.nasbench_nlp.derivatives import outputs
from jaxzc_spaces.nasbench_nlp.encoding import FIRST_STATE, INPUTS
from jaxzc_spaces.nasbench_nlp.interpreter import Kernels, Wiring, of_steps, run


def tapped(kernels: Kernels, xs: Array, recipe: Wiring, tap: Tap, perturb: tuple[PyTree, PyTree] | None) -> tuple[Array, Any, Any]:
    """The layer's outputs `[steps, B, units]`, and what the tap kept: of the products with x and with hidden values, `[kernels, ...]` each
    (None without its function for layers); and of the inputs of activations, `[places, ...]` (None without that for activations).

    perturb: what the tap changes, of products with x and with hidden values, `[kernels, ...]` each."""
    still, inputs = lax.stop_gradient((kernels, xs))
    values = run(still, inputs, recipe)
    activated = None
    if tap.activation is not None:
        look = tap.activation
        sources = jnp.maximum(recipe.inputs[:, 0] - FIRST_STATE, 0)
        activated = lax.map(lambda source: look(of_steps(values, source).swapaxes(0, 1)), sources)
    if tap.layer is None:
        return outputs(kernels, xs, None, recipe), None, activated
    # The place and the input that a matrix multiplies.
    of_x = _places(recipe.reads_x, recipe.of_x, len(kernels.x))
    of_hidden = _places(recipe.reads_hidden.ravel(), recipe.of_hidden.ravel(), len(kernels.hidden))
    shift_x, records_x = _products(tap, still.x, None if perturb is None else perturb[0], lambda number: inputs)

    def hidden_input(number: Array) -> Array:
        return of_steps(values, jnp.maximum(recipe.inputs.ravel()[at(of_hidden, number)] - FIRST_STATE, 0))

    shift_hidden, records_hidden = _products(tap, still.hidden, None if perturb is None else perturb[1], hidden_input)
    active = jnp.arange(len(kernels.x)) < recipe.reads_x.sum(), jnp.arange(len(kernels.hidden)) < recipe.reads_hidden.sum()
    records = _only(records_x, active[0]), _only(records_hidden, active[1])
    if perturb is None:
        return outputs(kernels, xs, None, recipe), records, activated
    shift = jnp.zeros((len(recipe.op), *shift_hidden.shape[1:]), shift_hidden.dtype)
    shift = shift.at[of_x].add(_only(shift_x, active[0])).at[of_hidden // INPUTS].add(_only(shift_hidden, active[1]))
    return outputs(kernels, xs, shift.swapaxes(0, 1), recipe), records, activated


def _places(reads: Array, numbers: Array, count: int) -> Array:
    """Of each of `count` matrices, where it is used; anywhere if it is not."""
    return jax.vmap(lambda number: jnp.argmax(reads & (numbers == number)))(jnp.arange(count, dtype=numbers.dtype))


def _products(tap: Tap, stack: Array, perturb: PyTree, read: Any) -> tuple[Array, Any]:
    """Of each matrix, by how much the tap moves its product, `[kernels, steps, B, units]`, and what it kept."""
    assert tap.layer is not None
    look = tap.layer

    def one(number: Array) -> tuple[Array, Any]:
        y = (read(number) @ at(stack, number)).swapaxes(0, 1)
        moved, record = look(y, at(perturb, number))
        return (moved - y).swapaxes(0, 1), record

    return lax.map(one, jnp.arange(len(stack)))


def _only(tree: PyTree, on: Array) -> Any:
    """Zeros where a matrix is not used."""
    return jax.tree.map(lambda a: jnp.where(on.reshape(-1, *(1,) * (a.ndim - 1)), a, jnp.zeros((), a.dtype)), tree)
