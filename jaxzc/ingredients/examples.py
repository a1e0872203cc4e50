"""Loss gradients of single examples, each a batch of one (batch normalisation included), as GradSign's authors compute them."""

from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp

from jaxzc.ingredients.gradients import flat, labels_of
from jaxzc.resolver import makes
from jaxzc.types import Array, Network, Norm

CHUNK = 8
"""Examples differentiated at once by vmap; bounds the memory at CHUNK gradients and changes no result."""


def _single(network: Network, params: Any, loss: Any, norm: Norm) -> Any:
    def gradient(example: tuple[Array, Array]) -> list[Array]:
        image, label = example

        def value(weights: Any) -> Array:
            return loss(network.forward(network.with_weights(params, weights), image[None], norm=norm).logits, label[None])

        return flat(jax.grad(value)(network.weights(params)))

    return gradient


@makes(example_grads="B examples x (F + B of one)")
def example_grads(network: Network, params: Any, batches: Any, loss: Any, norm: Norm, *, wanted: frozenset[str]) -> dict[str, Any]:
    """Loss gradient of each example of the first batch, `[B, layers, n]` per group. Memory: B times the weights."""
    images, labels = jnp.asarray(batches[0].images), jnp.asarray(labels_of(batches[0]))
    return {"example_grads": jax.lax.map(_single(network, params, loss, norm), (images, labels), batch_size=CHUNK)}


@makes(sign_sums="B examples x (F + B of one)")
def sign_sums(network: Network, params: Any, batches: Any, loss: Any, norm: Norm, *, wanted: frozenset[str]) -> dict[str, Any]:
    """Sum over the examples of the first batch of the sign of each example's gradient, `[layers, n]` per group, in memory of CHUNK
    gradients."""
    images, labels = jnp.asarray(batches[0].images), jnp.asarray(labels_of(batches[0]))
    gradient = jax.vmap(_single(network, params, loss, norm))

    def signs(chunk: tuple[Array, Array]) -> list[Array]:
        # Written as additions: XLA's CPU compiler gives a reduction over a leading axis of 8 a tenth of the memory's speed.
        return [reduce(jnp.add, [jnp.sign(one) for one in g]) for g in gradient(chunk)]

    whole = len(images) // CHUNK * CHUNK
    total = [jnp.zeros(w.reshape(len(w), -1).shape, w.dtype) for w in network.weights(params)]
    if whole:
        chunks = jax.tree.map(lambda a: a[:whole].reshape(-1, CHUNK, *a.shape[1:]), (images, labels))
        total, _ = jax.lax.scan(lambda t, chunk: (jax.tree.map(jnp.add, t, signs(chunk)), None), total, chunks)
    if whole < len(images):
        total = jax.tree.map(jnp.add, total, signs((images[whole:], labels[whole:])))
    return {"sign_sums": total}


MAKERS = [example_grads, sign_sums]
