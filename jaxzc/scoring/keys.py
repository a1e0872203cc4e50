"""Random keys that depend on the architecture, so that its position in a list does not change its score."""

import jax

from jaxzc.types import Array

NOISE = 2**31 - 1
"""Folding this number into the key of an architecture's weights gives the key of its noise, probes and redrawn weights."""


def fold_in(key: Array, arch: Array) -> Array:
    """The key of one architecture: `key` with its genes int `[genes]` folded in, one after another."""
    for gene in arch:
        key = jax.random.fold_in(key, gene)
    return key
