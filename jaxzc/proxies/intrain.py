"""InTrain: over how many channels a network's activations are spread, and how evenly its gradients are."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxzc.definitions.facts import proxy
from jaxzc.numerics.layers import sum_over_layers
from jaxzc.types import Array

EPS = 1e-10
"""Added to a layer's largest gradient, which is 0 where the layer does not exist."""


@proxy(direction="higher", labels=True, init="torch", norm="batch")
def intrain(participation: Sequence[Array], loss_grads: Sequence[Array]) -> Array:
    """Participation ratios of activations, times how evenly gradients are spread, over the logarithm of depth.

    Definition: gamma (1 + o) / log(L + 1), gamma the sum of log((tr C)^2 / tr(C^2)) over L activation functions, C the covariance of the
        channels after the function (rows: examples and positions), o the sum over layers of min(1, std(g) / max|g|).
    Source: InTrain, CVPR 2026, arXiv 2606.18676.
    Authors' code: none is published, and the paper's formulas were read in a note only. Not known there, and chosen here: activations are
        the values after activation functions, gradients are those of layers' weights, and std divides by the number of weights. The
        authors score 64 images of noise, 64 x 64, with random labels; here the batch that is given.
    Weights: their gradients, and activations.
    Fails: both sums grow with depth, faster than log(L + 1); no value of the authors' is stored to compare with.
    """
    gamma, functions = (sum_over_layers(lambda ratios, column=column: ratios[:, column], participation) for column in (0, 1))
    evenness = sum_over_layers(lambda g: jnp.minimum(1, g.std(1) / (jnp.abs(g).max(1) + EPS)), loss_grads)
    return gamma * (1 + evenness) / jnp.log1p(functions)
