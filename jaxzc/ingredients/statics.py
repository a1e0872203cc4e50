"""Ingredients that need no pass over the network: kernels and facts about the layers."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxzc.facts import Passes, ingredient
from jaxzc.ingredients.gradients import labels_of
from jaxzc.types import Array, Network


@ingredient()
def weights(network: Network, params: Any) -> list[Array]:
    """Kernels of convolution and linear layers, `[layers, n]` per group; zero where the layer does not exist."""
    kernels = zip(network.weights(params), network.active(), strict=True)
    return [w.reshape(len(w), -1) * on[:, None] for w, on in kernels]


@ingredient(active=Passes(), cells=Passes(), fan_in=Passes())
def layer_facts(network: Network) -> dict[str, Any]:
    """Per group: `active`, bool [layers], whether the layer exists in this architecture; `cells`, int [layers], the cell it sits in, -1
    outside cells; `fan_in`, int."""
    return {
        "active": network.active(),
        "cells": [np.asarray(g.cells) for g in network.groups],
        "fan_in": [g.fan_in for g in network.groups],
    }


@ingredient()
def labels(batches: Any) -> Array:
    """Labels of the first batch, int [B]."""
    return jnp.asarray(labels_of(batches[0]))
