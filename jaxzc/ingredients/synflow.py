"""Gradients of the summed outputs of the all-positive network: absolute parameters, one example of ones."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxzc._compile.float64 import in_float64
from jaxzc.definitions.facts import Passes, ingredient
from jaxzc.ingredients.passes import entry
from jaxzc.numerics.linalg import binary_exponent, power_of_two
from jaxzc.numerics.trees import at_least_float32, first
from jaxzc.tasks import Task
from jaxzc.types import Array, Batch, Network, Norm, Params, PyTree

ONE = Passes(forward=1, backward=1, examples=1)


def _positive(network: Network, params: Params, inputs: PyTree, task: Task, norm: Norm) -> dict[str, Any]:
    def run(params: Params, ones: Any) -> tuple[list[Array], Array]:
        positive = network.map_params(jnp.abs, params)

        def total(weights: list[Array]) -> tuple[Array, Array]:
            out = entry.forward(network, network.with_weights(positive, weights), inputs, ones, norm=norm)
            return task.total(out.outputs), jnp.asarray(out.exponent, jnp.int32)

        grads, exponent = jax.grad(total, has_aux=True)(network.weights(positive))
        # A power of two taken out of the gradients brings them into float32's range whatever the depth, and changes no digit.
        largest = [jnp.max(jnp.abs(g)) for g in grads]
        wide = max((each.dtype for each in largest), key=lambda dtype: dtype.itemsize)  # complex kernels are not in float64
        shift = binary_exponent(jnp.max(jnp.stack([each.astype(wide) for each in largest])))
        return [(g * power_of_two(-shift, g.dtype)).reshape(len(g), -1) for g in grads], exponent + shift

    ones = jax.tree.map(jnp.ones_like, entry.shapes(network, params, first(inputs, 1)))
    grads, exponent = in_float64(run)(params, ones)
    return {"grads": [at_least_float32(g) for g in grads], "exponent": exponent}


@ingredient(synflow_grads=ONE, synflow_exponent=ONE)
def free(network: Network, params: Params, batches: tuple[Batch, ...], task: Task) -> dict[str, Any]:
    """dR/d|w| with every normalisation layer removed, `[layers, n]` per group; the true gradient is grads * 2**exponent."""
    return _named("synflow", _positive(network, params, batches[0].inputs, task, "none"))


@ingredient(synflow_bn_grads=ONE, synflow_bn_exponent=ONE)
def normalised(network: Network, params: Params, batches: tuple[Batch, ...], task: Task) -> dict[str, Any]:
    """The same with batch normalisation kept, on a batch of one image (train mode)."""
    return _named("synflow_bn", _positive(network, params, batches[0].inputs, task, "batch"))


def _named(prefix: str, parts: dict[str, Any]) -> dict[str, Any]:
    return {f"{prefix}_{name}": value for name, value in parts.items()}
