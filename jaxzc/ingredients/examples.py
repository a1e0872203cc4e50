"""Loss gradients of single examples, each a batch of one (batch normalisation included), as GradSign's authors compute them."""

from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp

from jaxzc.definitions.facts import Passes, ingredient
from jaxzc.ingredients.gradients import flat
from jaxzc.numerics.trees import at_least_float32, batch_size, first
from jaxzc.tasks import Task
from jaxzc.tasks.checks import loss_of, targets_of
from jaxzc.types import Array, Batch, JaxzcError, Network, Norm, Params

CHUNK = 8
"""Examples differentiated at once by vmap; bounds the memory at CHUNK gradients and changes no result."""

EACH = Passes(forward=1, backward=1, examples=1, each="example")


def _single(network: Network, params: Params, task: Task, norm: Norm) -> Any:
    def gradient(example: tuple[Any, Any]) -> list[Array]:
        inputs, targets = jax.tree.map(lambda leaf: leaf[None], example)

        def value(weights: list[Array]) -> Array:
            return loss_of(task, network.forward(network.with_weights(params, weights), inputs, norm=norm).outputs, targets)

        return flat(jax.grad(value)(network.weights(params)))

    return gradient


@ingredient(example_grads=EACH)
def example_grads(
    network: Network, params: Params, batches: tuple[Batch, ...], task: Task, norm: Norm, *, wanted: frozenset[str]
) -> dict[str, Any]:
    """Loss gradient of each example of the first batch, `[B, layers, n]` per group. Memory: B times the weights."""
    return {"example_grads": jax.lax.map(_single(network, params, task, norm), _examples(batches[0], task), batch_size=CHUNK)}


def _examples(batch: Batch, task: Task) -> tuple[Any, Any]:
    """Inputs and targets; `JaxzcError` where a leaf of the targets has no entry for each example."""
    inputs, targets = first(batch.inputs, None), first(targets_of(batch, task), None)
    if batch_size((inputs, targets)) != batch_size(inputs):
        raise JaxzcError("needs the targets of single examples: give targets whose leaves share the leading axis N of the inputs")
    return inputs, targets


@ingredient(sign_sums=EACH, unit_mean=EACH)
def example_sums(
    network: Network, params: Params, batches: tuple[Batch, ...], task: Task, norm: Norm, *, wanted: frozenset[str]
) -> dict[str, Any]:
    """Over the examples of the first batch, `[layers, n]` per group, in memory of CHUNK gradients: sign_sums, the sum of the signs of each
    example's gradient; unit_mean, the mean of the gradients divided by their norms (NaN where a gradient is zero)."""
    examples = _examples(batches[0], task)
    count = batch_size(examples)
    gradient = jax.vmap(_single(network, params, task, norm))
    names = [name for name in ("sign_sums", "unit_mean") if name in wanted]

    def sums(chunk: tuple[Any, Any]) -> dict[str, list[Array]]:
        grads = gradient(chunk)
        lengths = jnp.sqrt(jnp.stack([jnp.square(g).sum((1, 2)) for g in grads]).sum(0))
        of = {"sign_sums": lambda g, i: jnp.sign(g[i]), "unit_mean": lambda g, i: g[i] / lengths[i]}
        # Written as additions: XLA's CPU compiler gives a reduction over a leading axis of 8 a tenth of the memory's speed.
        return {name: [reduce(jnp.add, [of[name](g, i) for i in range(len(g))]) for g in grads] for name in names}

    whole = count // CHUNK * CHUNK
    total = {name: [jnp.zeros_like(at_least_float32(w.reshape(len(w), -1))) for w in network.weights(params)] for name in names}
    if whole:
        chunks = jax.tree.map(lambda a: a[:whole].reshape(-1, CHUNK, *a.shape[1:]), examples)
        total, _ = jax.lax.scan(lambda t, chunk: (jax.tree.map(jnp.add, t, sums(chunk)), None), total, chunks)
    if whole < count:
        total = jax.tree.map(jnp.add, total, sums(jax.tree.map(lambda a: a[whole:], examples)))
    return {name: t if name == "sign_sums" else [a / count for a in t] for name, t in total.items()}
