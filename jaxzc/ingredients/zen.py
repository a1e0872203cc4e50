"""Zen-score's pair of forward passes: Gaussian weights, an image of noise and the same image with a little more noise."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxzc.definitions.facts import Passes, ingredient
from jaxzc.ingredients.passes import entry
from jaxzc.ingredients.passes.groups import of_relus
from jaxzc.types import Array, Batch, JaxzcError, Network, Norm, Params, PyTree, Tap

SIZE = 0.01
"""How much of the second noise is added (the authors' gamma)."""


def _variance(x: Array) -> dict[str, Array]:
    """Mean over channels of the unbiased variance over examples and positions."""
    rows = x.reshape(-1, x.shape[-1])
    return {"variance": rows.var(0, ddof=1).mean(), "exists": jnp.ones((), bool)}


@ingredient(zen_difference=Passes(forward=2), zen_variances=Passes(forward=2), zen_exists=Passes(forward=2))
def zen_pair(
    network: Network, zen_params: Params, zen_images: PyTree, zen_noise: PyTree, batches: tuple[Batch, ...], norm: Norm
) -> dict[str, Any]:
    """zen_difference, f(x) - f(x + 0.01 e), `[B, ...]`, f the output of the network's last ReLU, which global pooling takes;
    zen_variances, mean over channels of the batch variance of every normalisation layer's input, `[2, norms]`: on x and on x + 0.01 e;
    zen_exists, bool `[norms]`."""

    def run(values: Any) -> tuple[Array, PyTree]:
        tap = Tap(norm=_variance, activation=jax.nn.relu)
        out = entry.forward(network, zen_params, batches[0].inputs, values, norm=norm, tap=tap)
        if not out.norms:
            raise JaxzcError(
                "needs the inputs of normalisation layers (the ingredient zen_variances), which this network does not offer: "
                "score a space, or leave this proxy out"
            )
        return of_relus(network, out.activations, "the output of the last ReLU", ("relu",))[-1][-1], list(out.norms.values())

    features, norms = jax.vmap(run)(jax.tree.map(lambda x, e: jnp.stack([x, x + SIZE * e]), zen_images, zen_noise))
    return {
        "zen_difference": features[0] - features[1],
        "zen_variances": jnp.concatenate([n["variance"] for n in norms], axis=1),
        "zen_exists": jnp.concatenate([n["exists"][0] for n in norms]),
    }
