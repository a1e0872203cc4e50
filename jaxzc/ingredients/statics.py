"""Ingredients that need no pass over the network: kernels and facts about the layers."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxzc.ingredients.gradients import labels_of
from jaxzc.resolver import makes
from jaxzc.types import Network


@makes(weights="")
def weights(network: Network, params: Any, *, wanted: frozenset[str]) -> dict[str, Any]:
    """Kernels of convolution and linear layers, `[layers, n]` per group; zero where the layer does not exist."""
    kernels = zip(network.weights(params), network.active(), strict=True)
    return {"weights": [w.reshape(len(w), -1) * on[:, None] for w, on in kernels]}


@makes(active="", cells="", fan_in="")
def layer_facts(network: Network, *, wanted: frozenset[str]) -> dict[str, Any]:
    """Per group: `active`, bool [layers], whether the layer exists in this architecture; `cells`, int [layers], the cell it sits in, -1
    outside cells; `fan_in`, int."""
    return {
        "active": network.active(),
        "cells": [np.asarray(g.cells) for g in network.groups],
        "fan_in": [g.fan_in for g in network.groups],
    }


@makes(labels="")
def labels(batches: Any, *, wanted: frozenset[str]) -> dict[str, Any]:
    """Labels of the first batch, int [B]."""
    return {"labels": jnp.asarray(labels_of(batches[0]))}


MAKERS = [weights, layer_facts, labels]
