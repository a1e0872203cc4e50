"""The Fisher information of one weight of every layer, as VKDNW takes it."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxzc.definitions.facts import Passes, ingredient
from jaxzc.ingredients.passes import entry
from jaxzc.numerics.trees import at_least_float32, batch_size, first, wide_dtype
from jaxzc.tasks import Task
from jaxzc.types import Array, Batch, Network, Params, PyTree

SMOOTHING = 0.05
"""How much of the uniform distribution is mixed into the predicted one, so that its covariance has full rank on the simplex."""


@ingredient(lambda images: Passes(forward=1, backward_per_output=1, examples=images))
def layer_fisher(network: Network, vkdnw_params: Params, vkdnw_images: PyTree, batches: tuple[Batch, ...], task: Task) -> Array:
    """Mean over images of J' (diag(p) - p p') J, `[layers, layers]`: J the Jacobian of an image's logits by the first weight of every
    kernel, p the smoothed predictions; fresh running statistics. Rows of layers that do not exist are zero."""
    kernels = [jnp.asarray(w) for w in network.weights(vkdnw_params)]
    sizes = [len(w) for w in kernels]
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]

    def logits(shift: Array, example: tuple[Any, Any]) -> Array:
        flat = [w.reshape(len(w), -1) for w in kernels]
        parts = zip(flat, kernels, sizes, ends, strict=True)
        moved = [f.at[:, 0].add(shift[end - n : end].astype(f.dtype)).reshape(w.shape) for f, w, n, end in parts]
        inputs, values = jax.tree.map(lambda leaf: leaf[None], example)
        out = entry.forward(network, network.with_weights(vkdnw_params, moved), inputs, values, norm="init")
        return at_least_float32(task.readout(out.outputs)[0])

    def one(example: tuple[Any, Any]) -> Array:
        out, pull = jax.vjp(lambda shift: logits(shift, example), jnp.zeros(ends[-1], wide_dtype(kernels[0].dtype)))
        jacobian = jax.vmap(lambda ct: pull(ct)[0])(jnp.eye(len(out), dtype=out.dtype))
        p = jax.nn.softmax(out) * (1 - SMOOTHING) + SMOOTHING / len(out)
        return jacobian.T @ ((jnp.diag(p) - jnp.outer(p, p)) @ jacobian)

    exists = jnp.concatenate(network.active())
    noise = first(vkdnw_images, None)
    total = jax.lax.map(one, (_repeated(batches[0].inputs, batch_size(noise)), noise)).mean(0)
    return jnp.where(exists[:, None] & exists[None, :], total, 0)


def _repeated(inputs: PyTree, count: int) -> Any:
    """`count` examples of the inputs, from the beginning again where there are fewer (noise may be given for more)."""
    return jax.tree.map(lambda leaf: jnp.take(jnp.asarray(leaf), jnp.arange(count) % len(leaf), axis=0), inputs)
