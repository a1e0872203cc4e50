"""Loss gradients of single examples, each a batch of one (batch normalisation included), as GradSign's authors compute them."""

from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp

from jaxzc.facts import Passes, ingredient
from jaxzc.ingredients.gradients import flat, labels_of
from jaxzc.tasks import Task
from jaxzc.types import Array, Network, Norm

CHUNK = 8
"""Examples differentiated at once by vmap; bounds the memory at CHUNK gradients and changes no result."""

EACH = Passes(forward=1, backward=1, examples=1, each="example")


def _single(network: Network, params: Any, task: Task, norm: Norm) -> Any:
    def gradient(example: tuple[Array, Array]) -> list[Array]:
        image, label = example

        def value(weights: Any) -> Array:
            return task.loss(network.forward(network.with_weights(params, weights), image[None], norm=norm).outputs, label[None])

        return flat(jax.grad(value)(network.weights(params)))

    return gradient


@ingredient(example_grads=EACH)
def example_grads(network: Network, params: Any, batches: Any, task: Task, norm: Norm, *, wanted: frozenset[str]) -> dict[str, Any]:
    """Loss gradient of each example of the first batch, `[B, layers, n]` per group. Memory: B times the weights."""
    images, labels = jnp.asarray(batches[0].inputs), jnp.asarray(labels_of(batches[0]))
    return {"example_grads": jax.lax.map(_single(network, params, task, norm), (images, labels), batch_size=CHUNK)}


@ingredient(sign_sums=EACH, unit_mean=EACH)
def example_sums(network: Network, params: Any, batches: Any, task: Task, norm: Norm, *, wanted: frozenset[str]) -> dict[str, Any]:
    """Over the examples of the first batch, `[layers, n]` per group, in memory of CHUNK gradients: sign_sums, the sum of the signs of each
    example's gradient; unit_mean, the mean of the gradients divided by their norms (NaN where a gradient is zero)."""
    images, labels = jnp.asarray(batches[0].inputs), jnp.asarray(labels_of(batches[0]))
    gradient = jax.vmap(_single(network, params, task, norm))
    names = [name for name in ("sign_sums", "unit_mean") if name in wanted]

    def sums(chunk: tuple[Array, Array]) -> dict[str, list[Array]]:
        grads = gradient(chunk)
        lengths = jnp.sqrt(jnp.stack([jnp.square(g).sum((1, 2)) for g in grads]).sum(0))
        of = {"sign_sums": lambda g, i: jnp.sign(g[i]), "unit_mean": lambda g, i: g[i] / lengths[i]}
        # Written as additions: XLA's CPU compiler gives a reduction over a leading axis of 8 a tenth of the memory's speed.
        return {name: [reduce(jnp.add, [of[name](g, i) for i in range(len(g))]) for g in grads] for name in names}

    whole = len(images) // CHUNK * CHUNK
    total = {name: [jnp.zeros(w.reshape(len(w), -1).shape, w.dtype) for w in network.weights(params)] for name in names}
    if whole:
        chunks = jax.tree.map(lambda a: a[:whole].reshape(-1, CHUNK, *a.shape[1:]), (images, labels))
        total, _ = jax.lax.scan(lambda t, chunk: (jax.tree.map(jnp.add, t, sums(chunk)), None), total, chunks)
    if whole < len(images):
        total = jax.tree.map(jnp.add, total, sums((images[whole:], labels[whole:])))
    return {name: t if name == "sign_sums" else [a / len(images) for a in t] for name, t in total.items()}
