"""How alike a network answers to different images: correlations of cells' outputs and of the loss gradients there."""

from collections import OrderedDict
from typing import Any

import jax
import jax.numpy as jnp

from jaxzc.definitions.facts import Passes, ingredient
from jaxzc.ingredients.maps import map_shapes
from jaxzc.numerics.linalg import correlation
from jaxzc.numerics.trees import first
from jaxzc.tasks import Task
from jaxzc.tasks.checks import loss_of, targets_of
from jaxzc.types import Array, Batch, Network, Norm, Params, PyTree, Tap


@ingredient(response_correlations=Passes(forward=1, backward=1))
def response_correlations(
    network: Network, params: Params, batches: tuple[Batch, ...], task: Task, norm: Norm, *, wanted: frozenset[str]
) -> dict[str, Any]:
    """|corr| of the images' feature maps plus |corr| of the loss gradients by these maps, `[maps, B, B]`, for the stem and every cell in
    depth order; NaN where an image's map or gradient is constant."""
    inputs, targets = first(batches[0].inputs, None), targets_of(batches[0], task)
    shapes = map_shapes(network, params, inputs, norm, "response_correlations")
    shifts = OrderedDict((name, jnp.zeros(s.shape, s.dtype)) for name, s in shapes.items())

    def value(shifts: PyTree) -> tuple[Array, PyTree]:
        tap = Tap(cell=lambda y, shift: (y + shift, _likeness(y)), cell_perturb=shifts)
        out = network.forward(params, inputs, norm=norm, tap=tap)
        return loss_of(task, out.outputs, targets), out.cells

    pulled, answers = jax.grad(value, has_aux=True)(shifts)
    return {"response_correlations": jnp.concatenate([answers[name] + jax.vmap(_likeness)(pulled[name]) for name in shapes])}


def _likeness(y: Array) -> Array:
    return jax.lax.stop_gradient(jnp.abs(correlation(y.reshape(len(y), -1))))
