"""What steps compute, with the arithmetic of `jaxzc_spaces.core.layers`."""

from dataclasses import dataclass
from functools import reduce
from itertools import product

import jax
import jax.numpy as jnp

from jaxzc.types import Array, Norm
from jaxzc_spaces.cells.ops import mean_pool2x2
from jaxzc_spaces.core.layers import convolution, normalise


@dataclass(frozen=True)
class DepthwiseBNReLU:
    """Depthwise convolution, batch normalisation (scale 1, shift 0) and ReLU."""

    size: int
    channels: int
    stride: int
    eps: float

    @property
    def kernel(self) -> tuple[int, ...]:
        return (self.size, self.size, 1, self.channels)

    def layer(self, inputs: tuple[Array, ...], kernel: Array | None) -> Array:
        assert kernel is not None
        return convolution(inputs[0], kernel, (self.stride, self.stride), groups=self.channels)

    def after(self, y: Array, norm: Norm) -> tuple[Array, Array]:
        x = normalised(y, norm, self.eps)
        return x, jax.nn.relu(x)


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
        x = y if self.eps is None else normalised(y, norm, self.eps)
        return (x, jax.nn.relu(x)) if self.relu else (None, x)


@dataclass(frozen=True)
class MeanPool:
    """Means of 2 x 2 pixels."""

    kernel = ()

    def layer(self, inputs: tuple[Array, ...], kernel: Array | None) -> Array:
        return mean_pool2x2(inputs[0])

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
class Patches:
    """The pixels that each pixel of a convolution's output sees, beside each other: `[B, H, W, C]` -> `[B, H', W', size * size * C]`."""

    size: int
    stride: int

    kernel = ()

    def layer(self, inputs: tuple[Array, ...], kernel: Array | None) -> Array:
        (x,), edge = inputs, (self.size - 1) // 2
        x = jnp.pad(x, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
        rows, columns = ((side - self.size) // self.stride + 1 for side in x.shape[1:3])
        seen = [
            x[:, i : i + (rows - 1) * self.stride + 1 : self.stride, j : j + (columns - 1) * self.stride + 1 : self.stride]
            for i, j in product(range(self.size), repeat=2)
        ]
        return jnp.concatenate(seen, axis=-1)

    def after(self, y: Array, norm: Norm) -> tuple[None, Array]:
        return None, y


def patches(size: int, stride: int) -> Patches | None:
    """What a convolution's kernel multiplies with; None where that is the images themselves."""
    return None if size == stride == 1 else Patches(size, stride)


def normalised(y: Array, norm: Norm, eps: float) -> Array:
    """As a batch normalisation whose scale is 1 and whose shift is 0, as they are drawn."""
    return normalise(y, jnp.ones((), y.dtype), jnp.zeros((), y.dtype), norm, eps)
