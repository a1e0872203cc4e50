"""What steps compute, with the arithmetic of `jaxzc_spaces.core.layers`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import jax
import jax.numpy as jnp

from jaxzc.types import Array, Norm
from jaxzc_spaces.core.layers import convolution, normalise


@dataclass(frozen=True)
class Depthwise:
    """Depthwise convolution, batch normalisation (scale 1, shift 0) unless `eps` is None, and ReLU if asked for."""

    size: int
    channels: int
    stride: int
    eps: float | None = None
    relu: bool = False
    dilation: int = 1

    @property
    def kernel(self) -> tuple[int, ...]:
        return (self.size, self.size, 1, self.channels)

    def layer(self, inputs: tuple[Array, ...], kernel: Array | None) -> Array:
        assert kernel is not None
        return convolution(inputs[0], kernel, (self.stride, self.stride), self.dilation, groups=self.channels)

    def after(self, y: Array, norm: Norm) -> tuple[Array | None, Array]:
        return rectified(normalised(y, norm, self.eps), self.relu)


@dataclass(frozen=True)
class MeanLinear:
    """Global mean and classifier."""

    features: int
    classes: int

    @property
    def kernel(self) -> tuple[int, ...]:
        return (self.features, self.classes)

    def layer(self, inputs: tuple[Array, ...], kernel: Array | None) -> Array:
        assert kernel is not None
        return jnp.matmul(inputs[0].mean((1, 2)), kernel)

    def after(self, y: Array, norm: Norm) -> tuple[None, Array]:
        return None, y


@dataclass(frozen=True)
class BNReLU:
    """Batch normalisation (scale 1, shift 0) unless `eps` is None, and ReLU unless `relu` is False."""

    eps: float | None = None
    relu: bool = True

    kernel = ()

    def layer(self, inputs: tuple[Array, ...], kernel: Array | None) -> Array:
        return inputs[0]

    def after(self, y: Array, norm: Norm) -> tuple[Array | None, Array]:
        return rectified(normalised(y, norm, self.eps), self.relu)


@dataclass(frozen=True)
class Map:
    """A function of the images, with settings by name: a pool, for example. Channels stay as they are."""

    of: Callable[..., Array]
    settings: tuple[tuple[str, int], ...] = ()

    kernel = ()

    def layer(self, inputs: tuple[Array, ...], kernel: Array | None) -> Array:
        return self.of(inputs[0], **dict(self.settings))

    def after(self, y: Array, norm: Norm) -> tuple[None, Array]:
        return None, y


@dataclass(frozen=True)
class Sum:
    """The sum of all inputs, from left to right."""

    kernel = ()

    def layer(self, inputs: tuple[Array, ...], kernel: Array | None) -> Array:
        return reduce(jnp.add, inputs)

    def after(self, y: Array, norm: Norm) -> tuple[None, Array]:
        return None, y


@dataclass(frozen=True)
class Concat:
    """The channels of all inputs beside each other, and batch normalisation (scale 1, shift 0) unless `eps` is None. No input has padded
    channels, which would lie between those that exist."""

    eps: float | None = None

    kernel = ()

    def layer(self, inputs: tuple[Array, ...], kernel: Array | None) -> Array:
        return jnp.concatenate(inputs, -1)

    def after(self, y: Array, norm: Norm) -> tuple[None, Array]:
        return None, normalised(y, norm, self.eps)


def rectified(x: Array, relu: bool) -> tuple[Array | None, Array]:
    """What a ReLU reads, None without one, and what it gives."""
    return (x, jax.nn.relu(x)) if relu else (None, x)


def normalised(y: Array, norm: Norm, eps: float | None) -> Array:
    """As a batch normalisation whose scale is 1 and whose shift is 0, as they are drawn; none where eps is None."""
    return y if eps is None else normalise(y, jnp.ones((), y.dtype), jnp.zeros((), y.dtype), norm, eps)
