"""The Fisher information of one weight of every layer, as VKDNW takes it."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxzc.facts import Passes, ingredient
from jaxzc.types import Array, Network

SMOOTHING = 0.05
"""How much of the uniform distribution is mixed into the predicted one, so that its covariance has full rank on the simplex."""


@ingredient(lambda images: Passes(forward=1, backward_per_output=1, examples=images))
def layer_fisher(network: Network, vkdnw_params: Any, vkdnw_images: Array) -> Array:
    """Mean over images of J' (diag(p) - p p') J, `[layers, layers]`: J the Jacobian of an image's logits by the first weight of every
    kernel, p the smoothed predictions; fresh running statistics. Rows of layers that do not exist are zero."""
    kernels = [jnp.asarray(w) for w in network.weights(vkdnw_params)]
    sizes = [len(w) for w in kernels]
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]

    def logits(shift: Array, image: Array) -> Array:
        flat = [w.reshape(len(w), -1) for w in kernels]
        moved = [f.at[:, 0].add(shift[end - n : end]).reshape(w.shape) for f, w, n, end in zip(flat, kernels, sizes, ends, strict=True)]
        return network.forward(network.with_weights(vkdnw_params, moved), image[None], norm="init").outputs[0]

    def one(image: Array) -> Array:
        out, pull = jax.vjp(lambda shift: logits(shift, image), jnp.zeros(ends[-1], kernels[0].dtype))
        jacobian = jax.vmap(lambda ct: pull(ct)[0])(jnp.eye(len(out), dtype=out.dtype))
        p = jax.nn.softmax(out) * (1 - SMOOTHING) + SMOOTHING / len(out)
        return jacobian.T @ ((jnp.diag(p) - jnp.outer(p, p)) @ jacobian)

    exists = jnp.concatenate(network.active())
    total = jax.lax.map(one, jnp.asarray(vkdnw_images)).mean(0)
    return jnp.where(exists[:, None] & exists[None, :], total, 0)
