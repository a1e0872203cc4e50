"""Counting distinct patterns of ReLU signs: of units over a few images (SWAP), and of images over all units (linear regions)."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.definitions.facts import Passes, ingredient
from jaxzc.ingredients.passes import resized
from jaxzc.ingredients.passes.groups import of_relus
from jaxzc.ingredients.passes.patterns import relu_code
from jaxzc.numerics.trees import batch_size
from jaxzc.types import Array, JaxzcError, Network, Norm, Params, PyTree, Tap

LIMIT = 16
"""Images over which a unit's pattern is one of at most 2**16."""


@ingredient(lambda repeats, images: Passes(forward=repeats, examples=images))
def swap_counts(network: Network, swap_params: Params, swap_images: PyTree, norm: Norm) -> Array:
    """For each of `swap_params`, how many different rows the matrix [units, images] of the signs of all ReLU inputs has, int32
    `[repeats]`."""
    if batch_size(swap_images) > LIMIT:
        raise JaxzcError(f"swap_images holds {batch_size(swap_images)} images: give at most {LIMIT}, which have {2**LIMIT} patterns")

    def seen(x: Array) -> Array:
        code = relu_code(x).astype(jnp.int32)
        words = (code << jnp.arange(len(code), dtype=jnp.int32)[:, None]).sum(0, dtype=jnp.int32)
        return jnp.zeros(1 << len(code), bool).at[words].set(True)

    def count(params: Params) -> Array:
        relus = of_relus(network, network.forward(params, swap_images, norm=norm, tap=Tap(activation=seen)).activations)
        return jnp.stack([table.any(0) for table in relus]).any(0).sum(dtype=jnp.int32)

    return jax.lax.map(count, swap_params)


@ingredient(lambda repeats, images, size: Passes(forward=1, examples=repeats * images, pixels=size * size))
def region_count(network: Network, region_params: Params, region_images: Array, norm: Norm) -> Array:
    """How many of `region_images [batches, n, H, W, channels]` differ in the sign of some ReLU input, int32 scalar: the number of linear
    regions that the images fall into. Codes are compared by 64 hashed bits."""

    def codes(images: Array) -> Array:
        tap = Tap(activation=lambda x: hashed(relu_code(x)))
        relus = of_relus(network, resized.forward(network, region_params, images, norm, tap).activations)
        rng = np.random.default_rng(0)
        total = jnp.zeros((len(images), 2), jnp.uint32)
        for group in relus:
            odd = jnp.asarray(2 * rng.integers(0, 2**31, len(group)) + 1, jnp.uint32)
            total = total + (group * odd[:, None, None]).sum(0, dtype=jnp.uint32)
        return total

    return distinct(jax.lax.map(codes, region_images).reshape(-1, 2))


def hashed(code: Array) -> Array:
    """64 bits of each row of `code`, bool `[B, units]`, as uint32 `[B, 2]`: two sums of random numbers modulo 2**32, linear in the code."""
    unit = jnp.arange(code.shape[1], dtype=jnp.uint32)
    words = [_mixed(unit * jnp.uint32(2) + jnp.uint32(k)) for k in (0, 1)]
    return jnp.stack([jnp.where(code, w[None], jnp.uint32(0)).sum(1, dtype=jnp.uint32) for w in words], axis=1)


def _mixed(x: Array) -> Array:
    """A permutation of uint32 whose bits look random (the finaliser of MurmurHash3)."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x = (x ^ (x >> jnp.uint32(shift))) * jnp.uint32(factor)
    return x ^ (x >> jnp.uint32(16))


def distinct(rows: Array) -> Array:
    """How many different rows `[n, 2]` has, int32 scalar."""
    first, second = jax.lax.sort((rows[:, 0], rows[:, 1]), num_keys=2)
    changes = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return changes.sum(dtype=jnp.int32) + 1
