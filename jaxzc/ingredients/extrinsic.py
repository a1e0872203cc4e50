"""Dextr's two passes over one image: how nearly singular each layer's feature map is, and how the output bends on a circle of inputs."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from jaxzc._compile.float64 import in_float64
from jaxzc.definitions.facts import Passes, ingredient
from jaxzc.ingredients.drawn import at_least_one, named, noise
from jaxzc.ingredients.passes import entry
from jaxzc.ingredients.passes.groups import by_group, on_calls
from jaxzc.numerics.linalg import singular_values
from jaxzc.numerics.trees import first
from jaxzc.tasks import Task
from jaxzc.types import Array, Batch, Network, Norm, Params, PyTree, Tap


@ingredient()
def dextr_circle(network: Network, params: Params, batches: tuple[Batch, ...], key: Array) -> tuple[PyTree, PyTree]:
    """Two orthonormal directions (u0, u1) of random values of one example's shape: the circle u0 cos t + u1 sin t."""
    drawn = [noise(network, params, batches[0].inputs, k, 1) for k in jax.random.split(named(key, "dextr_circle"))]
    (a, unravel), (b, _) = map(ravel_pytree, drawn)
    a = a / jnp.linalg.norm(a)
    b = b - a * (a @ b)
    return unravel(a), unravel(b / jnp.linalg.norm(b))


@ingredient()
def dextr_coordinates(
    network: Network, params: Params, batches: tuple[Batch, ...], task: Task, norm: Norm, key: Array, *, outputs: int = 10
) -> Array:
    """Numbers of `outputs` of the network's outputs, drawn with replacement, int32 `[outputs]`."""
    inputs = first(batches[0].inputs, 1)
    shape = jax.eval_shape(lambda p, x: task.readout(network.forward(p, x, norm=norm).outputs), params, inputs).shape
    return jax.random.randint(named(key, "dextr_coordinates"), (at_least_one("outputs", outputs),), 0, shape[1])


@ingredient(Passes(forward=1, examples=1))
def map_conditions(network: Network, params: Params, batches: tuple[Batch, ...], norm: Norm) -> list[Array]:
    """Smallest over largest singular value of every convolution's and linear layer's output for the first image, a matrix of channels by
    positions, per group `[layers]`; 0 where the output is 0, where it is not finite, and where the layer does not exist."""

    def layer(y: Array, _: Any) -> tuple[Array, Array]:
        return y, y[0].reshape(-1, y.shape[-1])

    maps = by_group(network, network.forward(params, first(batches[0].inputs, 1), norm=norm, tap=Tap(layer=layer)).layers)
    present = [jnp.asarray(a) for a in network.active()][: len(maps)]
    return [jnp.where(on_calls(a, len(m)), inverse_condition(m), 0) for a, m in zip(present, maps, strict=True)]


def inverse_condition(matrices: Array) -> Array:
    """Smallest over largest singular value of each of `[layers, rows, columns]`; 0 of a matrix that is 0 or not finite."""

    def run(matrices: Array) -> Array:
        finite = jnp.isfinite(matrices).all((1, 2))
        usable = jnp.where(finite[:, None, None], matrices, 0)
        values = singular_values(usable)
        largest = values[..., 0]
        return jnp.where(largest > 0, values[..., -1] / jnp.where(largest > 0, largest, 1), 0)

    return in_float64(run)(matrices)


def curve_pass(outputs: int) -> Passes:
    """For each output a second derivative along the curve, of one example."""
    return Passes(forward=2 * outputs, backward=4 * outputs, examples=1)


@ingredient(curve_pass)
def output_curvature(
    network: Network,
    params: Params,
    batches: tuple[Batch, ...],
    task: Task,
    norm: Norm,
    dextr_circle: tuple[PyTree, PyTree],
    dextr_coordinates: Array,
) -> Array:
    """Extrinsic curvature at t = 0 of the curve that some of the outputs describe while the input goes round the circle, scalar:
    sqrt(|v|^2 |a|^2 - (v.a)^2) / |v|^3, v and a the first and second derivative by t. NaN where v is 0."""
    inputs = first(batches[0].inputs, 1)
    point, direction = dextr_circle

    def curve(point: PyTree) -> Array:
        return task.readout(entry.forward(network, params, inputs, point, norm=norm).outputs)[0][dextr_coordinates]

    def of_output(chosen: Array) -> tuple[Array, Array]:
        def slope(point: PyTree) -> tuple[Array, Array]:
            (gradient,) = jax.vjp(curve, point)[1](chosen)
            return _dot(gradient, direction), _dot(gradient, point)

        # By reverse mode twice: programs of spaces have derivatives of their own, which know no forward mode.
        (velocity, inward), curvature = jax.value_and_grad(slope, has_aux=True)(point)
        return velocity, _dot(curvature, direction) - inward

    shape = jax.eval_shape(curve, point)
    velocity, acceleration = jax.lax.map(of_output, jnp.eye(len(dextr_coordinates), dtype=shape.dtype))
    return in_float64(_curvature)(velocity, acceleration)


def _curvature(velocity: Array, acceleration: Array) -> Array:
    speed, turned = velocity @ velocity, velocity @ acceleration
    return jnp.sqrt(jnp.maximum(speed * (acceleration @ acceleration) - turned**2, 0)) / speed**1.5


def _dot(a: PyTree, b: PyTree) -> Array:
    return sum((jnp.vdot(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)), jnp.zeros(()))
