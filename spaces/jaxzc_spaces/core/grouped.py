"""Networks whose layers come in stacks, one array for each group: normalisation, and what hands a tap its perturbations."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxzc.numerics.linalg import binary_exponent, power_of_two
from jaxzc.types import Array, Norm, Normalise, Tap

BN_EPS = 1e-5


NO_TAP = Tap()


def normalise(x: Array, scale: Array, bias: Array, norm: Norm | Normalise, eps: float = BN_EPS) -> Array:
    """Affine batch normalisation of `[B, H, W, C]` over all axes but the last. A function as `norm` decides on its eps itself."""
    if callable(norm):
        return norm(x, scale, bias)
    if norm == "none":
        return x
    if norm == "init":
        return x * (scale * (1 + eps) ** -0.5) + bias
    centred = x - x.mean((0, 1, 2))
    return centred * (scale * lax.rsqrt(jnp.square(centred).mean((0, 1, 2)) + eps)) + bias


def rescale(x: Array, exponent: Array, norm: Norm) -> tuple[Array, Array]:
    """Without normalisation, take a power of two out of x, so that no depth overflows; exact, and constant under differentiation."""
    if norm != "none":
        return x, exponent
    shift = lax.stop_gradient(binary_exponent(jnp.max(jnp.abs(x))))
    return x * power_of_two(-shift, x.dtype), exponent + shift


def read_where(condition: Any, read: Any, y: Array) -> Any:
    """`read(y)` where the condition holds, zeros elsewhere: reading costs a matrix product, so it is not done in vain."""
    zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(read, y))
    if isinstance(condition, bool):
        return read(y) if condition else zeros
    return lax.cond(condition, read, lambda _: zeros, y)


def kernel(*shape: int) -> nnx.Param:
    # Zeros: a space draws all kernels at once (`NasBench201.init`).
    return nnx.Param(jnp.zeros(shape, jnp.float32))


class Norm2d(nnx.Module):
    """Scale and bias of batch normalisation; the last axis is the channels, leading axes stack layers."""

    def __init__(self, *shape: int, eps: float = BN_EPS):
        self.scale = nnx.Param(jnp.ones(shape, jnp.float32))
        self.bias = nnx.Param(jnp.zeros(shape, jnp.float32))
        self.eps = eps

    def leaves(self) -> tuple[Array, Array]:
        return self.scale[...], self.bias[...]

    def __call__(self, x: Array, norm: Norm, index: Any = ...) -> Array:
        return normalise(x, self.scale[index], self.bias[index], norm, self.eps)


def stack(kept: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *a: jnp.stack(a), *kept) if kept else None


class Reader:
    """Hands the tap its perturbations and collects what it keeps, in the order of the layer, ReLU, normalisation and map groups."""

    def __init__(self, tap: Tap):
        self.tap, self.group = tap, 0
        self.layers, self.relus, self.norms, self.cells = [], [], [], []

    def layer(self, y: Array) -> Array:
        if self.tap.layer is None:
            return y
        perturb = None if self.tap.perturb is None else jax.tree.map(lambda a: a[0], self.tap.perturb[self.group])
        y, kept = self.tap.layer(y, perturb)
        self.layers.append(_one(kept))
        self.group += 1
        return y

    def relu(self, x: Array) -> Array:
        if self.tap.relu is not None:
            self.relus.append(_one(self.tap.relu(x)))
        return x

    def norm(self, x: Array) -> Array:
        if self.tap.norm is not None:
            self.norms.append(_one(self.tap.norm(x)))
        return x

    def cell(self, x: Array) -> Array:
        """The stem's output, or that of a block between two stages."""
        if self.tap.cell is None:
            return x
        x, kept = self.tap.cell(x, jax.tree.map(lambda a: a[0], self.cell_perturb()))
        self.cells.append(_one(kept))
        return x

    def stage_perturb(self) -> Any:
        """The two perturbations of a stage's edges, as 1x1 and as 3x3 convolutions, `[cells, 6, ...]` each."""
        if self.tap.perturb is None:
            return None
        pair = tuple(self.tap.perturb[self.group : self.group + 2])
        return jax.tree.map(lambda a: a.reshape(-1, 6, *a.shape[1:]), pair)

    def cell_perturb(self) -> Any:
        """The perturbation of the map group that comes next."""
        return None if self.tap.cell_perturb is None else self.tap.cell_perturb[len(self.cells)]

    def keep_stage(self, edges: Any, nodes: Any, cells: Any) -> None:
        layers, norms = (None, None) if edges is None else edges
        if self.tap.layer is not None:
            self.layers += [layers, layers]
            self.group += 2
        if self.tap.norm is not None:
            self.norms.append(norms)
        if self.tap.relu is not None:
            self.relus.append(nodes)
        if self.tap.cell is not None:
            self.cells.append(cells)


def _one(kept: Any) -> Any:
    return jax.tree.map(lambda a: a[None], kept)
