"""Weight initialisers by the names the papers use.

An initialiser is a pair of functions, for kernels and for biases. Kernels are `[..., (kh, kw,) in, out]`; leading `batch_axes` stack
layers of the same shape and do not count towards fan-in or fan-out. Half of the differences between published rank correlations come
from this choice, so it is always named, never implied.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import variance_scaling

from jaxzc.types import Array, JaxzcError

BiasInit = Callable[[Array, tuple[int, ...], int], Array]
KernelInit = Callable[[Array, tuple[int, ...], tuple[int, ...]], Array]


class Initialiser(NamedTuple):
    """kernel(key, shape, batch_axes) and bias(key, shape, fan_in) give float32 arrays of `shape`."""

    kernel: KernelInit
    bias: BiasInit


def _scaled(scale: float, mode: Any, distribution: Any) -> KernelInit:
    def kernel(key: Array, shape: tuple[int, ...], batch_axes: tuple[int, ...] = ()) -> Array:
        return variance_scaling(scale, mode, distribution, in_axis=-2, out_axis=-1, batch_axis=batch_axes)(key, shape, jnp.float32)

    return kernel


def _zeros(key: Array, shape: tuple[int, ...], fan_in: int) -> Array:
    return jnp.zeros(shape, jnp.float32)


def _torch_bias(key: Array, shape: tuple[int, ...], fan_in: int) -> Array:
    bound = fan_in**-0.5
    return jax.random.uniform(key, shape, jnp.float32, -bound, bound)


def _standard_normal(key: Array, shape: tuple[int, ...], batch_axes: tuple[int, ...] = ()) -> Array:
    return jax.random.normal(key, shape, jnp.float32)


INITIALISERS: dict[str, Initialiser] = {
    # PyTorch's default for Conv2d and Linear, kaiming_uniform_(a=sqrt(5)): uniform with bound 1/sqrt(fan_in), biases too.
    "torch": Initialiser(_scaled(1 / 3, "fan_in", "uniform"), _torch_bias),
    "kaiming_normal_fan_in": Initialiser(_scaled(2.0, "fan_in", "normal"), _zeros),
    "kaiming_normal_fan_out": Initialiser(_scaled(2.0, "fan_out", "normal"), _zeros),
    "kaiming_uniform_fan_in": Initialiser(_scaled(2.0, "fan_in", "uniform"), _zeros),
    "xavier_uniform": Initialiser(_scaled(1.0, "fan_avg", "uniform"), _zeros),
    "normal": Initialiser(_standard_normal, _zeros),
}


def initialiser(name: str) -> Initialiser:
    """The initialiser of that name; raises `JaxzcError` with the known names otherwise."""
    if name not in INITIALISERS:
        raise JaxzcError(f"unknown initialiser {name!r}: expected one of {', '.join(INITIALISERS)}")
    return INITIALISERS[name]
