"""Dextr: how independent the channels of a network's feature maps are, and how strongly its output bends; one image, no labels."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxzc.definitions.facts import proxy
from jaxzc.numerics.layers import sum_over_layers
from jaxzc.types import Array


@proxy(direction="higher", labels=False, init="torch", norm="batch")
def dextr(map_conditions: Sequence[Array], output_curvature: Array) -> Array:
    """Harmonic combination of feature maps' inverse condition numbers and the output's curvature.

    Definition: S K / (S + K), S = log(1 + sum_l s_min / s_max), s the singular values of layer l's output [channels, positions] for one
        image, K = log(1 + kappa), kappa the extrinsic curvature of 10 of the outputs (drawn with replacement) at u0 on the circle
        u0 cos t + u1 sin t of inputs, u0 and u1 random and orthonormal. Where the output does not change along the circle (a disconnected
        network) S alone.
    Source: Asthana et al., Dextr, TMLR 2025, arXiv 2508.12977, eq. 8.
    Authors' code: every module is hooked, containers too, so that one map enters up to five times and normalised maps count as well; here
        each convolution's and linear layer's output counts once. The circle is drawn at 64 x 64 on NAS-Bench-201 whatever the images are;
        here in the batch's size. Curvature is that of one point (their n_interp = 1), not of a whole circle as the text has it.
    Weights: none; feature maps and outputs, normalised by the statistics of the one image.
    Fails: a layer of vectors has one singular value and counts 1, so that the sum counts layers too; NATS-Bench sizes need the authors'
        modified form (negatively correlated otherwise); depends on the circle that is drawn.
    """
    spread = jnp.log1p(sum_over_layers(lambda ratio: ratio, map_conditions))
    bend = jnp.log1p(output_curvature)
    return jnp.where(jnp.isnan(bend), spread, spread * bend / (spread + bend))
