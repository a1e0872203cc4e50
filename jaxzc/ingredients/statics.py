"""Ingredients that need no pass over the network: kernels and facts about the layers."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.definitions.facts import Passes, ingredient
from jaxzc.numerics.trees import at_least_float32, batch_size
from jaxzc.tasks.checks import targets_of
from jaxzc.types import Array, Batch, JaxzcError, Network, Params


@ingredient()
def weights(network: Network, params: Params) -> list[Array]:
    """Kernels of convolution and linear layers, `[layers, n]` per group; zero where the layer does not exist."""
    kernels = zip(network.weights(params), network.active(), strict=True)
    flat = [(at_least_float32(w.reshape(len(w), -1)), on) for w, on in kernels]
    return [w * on[:, None].astype(w.dtype) for w, on in flat]


@ingredient(active=Passes(), cells=Passes(), fan_in=Passes(), existing=Passes())
def layer_facts(network: Network) -> dict[str, Any]:
    """Per group: `active`, bool [layers], whether the layer exists in this architecture; `cells`, int [layers], the cell it sits in, -1
    outside cells; `fan_in`, int; `existing`, bool [layers, n], which entries of the kernels are weights, None where all are, as here
    (kernels of padded widths have others, which are 0: `jaxzc.ladder`)."""
    return {
        "active": network.active(),
        "cells": [np.asarray(g.cells) for g in network.groups],
        "fan_in": [g.fan_in for g in network.groups],
        "existing": [None for _ in network.groups],
    }


@ingredient()
def labels(batches: tuple[Batch, ...]) -> Array:
    """Labels of the first batch, int [B]."""
    targets, count = targets_of(batches[0]), batch_size(batches[0].inputs)
    shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(targets)]
    if shapes not in ([(count,)], [(count, 1)]) or not jnp.issubdtype(jnp.result_type(*jax.tree.leaves(targets)), jnp.integer):
        raise JaxzcError(
            f"compares examples of one class, and the targets are no class numbers [{count}] (shapes {', '.join(map(str, shapes))}): "
            "leave this proxy out"
        )
    return jnp.reshape(jax.tree.leaves(targets)[0], count)
