"""SWAP: how many different patterns units show over a few images."""

import jax.numpy as jnp

from jaxzc.definitions.facts import proxy
from jaxzc.numerics.dtypes import wider
from jaxzc.types import Array


@proxy(direction="higher", labels=False, redrawn="normal", norm="batch")
def swap(swap_counts: Array) -> Array:
    """Number of sample-wise activation patterns.

    Definition: number of different rows of the matrix [units, 16 images] of the signs of all ReLU inputs, averaged over 8 draws of
        standard normal weights.
    Source: Peng et al., SWAP-NAS: Sample-Wise Activation Patterns for Ultra-Fast NAS, ICLR 2024, definition 3.3.
    Authors' code: as here, averaged over 32 draws: `repeats=32`.
    Weights: none; signs of ReLU inputs.
    Fails: no more than 65,536, which networks of millions of units come near; grows with the number of units.
    """
    return swap_counts.astype(jnp.float32).mean()


@proxy(direction="higher", labels=False, redrawn="normal", norm="batch")
def swap_regularised(swap_counts: Array, param_count: Array, *, mu: float = 1000.0, sigma: float = 1e6) -> Array:
    """SWAP, times a bell curve of the model's size.

    Definition: swap * exp( -(P - mu)^2 / sigma ), P the number of parameters in thousands.
    Source: Peng et al., SWAP-NAS, ICLR 2024, definition 3.4.
    Authors' code: as here, without a default for mu and sigma; ours, a million parameters and a width of a million, are not tuned.
    Weights: their number.
    Fails: mu and sigma say which size is wanted; far from it the score is 0 and everything ties.
    """
    score, params = wider(swap(swap_counts), param_count)
    return score * jnp.exp(-jnp.square(params / 1000 - mu) / sigma)
