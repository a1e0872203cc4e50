"""Random crops and flips of image batches, as a pure function of a key."""

import jax
import jax.numpy as jnp

from jaxzc.types import Array


def crop(key: Array, images: Array, margin: int, fill: Array | float = 0) -> Array:
    """Each of the images `[N, H, W, C]` shifted by up to `margin` pixels each way; `fill` moves in: without it zeros, the mean colour."""
    n, *size = images.shape
    padded = jnp.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0)), constant_values=fill)
    corners = jax.random.randint(key, (n, 2), 0, 2 * margin + 1)
    return jax.vmap(lambda image, corner: jax.lax.dynamic_slice(image, (*corner, 0), size))(padded, corners)


def flip(key: Array, images: Array) -> Array:
    """Each of the images `[N, H, W, C]` mirrored left to right with probability one half."""
    return jnp.where(jax.random.bernoulli(key, 0.5, (len(images), 1, 1, 1)), images[:, :, ::-1], images)
