"""The neural tangent kernel of the summed logits of a few images."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxzc.definitions.facts import Passes, ingredient
from jaxzc.numerics.trees import at_least_float32, without_biases
from jaxzc.tasks import Task
from jaxzc.types import Array, Network, Norm, Params, PyTree

CHUNK = 4
"""Images differentiated at once: every one of them passes through the activations of all; bounds the memory and changes no result."""


def _gram(gradients: list[Array]) -> Array:
    flat = [at_least_float32(g.reshape(len(g), -1)) for g in gradients]
    return jnp.stack([jnp.matmul(g, g.T, precision=jax.lax.Precision.HIGHEST) for g in flat]).sum(0)


@ingredient(ntk=lambda images: Passes(forward=1, backward=images, examples=images))
def ntk(network: Network, params: Params, ntk_images: PyTree, task: Task, norm: Norm, *, wanted: frozenset[str]) -> dict[str, Any]:
    """Theta `[n, n]` of `ntk_images [n, ...]`: inner products of d(sum of logits of image i) / d(every parameter but biases), the images
    passing as one batch (with batch normalisation each logit depends on every image). Memory: n times the parameters."""
    leaves, put = without_biases(params)
    logits, pull = jax.vjp(lambda leaves: task.readout(network.forward(put(leaves), ntk_images, norm=norm).outputs), leaves)
    each = jnp.eye(len(logits), dtype=logits.dtype)[:, :, None] * jnp.ones_like(logits[None, :1])
    return {"ntk": _gram(jax.lax.map(lambda ct: pull(ct)[0], each, batch_size=CHUNK))}


@ingredient(ntk_init=lambda images: Passes(forward=1, backward=1, examples=images))
def ntk_init(network: Network, params: Params, ntk_images: PyTree, task: Task, *, wanted: frozenset[str]) -> dict[str, Any]:
    """As `ntk`, with fresh running statistics (eval mode of an untrained network)."""
    leaves, put = without_biases(params)

    def gradient(example: Any) -> list[Array]:
        inputs = jax.tree.map(lambda leaf: leaf[None], example)
        return jax.grad(lambda leaves: task.readout(network.forward(put(leaves), inputs, norm="init").outputs).sum())(leaves)

    return {"ntk_init": _gram(jax.lax.map(gradient, ntk_images, batch_size=CHUNK))}
