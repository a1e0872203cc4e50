"""What is drawn at random: noise, probes and fresh parameters. All come from the root `key`, each by a name of its own.

Any of them can be fixed instead (`compute_scores(..., fixed={"az_images": x})`), which is how the authors' stored numbers are compared.
How many are drawn, and how large, are settings: `swap(repeats=32)` reaches `swap_params`.
"""

import numbers
import zlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxzc.definitions.facts import ingredient
from jaxzc.ingredients.passes import entry
from jaxzc.numerics import initialisers
from jaxzc.numerics.trees import first, map_named, wide_dtype
from jaxzc.types import Array, Batch, JaxzcError, Network, Params, PyTree


def named(key: Array, name: str) -> Array:
    """The key of one drawn ingredient."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def redrawn(network: Network, params: Params, key: Array, initialiser: str) -> Params:
    """`params` with kernels of that initialiser, biases and shifts 0, scales 1."""

    def fresh(name: str, leaf: Array) -> Array:
        return jnp.zeros_like(leaf) if "bias" in name else jnp.ones_like(leaf) if "scale" in name else leaf

    kernels, _ = initialisers.draw(initialiser, key, network.groups)
    dtypes = [w.dtype for w in network.weights(params)]
    return network.with_weights(map_named(fresh, params), [k.astype(d) for k, d in zip(kernels, dtypes, strict=True)])


def _noise(name: str) -> Callable[..., Any]:
    def draw(network: Network, params: Params, batches: tuple[Batch, ...], key: Array) -> Params:
        return noise(network, params, batches[0].inputs, named(key, name))

    draw.__name__ = name
    draw.__doc__ = "Standard normal images of the first batch's shape (noise in the place of the embedding where inputs are integers)."
    return ingredient()(draw)


def noise(network: Network, params: Params, inputs: PyTree, key: Array, count: int | None = None) -> Any:
    """Standard normal values in the place of the first floating values that `count` examples of the inputs become."""
    leaves, structure = jax.tree.flatten(entry.shapes(network, params, first(inputs, count)))
    keys = [key] if len(leaves) == 1 else jax.random.split(key, len(leaves))
    return jax.tree.unflatten(structure, [_normal(k, s.shape, s.dtype) for k, s in zip(keys, leaves, strict=True)])


def _normal(key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """Standard normal values, in half precision those of float32, rounded."""
    return jax.random.normal(key, shape, wide_dtype(dtype)).astype(dtype)


def _parameters(name: str, initialiser: str) -> Callable[..., Any]:
    def draw(network: Network, params: Params, key: Array) -> Params:
        return redrawn(network, params, named(key, name), initialiser)

    draw.__name__, draw.__doc__ = name, f"Parameters drawn anew: {initialiser}."
    return ingredient()(draw)


def _first(batches: tuple[Batch, ...], images: int) -> Any:
    return first(batches[0].inputs, at_least_one("images", images))


def at_least_one(setting: str, value: int) -> int:
    """The value of a setting that counts; raises `JaxzcError` for what is no whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise JaxzcError(f"{setting}={value!r}: expected a whole number of at least 1")
    return int(value)


az_images = _noise("az_images")
az_params = _parameters("az_params", "kaiming_normal_fan_in")
zen_images = _noise("zen_images")
zen_noise = _noise("zen_noise")
zen_params = _parameters("zen_params", "normal")
vkdnw_params = _parameters("vkdnw_params", "kaiming_normal_fan_in")


@ingredient()
def vkdnw_images(network: Network, params: Params, batches: tuple[Batch, ...], key: Array, *, images: int = 16) -> Any:
    """Standard normal images of the first batch's shape: `images` of them, or fewer where the batch has fewer."""
    return noise(network, params, batches[0].inputs, named(key, "vkdnw_images"), at_least_one("images", images))


@ingredient()
def swap_images(batches: tuple[Batch, ...], *, images: int = 16) -> Any:
    """The first `images` of the first batch, or as many as it has."""
    return _first(batches, images)


@ingredient()
def ntk_images(batches: tuple[Batch, ...], *, images: int = 16) -> Any:
    """The first `images` of the first batch, or as many as it has."""
    return _first(batches, images)


@ingredient()
def swap_params(network: Network, params: Params, key: Array, *, repeats: int = 8) -> Any:
    """Parameters drawn `repeats` times from a standard normal distribution, leading axis [repeats]. SWAP's authors average 32; the count of
    one is already steady, and every repeat is a forward pass."""
    keys = jax.random.split(named(key, "swap_params"), at_least_one("repeats", repeats))
    return jax.vmap(lambda k: redrawn(network, params, k, "normal"))(keys)


@ingredient()
def region_params(network: Network, params: Params, key: Array) -> Any:
    """A network one channel wide, inside this one: every kernel is drawn (Kaiming, fan-in) and then zero but for its first output channel,
    so that the other channels are zero everywhere."""
    thin = redrawn(network, params, named(key, "region_params"), "kaiming_normal_fan_in")

    def one(w: Array) -> Array:
        return w * lax.broadcast_to_rank((jnp.arange(w.shape[-1]) == 0).astype(w.dtype), w.ndim)

    return network.with_weights(thin, [one(w) for w in network.weights(thin)])


@ingredient()
def region_images(batches: tuple[Batch, ...], key: Array, *, repeats: int = 3, images: int = 1000, size: int = 4) -> Array:
    """Random crops of random images of the first batch, `[repeats, images, size, size, channels]`."""
    pictures = _pictures(batches)
    count, height, width, channels = pictures.shape
    if min(height, width) < at_least_one("size", size):
        raise JaxzcError(f"counts regions on crops of {size} x {size} pixels, and the images are {height} x {width}")
    which, down, right = jax.random.split(named(key, "region_images"), 3)
    shape = (at_least_one("repeats", repeats) * at_least_one("images", images),)
    starts = [jax.random.randint(k, shape, 0, limit) for k, limit in ((which, count), (down, height - size + 1), (right, width - size + 1))]

    def crop(image: Array, top: Array, left: Array) -> Array:
        return jax.lax.dynamic_slice(pictures, (image, top, left, 0), (1, size, size, channels))[0]

    return jax.vmap(crop)(*starts).reshape(repeats, images, size, size, channels)


@ingredient()
def meco_image(batches: tuple[Batch, ...], key: Array, *, size: int = 64) -> Array:
    """One image of standard normal noise, `[1, size, size, channels]`."""
    pictures = _pictures(batches)
    shape = (1, at_least_one("size", size), size, pictures.shape[-1])
    return _normal(named(key, "meco_image"), shape, pictures.dtype)


def _pictures(batches: tuple[Batch, ...]) -> Array:
    shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(batches[0].inputs)]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        listed = ", ".join(map(str, shapes))
        raise JaxzcError(f"needs images [N, height, width, channels], and the batch has shape {listed}: leave this proxy out")
    return jnp.asarray(jax.tree.leaves(batches[0].inputs)[0])
