"""AZ-NAS's pass: the outputs of the stem and of every cell on noise, and what one backward pass through each cell does to a probe.

Every map is cut off and goes on as stop_gradient(map) + 0, and the derivative by that zero is taken: one backward pass of
sum_l <probe_l, map_l> then gives J_l' probe_l of every cell l at once, where a derivative by the maps themselves would flow on.
"""

from collections import OrderedDict
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxzc._compile.float64 import in_float64
from jaxzc.definitions.facts import Passes, ingredient
from jaxzc.ingredients.drawn import named
from jaxzc.ingredients.passes import entry
from jaxzc.numerics.linalg import eigenvalues
from jaxzc.types import Array, Batch, JaxzcError, Network, Norm, Params, PyTree, Tap


def map_shapes(
    network: Network, params: Params, inputs: PyTree, norm: Norm, asker: str = "map_entropies or map_gains", noise: PyTree = None
) -> OrderedDict[str, Any]:
    """Shape and dtype `[maps, B, H, W, channels]` (in transformers `[maps, B, tokens, channels]`) of every map group, by its name, of the
    inputs or of noise in their place.

    Raises `JaxzcError` where the network offers no maps."""
    tap = Tap(cell=lambda y, _: (y, y))

    def cells(params: Params, noise: PyTree) -> Any:
        if noise is None:
            return network.forward(params, inputs, norm=norm, tap=tap).cells
        return entry.forward(network, params, inputs, noise, norm=norm, tap=tap).cells

    shapes = jax.eval_shape(cells, params, noise)
    if shapes is None:
        raise JaxzcError(
            f"needs the feature maps of cells (the ingredient {asker}), which this network does not offer: "
            "score a space that has cells, or leave this proxy out"
        )
    return OrderedDict(shapes)


@ingredient()
def az_probes(network: Network, az_params: Params, az_images: PyTree, batches: tuple[Batch, ...], norm: Norm, key: Array) -> list[Array]:
    """Random signs, one array per map group `[maps, B, H, W, channels]` (the first, the stem's, is not used)."""
    shapes = map_shapes(network, az_params, batches[0].inputs, norm, noise=az_images)
    keys = jax.random.split(named(key, "az_probes"), len(shapes))
    return [jax.random.rademacher(k, s.shape, s.dtype) for k, s in zip(keys, shapes.values(), strict=True)]


@ingredient(map_entropies=Passes(forward=1), map_gains=Passes(forward=1, backward=1), map_identities=Passes(forward=1, backward=1))
def az_pass(
    network: Network,
    az_params: Params,
    az_images: PyTree,
    az_probes: Any,
    batches: tuple[Batch, ...],
    norm: Norm,
    *,
    wanted: frozenset[str],
) -> dict[str, Any]:
    """In depth order: map_entropies [maps], the entropy of the normalised eigenvalues of each map's channel covariance; map_gains
    [maps - 1], the largest singular value of g_in' g_out / positions for each pair of adjacent maps (g_in of a larger map is folded into
    channels); map_identities, bool [maps - 1], whether g_in is g_out exactly."""
    inputs, pulls = batches[0].inputs, bool(wanted & {"map_gains", "map_identities"})
    shapes = map_shapes(network, az_params, inputs, norm, noise=az_images)
    shifts = OrderedDict((name, jnp.zeros(s.shape, s.dtype)) for name, s in shapes.items())

    def cell(y: Array, shift: Array) -> tuple[Array, PyTree]:
        return lax.stop_gradient(y) + shift, {"map": y if pulls else None, "covariance": lax.stop_gradient(centred_covariance(y))}

    def run(shifts: PyTree) -> tuple[Any, Any]:
        records = entry.forward(network, az_params, inputs, az_images, norm=norm, tap=Tap(cell=cell, cell_perturb=shifts)).cells or {}
        return [records[name]["map"] for name in shapes], [records[name]["covariance"] for name in shapes]

    results: dict[str, Any] = {}
    if pulls:
        _, pull, covariances = jax.vjp(run, shifts, has_aux=True)
        pulled = pull([p.astype(s.dtype) for p, s in zip(az_probes, shifts.values(), strict=True)])[0]
        results |= _gains(list(pulled.values()), az_probes)
    else:
        covariances = run(shifts)[1]
    if "map_entropies" in wanted:
        results["map_entropies"] = jnp.concatenate([in_float64(entropy)(c) for c in covariances])
    return results


def centred_covariance(values: Array) -> Array:
    """Covariance of the channels over examples and positions, `[C, C]`, of values `[B, ..., C]`."""
    rows = values.reshape(-1, values.shape[-1])
    centred = rows - rows.mean(0, keepdims=True)
    return centred.T @ centred / len(rows)


def entropy(covariances: Array) -> Array:
    """-sum p log(p + 1e-8) of the eigenvalues, divided by their sum, of matrices `[maps, C, C]`; NaN where all are 0."""
    finite = jnp.isfinite(covariances).all((1, 2))
    values = jnp.maximum(eigenvalues(jnp.where(finite[:, None, None], covariances, 0)), 0)
    p = values / values.sum(-1, keepdims=True)
    return -(p * jnp.log(p + 1e-8)).sum(-1)


def _gains(pulled: Any, probes: Any) -> dict[str, Any]:
    g_in = [g for group in pulled for g in group][:-1]  # nothing follows the last map
    g_out = [p for group in probes for p in group][1:]
    by_shape: dict[Any, list[int]] = {}
    products = [_product(a, b.astype(a.dtype)) for a, b in zip(g_in, g_out, strict=True)]
    for i, product in enumerate(products):
        by_shape.setdefault(product.shape, []).append(i)
    gains = jnp.zeros(len(products), products[0].dtype)
    for places in by_shape.values():
        stacked = jnp.stack([products[i] for i in places])
        gains = gains.at[jnp.array(places)].set(in_float64(_largest_singular)(stacked))
    same = [jnp.all(a == b) if a.shape == b.shape else jnp.zeros((), bool) for a, b in zip(g_in, g_out, strict=True)]
    return {"map_gains": gains, "map_identities": jnp.stack(same)}


def _product(g_in: Array, g_out: Array) -> Array:
    """g_in' g_out / positions `[C_in * stride**2, C_out]`, positions those of the smaller map; of `[B, tokens, channels]` by tokens."""
    if g_out.ndim == 3:
        if g_in.shape[:2] != g_out.shape[:2]:
            raise JaxzcError(
                f"compares gradients token by token, and a map of {g_in.shape[1]} tokens is followed by one of {g_out.shape[1]}: leave "
                "this proxy out for transformers that pool their tokens"
            )
        return jnp.einsum("bnc,bnd->cd", g_in, g_out) / (g_out.shape[0] * g_out.shape[1])
    b, h, w, c = g_out.shape
    stride = g_in.shape[1] // h
    folded = g_in.reshape(b, h, stride, w, stride, -1).transpose(0, 1, 3, 2, 4, 5).reshape(b * h * w, -1)
    return folded.T @ g_out.reshape(-1, c) / (b * h * w)


def _largest_singular(matrices: Array) -> Array:
    gram = jnp.swapaxes(matrices, 1, 2) @ matrices
    finite = jnp.isfinite(gram).all((1, 2))
    values = eigenvalues(jnp.where(finite[:, None, None], gram, 0))[:, -1]
    return jnp.where(finite, jnp.sqrt(jnp.maximum(values, 0)), jnp.nan)
