"""What the published networks share: pools, squeeze-and-excitation, the chain of units that each of them is, and how its size is measured.

`Measure` counts as PyTorchCV's own list of networks does, whose column "FLOPs/2" is half of: for a convolution without bias
(2 x kernel pixels x output pixels - 1) x its kernels of one input and one output channel, with a bias 2 x kernel pixels x output pixels
x these; 4 for each normalised element; 1 for each element that ReLU, ReLU6 or a hard sigmoid acts on, or that a shuffle moves, 2 for a hard
swish, 4 for a sigmoid, 5 for a swish; and the pixels of its window for each element that a pool gives.
"""

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jaxzc.types import Array
from jaxzc_spaces.core.layers import BatchNorm, Linear, NetworkModule
from jaxzc_spaces.core.passes import Named, Pass, Recorder
from jaxzc_spaces.core.pools import larger
from jaxzc_spaces.core.units import Activation, ConvBN, SqueezeExcitation

COSTS = {"relu": 1, "relu6": 1, "hard_sigmoid": 1, "hard_swish": 2, "sigmoid": 4, "silu": 5}
NORM_COST = 4


class Sizes(NamedTuple):
    """params: trainable parameters. macs: multiply-accumulates of convolutions and linear layers. layers: their number. operations: what
    PyTorchCV's list counts, and gives half of. For one image."""

    params: int
    macs: int
    layers: int
    operations: int


class Measure(Recorder):
    """operations: of everything but the convolutions and linear layers."""

    operations = 0

    def activating(self, named: Named, x: Array, modules: tuple[str, ...] = ("ReLU",), kind: str = "relu") -> Array:
        self.operations += COSTS[named.kind if isinstance(named, Activation) else kind] * math.prod(x.shape[1:])
        return super().activating(named, x, modules, kind)

    def normalising(self, named: Named, x: Array) -> Array:
        self.operations += NORM_COST * math.prod(x.shape[1:])
        return super().normalising(named, x)

    def operating(self, number: int) -> None:
        self.operations += number


def measure(make: Callable[[], NetworkModule], image_shape: Sequence[int]) -> Sizes:
    """The sizes of the network that `make` builds; nothing is computed but shapes."""
    passes = []

    def run(images: Array) -> Array:
        module = make()
        p = Measure(module)
        p.norm = "init"  # the mode that is traced fastest
        passes.append((module, p))
        return module(images, p)

    jax.eval_shape(run, jax.ShapeDtypeStruct((1, *image_shape), jnp.float32))
    ((module, p),) = passes
    params = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(nnx.state(module, nnx.Param)))
    biased = set(p.names.values())
    macs, operations = 0, p.operations
    for name, shape, out, _ in p.kernels:
        pixels = math.prod(out[:-1])
        macs += math.prod(shape) * pixels
        if len(shape) == 2:
            operations += 2 * math.prod(shape)  # every linear layer here has a bias
        else:
            operations += (2 * math.prod(shape[:2]) * pixels - (f"{name}_bias" not in biased)) * math.prod(shape[2:])
    return Sizes(params, macs, len(p.kernels), operations)


def pool(x: Array, p: Pass, size: int, stride: int, *, padding: int = 0, ceil: bool = False, mean: bool = False) -> Array:
    """The maximum, or the mean, of windows of `size` x `size` pixels. ceil: a last window that reaches beyond the image counts, too."""
    for axis in (1, 2):
        length = x.shape[axis] + 2 * padding - size
        out = max(1, (length + stride - 1 if ceil else length) // stride + 1)
        missing = max(0, stride * (out - 1) + size - x.shape[axis] - padding)
        padded = jnp.pad(x, [(padding, missing) if a == axis else (0, 0) for a in range(4)], constant_values=0 if mean else -jnp.inf)
        before = (slice(None),) * axis
        shifts = [padded[(*before, slice(i, i + stride * (out - 1) + 1, stride))] for i in range(size)]
        x = sum(shifts[1:], shifts[0]) / size if mean else reduce(larger, shifts)
    p.operating(size * size * math.prod(x.shape[1:]))
    return x


def global_mean(x: Array, p: Pass) -> Array:
    """`[B, 1, 1, C]`."""
    p.operating(math.prod(x.shape[1:]))
    return x.mean((1, 2), keepdims=True)


class Excitation(SqueezeExcitation):
    """Squeeze-and-excitation whose pool is measured."""

    def __call__(self, x: Array, p: Pass) -> Array:
        p.operating(math.prod(x.shape[1:]))
        return super().__call__(x, p)


class Pool(nnx.Module):
    """`pool` as a module."""

    def __init__(self, size: int, stride: int, *, padding: int = 0, ceil: bool = False, mean: bool = False):
        self.size, self.stride, self.padding, self.ceil, self.mean = size, stride, padding, ceil, mean

    def __call__(self, x: Array, p: Pass) -> Array:
        return pool(x, p, self.size, self.stride, padding=self.padding, ceil=self.ceil, mean=self.mean)


class Several(nnx.Module):
    """Modules one after another."""

    def __init__(self, *parts: nnx.Module):
        self.parts = nnx.List(parts)

    def __call__(self, x: Array, p: Pass) -> Array:
        for part in self.parts:
            x = part(x, p)
        return x


class Head(nnx.Module):
    """Global mean and a linear layer."""

    def __init__(self, channels: int, classes: int):
        self.linear = Linear(channels, classes)

    def __call__(self, x: Array, p: Pass) -> Array:
        return self.linear(global_mean(x, p)[:, 0, 0], p)


class Chain(NetworkModule):
    """A stem, units one after another, and a head, which makes logits. Cells are the units.

    Call: images `[B, H, W, C]` -> logits `[B, classes]`."""

    def __init__(self, stem: nnx.Module, units: Sequence[nnx.Module], head: nnx.Module):
        self.stem, self.units, self.head = stem, nnx.List(units), head

    def logits(self, x: Array, p: Pass) -> Array:
        x = p.map("stem", self.stem(x, p))
        for number, unit in enumerate(self.units):
            p.cell = number
            (x,) = p.rescale(unit(x, p))
            x = p.map(f"units/{number}", x)
        p.cell = -1
        return self.head(x, p)


def strided(widths: Sequence[Sequence[int]], first: int, strides: Sequence[int]) -> list[tuple[int, int, int]]:
    """(channels in, channels out, stride) of units with these widths, by stage; a stage's first unit has its stride."""
    c, units = first, []
    for stage, stride in zip(widths, strides, strict=True):
        for position, width in enumerate(stage):
            units.append((c, width, stride if position == 0 else 1))
            c = width
    return units


def stages(layers: Sequence[int], widths: Sequence[int]) -> list[list[int]]:
    """`widths` repeated: so many layers of each."""
    return [[width] * number for number, width in zip(layers, widths, strict=True)]


class Activated(nnx.Module):
    """Batch normalisation and a ReLU."""

    def __init__(self, channels: int):
        self.bn, self.act = BatchNorm(channels), Activation()

    def __call__(self, x: Array, p: Pass) -> Array:
        return self.act(self.bn(x, p), p)


def plain(size: int, c_in: int, c_out: int, stride: int = 1) -> ConvBN:
    """A convolution alone."""
    return ConvBN(size, c_in, c_out, stride, norm=False, act=None)
