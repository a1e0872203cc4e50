"""Hidden states of recurrent networks, and the codes of activation functions of every kind."""

import jax
import jax.numpy as jnp

from jaxzc.definitions.facts import Passes, ingredient
from jaxzc.ingredients.passes import entry
from jaxzc.ingredients.passes.patterns import pattern_kernel, relu_code
from jaxzc.numerics.trees import batch_size, first
from jaxzc.types import Array, Batch, JaxzcError, Network, Norm, Params, PyTree, Tap

POSITIVE = frozenset({"sigmoid", "softplus"})
"""Kinds of activation functions whose values are positive whatever their inputs are."""


@ingredient(hidden_states=Passes(forward=1), hidden_input_grads=Passes(forward=1, backward=1))
def states(
    network: Network, params: Params, batches: tuple[Batch, ...], norm: Norm, *, wanted: frozenset[str]
) -> dict[str, list[Array] | Array]:
    """hidden_states: of every recurrent layer in depth order, the hidden state behind every step, `[B, steps, units]`, of the first batch.
    hidden_input_grads: d(sum of the last layer's)/dx `[B, D]`, x the first floats that the inputs become.

    Raises `JaxzcError` where the network offers no sequences of hidden states."""
    inputs = first(batches[0].inputs, None)

    def run(shift: PyTree) -> tuple[Array, list[Array]]:
        tap = Tap(cell=lambda y, _: (y, y))
        if shift is None:
            cells = network.forward(params, inputs, norm=norm, tap=tap).cells
        else:
            values = jax.tree.map(jnp.add, entry.values(network, params, inputs), shift)
            cells = entry.forward(network, params, inputs, values, norm=norm, tap=tap).cells
        layers = [layer for group in (cells or {}).values() for layer in group]
        if not layers or any(layer.ndim != 3 for layer in layers):
            raise JaxzcError(
                "needs hidden states of recurrent layers [B, steps, units], which this network does not offer: score a space of "
                "recurrent networks, such as nasbench_nlp, or leave this proxy out"
            )
        return layers[-1].sum(), layers

    if "hidden_input_grads" not in wanted:
        return {"hidden_states": run(None)[1]}
    grads, layers = jax.grad(run, has_aux=True)(jax.tree.map(jnp.zeros_like, entry.shapes(network, params, inputs)))
    states = {"hidden_states": layers, "hidden_input_grads": entry.flat(grads, batch_size(inputs))}
    return {name: value for name, value in states.items() if name in wanted}


@ingredient(Passes(forward=1))
def activation_kernels(network: Network, params: Params, batches: tuple[Batch, ...], norm: Norm) -> list[Array]:
    """For each activation function's values, the Hamming kernel of the codes [output > 0], `[B, B]` each and summed over a group's values;
    of functions that are positive everywhere, all codes agree. Raises `JaxzcError` where there is no activation function."""

    def read(x: Array) -> Array:
        return pattern_kernel(relu_code(x), x.dtype)

    out = network.forward(params, first(batches[0].inputs, None), norm=norm, tap=Tap(activation=read))
    counts, kernels = network.activation_counts(), []
    for group in network.activations:
        records = (out.activations or {}).get(group.name)
        if records is not None:
            # An example agrees with itself in all units.
            agree = jnp.broadcast_to(jnp.diagonal(records, axis1=1, axis2=2)[:, :1, None], records.shape)
            of_group = counts[group.name].sum(1).astype(records.dtype)
            kernels.append(jnp.tensordot(of_group, agree if group.kind in POSITIVE else records, 1))
    if not kernels:
        raise JaxzcError("needs activation functions whose inputs can be read, and this network has none: leave this proxy out")
    return kernels
