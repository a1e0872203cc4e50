"""Zen-score: how much a Gaussian network's features move with its input, with the scales that normalisation hides put back."""

import jax.numpy as jnp

from jaxzc.definitions.facts import proxy
from jaxzc.types import Array, JaxzcError

MOMENTUM = 0.1
"""Of the running variance in PyTorch's default batch normalisation."""


@proxy(direction="higher", labels=False, redrawn="normal", norm="batch")
def zen(zen_difference: Array, zen_variances: Array, zen_exists: Array, *, form: str = "code") -> Array:
    """Log of the change of the features under a small change of a noise image, plus the log of what normalisation divides by.

    Definition: log mean_n |f(x) - f(x + 0.01 e)|_1 + sum over normalisation layers of log sqrt(mean over channels of the running variance),
        f the features before global pooling, weights, x and e standard normal.
    Source: Lin et al., Zen-NAS: A Zero-Shot NAS for High-Performance Image Recognition, ICCV 2021, algorithm 1.
    Authors' code: as here: the running variance is what two forward passes leave of the initial 1 (0.81 + 0.09 v_1 + 0.1 v_2). The paper's
        formula has the 2-norm and the variance of the batch (`form="paper"`). Residual links are taken out for scoring there and
        kept here; the search draws once, as here.
    Weights: all, through the features.
    Fails: -inf where the network is disconnected (with `form="paper"` also where one normalisation layer's input is constant); needs batch
        normalisation; the features are the output of the last ReLU.
    """
    change = zen_difference.reshape(len(zen_difference), -1)
    if form == "code":
        size = jnp.abs(change).sum(1).mean()
        variance = (1 - MOMENTUM) ** 2 + MOMENTUM * (1 - MOMENTUM) * zen_variances[0] + MOMENTUM * zen_variances[1]
    elif form == "paper":
        size, variance = jnp.sqrt(jnp.square(change).sum(1)).mean(), zen_variances[0]
    else:
        raise JaxzcError(f"form={form!r}: expected 'code' (the authors') or 'paper'")
    return jnp.log(size) + 0.5 * jnp.log(jnp.where(zen_exists, variance, 1)).sum()
