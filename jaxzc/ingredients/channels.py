"""MeCo's pass: how nearly dependent the channels of each feature map are, on one image of noise."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc._compile.float64 import in_float64
from jaxzc.definitions.facts import Passes, ingredient
from jaxzc.ingredients.drawn import named
from jaxzc.ingredients.passes import resized
from jaxzc.ingredients.passes.groups import by_group, on_calls
from jaxzc.numerics.linalg import correlation, eigenvalues
from jaxzc.numerics.trees import at_least_float32, first
from jaxzc.types import Array, Batch, LayerGroup, Network, Norm, Params, Tap

SAMPLED = 8
"""Channels of MeCo_opt's smaller matrix."""


def image_pass(size: int) -> Passes:
    """One image of `size` x `size` pixels."""
    return Passes(forward=1, examples=1, pixels=size * size)


@ingredient(meco_minima=image_pass, meco_sampled_minima=image_pass)
def channel_minima(
    network: Network, params: Params, meco_image: Array, norm: Norm, key: Array, *, wanted: frozenset[str]
) -> dict[str, Any]:
    """Smallest eigenvalue of the Pearson correlation between the channels of every convolution's output (of the first image), per group
    `[layers]`; meco_sampled_minima: of SAMPLED channels drawn at random. 0 where a channel is constant and where the layer does not
    exist."""

    def layer(y: Array, _: Any) -> tuple[Array, Array]:
        return y, correlation(at_least_float32(y[0].reshape(-1, y.shape[-1]).T))

    matrices = by_group(network, resized.forward(network, params, meco_image, norm, Tap(layer=layer)).layers)
    # Where a layer does not exist, a program may show another operation's output in its place.
    present = [jnp.asarray(a) for a in network.active()][: len(matrices)]
    minima = {}
    if "meco_minima" in wanted:
        minima["meco_minima"] = [jnp.where(on_calls(a, len(m)), smallest(m), 0) for a, m in zip(present, matrices, strict=True)]
    if "meco_sampled_minima" in wanted:
        sampled = _sampled(network.groups[: len(matrices)], named(key, "meco_channels"))
        minima["meco_sampled_minima"] = [
            jnp.where(on_calls(a, len(m)), smallest(_among(m, jnp.tile(i, (len(m) // len(i), 1)))), 0)
            for a, m, i in zip(present, matrices, sampled, strict=True)
        ]
    return minima


def _sampled(groups: Sequence[LayerGroup], key: Array) -> list[Array]:
    """Of every group, channels drawn at random, `[draws, SAMPLED]`: one draw for each layer whose place is known, so that a stack in a loop
    samples what it samples unrolled, and one for all layers of any other group."""
    places = [group.places or (number,) for number, group in enumerate(groups)]
    keys = jax.random.split(key, sum(map(len, places)))
    drawn = [[jax.random.permutation(keys[place], g.channels)[:SAMPLED] for place in own] for g, own in zip(groups, places, strict=True)]
    return [jnp.stack(each) for each in drawn]


def _among(matrices: Array, channels: Array) -> Array:
    """The rows and columns `[calls, n]` of matrices `[calls, C, C]`."""
    return jax.vmap(lambda matrix, of: matrix[of][:, of])(matrices, channels)


def smallest(matrices: Array) -> Array:
    """Smallest eigenvalue of each of `[layers, C, C]`; 0 where an entry is not finite."""

    def run(matrices: Array) -> Array:
        finite = jnp.isfinite(matrices).all((1, 2))
        values = eigenvalues(jnp.where(finite[:, None, None], matrices, jnp.eye(matrices.shape[-1])[None]))[:, 0]
        return jnp.where(finite, values, 0)

    return in_float64(run)(matrices)


@ingredient(map_positions=Passes(), channels=Passes())
def layer_sizes(network: Network, params: Params, batches: tuple[Batch, ...], norm: Norm) -> dict[str, Any]:
    """Per group: map_positions, int, height x width of the output; channels, int, its channels."""
    tap = Tap(layer=lambda y, _: (y, y))
    inputs = first(batches[0].inputs, None)
    shapes = jax.eval_shape(lambda p, x: network.forward(p, x, norm=norm, tap=tap).layers, params, inputs)
    return {
        "map_positions": [int(np.prod(s.shape[2:-1], dtype=int)) for s in by_group(network, shapes)],
        "channels": [g.channels for g in network.groups],
    }
