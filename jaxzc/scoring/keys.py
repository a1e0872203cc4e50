"""Random keys: what a score is drawn from depends on the architecture, and not on where in a list it stands."""

import jax

from jaxzc.types import Array

NOISE = 2**31 - 1
"""What the key of an architecture's weights is folded with to give the key of its noise and of weights drawn anew."""


def fold_in(key: Array, arch: Array) -> Array:
    """A key for one architecture: it depends on its genes `[genes]`."""
    for gene in arch:
        key = jax.random.fold_in(key, gene)
    return key
