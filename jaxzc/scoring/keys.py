"""Random keys: of a seed, and those that depend on the architecture, so that its position in a list does not change its score."""

import jax
import numpy as np

from jaxzc.types import Array, JaxzcError

NOISE = 2**31 - 1
"""Folding this number into the key of an architecture's weights gives the key of its noise, probes and redrawn weights."""


def fold_in(key: Array, arch: Array) -> Array:
    """The key of one architecture: `key` with its genes int `[genes]` folded in, one after another."""
    for gene in arch:
        key = jax.random.fold_in(key, gene)
    return key


def seeded(seed: int) -> Array:
    """The random key of a seed. Raises `JaxzcError` for anything but a whole number of at most 64 bits."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not -(2**63) <= seed < 2**63:
        raise JaxzcError(f"seed={seed!r}: expected a whole number of at most 64 bits, such as 0")
    return jax.random.key(seed)
