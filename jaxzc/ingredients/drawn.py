"""What is drawn at random: noise, probes and fresh parameters. All come from the root `key`, each by a name of its own.

Any of them can be given instead (`compute_scores(..., fixed={"az_images": x})`), which is how the authors' stored numbers are compared.
"""

import zlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxzc.ingredients import entry
from jaxzc.numerics import initialisers
from jaxzc.numerics.trees import first, map_named
from jaxzc.resolver import Maker, makes
from jaxzc.types import Array, JaxzcError, Network

SWAP_IMAGES, SWAP_REPEATS = 16, 8
"""SWAP's authors average 32 repeats; the count of one is already steady, and every repeat is a forward pass."""
NTK_IMAGES = VKDNW_IMAGES = 16
REGION_BATCHES, REGION_IMAGES, REGION_SIZE = 3, 1000, 4
MECO_SIZE = 64


def named(key: Array, name: str) -> Array:
    """The key of one drawn ingredient."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def redrawn(network: Network, params: Any, key: Array, initialiser: str) -> Any:
    """`params` with kernels of that initialiser, biases and shifts 0, scales 1."""

    def fresh(name: str, leaf: Array) -> Array:
        return jnp.zeros_like(leaf) if "bias" in name else jnp.ones_like(leaf) if "scale" in name else leaf

    kernels, _ = initialisers.draw(initialiser, key, network.groups)
    dtypes = [w.dtype for w in network.weights(params)]
    return network.with_weights(map_named(fresh, params), [k.astype(d) for k, d in zip(kernels, dtypes, strict=True)])


def _noise(name: str, count: int | None = None) -> Maker:
    def make(network: Network, params: Any, batches: Any, key: Array, *, wanted: frozenset[str]) -> dict[str, Any]:
        leaves, structure = jax.tree.flatten(entry.shapes(network, params, first(batches[0].inputs, count)))
        keys = [named(key, name)] if len(leaves) == 1 else jax.random.split(named(key, name), len(leaves))
        return {name: jax.tree.unflatten(structure, [jax.random.normal(k, s.shape, s.dtype) for k, s in zip(keys, leaves, strict=True)])}

    make.__doc__ = "Standard normal images of the first batch's shape (noise in the place of the embedding where inputs are integers)."
    return makes(**{name: ""})(make)


def _parameters(name: str, initialiser: str) -> Maker:
    def make(network: Network, params: Any, key: Array, *, wanted: frozenset[str]) -> dict[str, Any]:
        return {name: redrawn(network, params, named(key, name), initialiser)}

    make.__doc__ = f"Parameters drawn anew: {initialiser}."
    return makes(**{name: ""})(make)


def _first(name: str, count: int) -> Maker:
    def make(batches: Any, *, wanted: frozenset[str]) -> dict[str, Any]:
        return {name: first(batches[0].inputs, count)}

    make.__doc__ = f"The first {count} images of the first batch."
    return makes(**{name: ""})(make)


@makes(swap_params="")
def swap_params(network: Network, params: Any, key: Array, *, wanted: frozenset[str]) -> dict[str, Any]:
    """Parameters drawn SWAP_REPEATS times from a standard normal distribution, leading axis [repeats]."""
    keys = jax.random.split(named(key, "swap_params"), SWAP_REPEATS)
    return {"swap_params": jax.vmap(lambda k: redrawn(network, params, k, "normal"))(keys)}


@makes(region_params="")
def region_params(network: Network, params: Any, key: Array, *, wanted: frozenset[str]) -> dict[str, Any]:
    """A network one channel wide, inside this one: every kernel is drawn (Kaiming, fan-in) and then zero but for its first output channel,
    so that the other channels are zero everywhere."""
    thin = redrawn(network, params, named(key, "region_params"), "kaiming_normal_fan_in")
    first: Callable[[Array], Array] = lambda w: w * (jnp.arange(w.shape[-1]) == 0).astype(w.dtype)  # noqa: E731
    return {"region_params": network.with_weights(thin, [first(w) for w in network.weights(thin)])}


@makes(region_images="")
def region_images(batches: Any, key: Array, *, wanted: frozenset[str]) -> dict[str, Any]:
    """Random crops of random images of the first batch, `[REGION_BATCHES, REGION_IMAGES, REGION_SIZE, REGION_SIZE, channels]`."""
    images = _pictures(batches)
    count, height, width, channels = images.shape
    if min(height, width) < REGION_SIZE:
        raise JaxzcError(f"counts regions on crops of {REGION_SIZE} x {REGION_SIZE} pixels, and the images are {height} x {width}")
    which, down, right = jax.random.split(named(key, "region_images"), 3)
    shape = (REGION_BATCHES * REGION_IMAGES,)
    starts = [
        jax.random.randint(k, shape, 0, limit)
        for k, limit in ((which, count), (down, height - REGION_SIZE + 1), (right, width - REGION_SIZE + 1))
    ]

    def crop(image: Array, top: Array, left: Array) -> Array:
        return jax.lax.dynamic_slice(images, (image, top, left, 0), (1, REGION_SIZE, REGION_SIZE, channels))[0]

    return {"region_images": jax.vmap(crop)(*starts).reshape(REGION_BATCHES, REGION_IMAGES, REGION_SIZE, REGION_SIZE, channels)}


@makes(meco_image="")
def meco_image(batches: Any, key: Array, *, wanted: frozenset[str]) -> dict[str, Any]:
    """One image of standard normal noise, `[1, MECO_SIZE, MECO_SIZE, channels]`."""
    images = _pictures(batches)
    shape = (1, MECO_SIZE, MECO_SIZE, images.shape[-1])
    return {"meco_image": jax.random.normal(named(key, "meco_image"), shape, images.dtype)}


def _pictures(batches: Any) -> Array:
    shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(batches[0].inputs)]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        listed = ", ".join(map(str, shapes))
        raise JaxzcError(f"needs images [N, height, width, channels], and the batch has shape {listed}: leave this proxy out")
    return jnp.asarray(jax.tree.leaves(batches[0].inputs)[0])


MAKERS = [
    _noise("az_images"),
    _parameters("az_params", "kaiming_normal_fan_in"),
    _noise("zen_images"),
    _noise("zen_noise"),
    _parameters("zen_params", "normal"),
    _noise("vkdnw_images", VKDNW_IMAGES),
    _parameters("vkdnw_params", "kaiming_normal_fan_in"),
    _first("swap_images", SWAP_IMAGES),
    swap_params,
    _first("ntk_images", NTK_IMAGES),
    region_params,
    region_images,
    meco_image,
]
