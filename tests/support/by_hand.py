"""Arrays written by hand as what proxies ask for, and derivatives taken by hand."""

from collections import OrderedDict
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxzc.scoring.results import to_float
from jaxzc.types import Tap

NAN = float("nan")
ON = [jnp.array([True])]  # one group of one layer, which exists


def group(*layers: Any) -> list[jax.Array]:
    """One layer group of these layers `[layers, n]`."""
    return [jnp.array(layers, jnp.float32)]


def value(proxy: Any, *ingredients: Any, **settings: Any) -> float:
    """The score, compiled."""
    return to_float(jax.jit(partial(proxy, **settings))(*ingredients))


def slopes(network: Any, params: Any, images: Any) -> list[Any]:
    """By how much the sum of squared logits grows with each layer's output, as a tap moves it: `[layers]` per group."""
    tap = Tap(layer=lambda y, shift: (y if shift is None else y + shift * y, jnp.zeros(())))

    def total(shifts: Any) -> Any:
        return jnp.square(network.forward(params, images, norm="init", tap=tap._replace(perturb=shifts)).outputs).sum()

    return list(jax.grad(total)(OrderedDict((group.name, jnp.zeros(len(group.cells))) for group in network.groups)).values())


def batches(*grads: Any) -> list[jax.Array]:
    """Gradients of one layer in several batches, `[batches, 1, n]`."""
    return [jnp.array(grads, jnp.float32)[:, None]]
