"""Arrays written by hand as what proxies ask for."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxzc.scoring import to_float


def group(*layers: Any) -> list[jax.Array]:
    """One layer group of these layers `[layers, n]`."""
    return [jnp.array(layers, jnp.float32)]


def value(proxy: Any, *ingredients: Any, **settings: Any) -> float:
    """The score, compiled."""
    return to_float(jax.jit(partial(proxy, **settings))(*ingredients))
