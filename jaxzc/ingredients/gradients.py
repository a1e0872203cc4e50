"""First and second derivatives of the loss, and of the summed logits, on whole batches.

One forward pass of the first batch serves the loss gradients, the input gradients, the activation gradients and the ReLU patterns; the
Hessian-vector product is the derivative of <gradient, stop_gradient(gradient)>, reverse over reverse, which yields the gradient as well.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxzc.definitions.facts import Passes, ingredient
from jaxzc.ingredients.passes import entry
from jaxzc.ingredients.passes.groups import by_group, of_groups, of_relus
from jaxzc.ingredients.passes.patterns import pattern_kernel, relu_code
from jaxzc.numerics.trees import at_least_float32, batch_size, first, wide_dtype
from jaxzc.tasks import Task
from jaxzc.tasks.checks import loss_of, targets_of
from jaxzc.types import Array, Batch, JaxzcError, Network, Norm, Params, PyTree, Tap


def flat(groups: Sequence[Array]) -> list[Array]:
    """Per group `[layers, *kernel]` -> `[layers, n]`, half precision as float32: proxies add them up."""
    return [at_least_float32(g.reshape(len(g), -1)) for g in groups]


def layer_shapes(network: Network, params: Params, inputs: PyTree, norm: Norm) -> list[Any]:
    """Shape and dtype `[layers, B, ..., channels]` of every group's outputs."""
    tap = Tap(layer=lambda y, _: (y, y))
    return by_group(network, jax.eval_shape(lambda p, x: network.forward(p, x, norm=norm, tap=tap).layers, params, inputs))


FORWARD, BOTH = Passes(forward=1), Passes(forward=1, backward=1)


@ingredient(
    logits=FORWARD,
    loss_value=FORWARD,
    loss_grads=BOTH,
    input_grads=BOTH,
    hvp=Passes(forward=2, backward=4),
    channel_saliency=BOTH,
    activation_grads=BOTH,
    train_activations=FORWARD,
    relu_kernels=FORWARD,
    relu_codes=FORWARD,
)
def first_batch(
    network: Network, params: Params, batches: tuple[Batch, ...], task: Task, norm: Norm, *, wanted: frozenset[str]
) -> dict[str, Any]:
    """Everything that one pass over the first batch gives, in norm mode `norm` (train mode: batch statistics):

    logits [B, classes], the task's readout; loss_value []; loss_grads dL/dw and hvp H g, [layers, n] per group; input_grads, d(sum of the
    outputs)/dx [B, D], x the first floats that the inputs become;
    channel_saliency, sum over positions of a * dL/da for each conv/linear output a, [layers, B, channels] per group; activation_grads and
    train_activations, dL/da and a, [layers, B, ..., channels]; relu_codes (input > 0), bool [relus, B, units] per ReLU group, and
    relu_kernels, their Hamming kernels [relus, B, B].
    """
    batch: Batch = batches[0]
    inputs = first(batch.inputs, None)
    tap, perturb = _taps(network, params, inputs, norm, wanted)
    # A shift of 0, not the values: they depend on the weights where these are an embedding's too.
    shift = jax.tree.map(jnp.zeros_like, entry.shapes(network, params, inputs)) if "input_grads" in wanted else None

    def run(weights: list[Array] | None, shift: PyTree, perturb: PyTree) -> Any:
        moved, reads = params if weights is None else network.with_weights(params, weights), tap._replace(perturb=perturb)
        if shift is None:
            out = network.forward(moved, inputs, norm=norm, tap=reads)
        else:
            values = jax.tree.map(jnp.add, entry.values(network, moved, inputs), shift)
            out = entry.forward(network, moved, inputs, values, norm=norm, tap=reads)
        return out.outputs, (out.layers, out.activations)

    def first_order(weights: list[Array] | None) -> Any:
        outputs, pull, (layers, activated) = jax.vjp(run, weights, shift, perturb, has_aux=True)
        results: dict[str, Any] = {"logits": task.readout(outputs)} if "logits" in wanted else {}
        grads = None
        if wanted & {"loss_value", "loss_grads", "hvp", "channel_saliency", "activation_grads"}:
            results["loss_value"], ct = _value_and_cotangent(task, outputs, targets_of(batch, task))
            grads, _, saliency = pull(ct)
            if perturb is not None:
                pulled = by_group(network, saliency)
                results["channel_saliency"] = [s["gate"] for s in pulled] if "channel_saliency" in wanted else None
                results["activation_grads"] = [s["shift"] for s in pulled] if "activation_grads" in wanted else None
        if "input_grads" in wanted:
            (ones,) = jax.vjp(task.total, outputs)[1](jnp.ones((), jnp.result_type(jax.eval_shape(task.total, outputs))))
            results["input_grads"] = entry.flat(pull(ones)[1], batch_size(inputs))
        if layers is not None:
            results["train_activations"] = by_group(network, layers)
        if tap.activation is not None:
            relus = of_relus(network, activated)
            results["relu_kernels"] = [r.get("kernel") for r in relus]
            results["relu_codes"] = [r.get("code") for r in relus]
        return grads, results

    weights = network.weights(params) if wanted & {"loss_grads", "hvp"} else None
    if "hvp" in wanted:
        grads, curvature, results = jax.vjp(first_order, weights, has_aux=True)
        results["hvp"] = flat(curvature(grads)[0])
    else:
        grads, results = first_order(weights)
    if grads is not None:
        results["loss_grads"] = flat(grads)
    return results


def _value_and_cotangent(task: Task, outputs: PyTree, targets: PyTree) -> tuple[Array, PyTree]:
    """The loss, and its derivative by the outputs, whatever they hold (integers have none)."""
    value, pull = jax.vjp(lambda outputs: loss_of(task, outputs, targets), outputs)
    return value, pull(jnp.ones_like(value))[0]


def _taps(network: Network, params: Params, inputs: PyTree, norm: Norm, wanted: frozenset[str]) -> tuple[Tap, Any]:
    """The tap that reads what is wanted, and its perturbations: a gate of 0 per example and channel (its gradient is the sum over
    positions of a * dL/da, without storing a or dL/da), a shift of 0 per activation (its gradient is dL/da)."""
    gates, shifts = "channel_saliency" in wanted, "activation_grads" in wanted
    keep = "train_activations" in wanted
    perturb = None
    if gates or shifts:
        shapes = layer_shapes(network, params, inputs, norm)
        zeros = [
            {
                "gate": jnp.zeros((*s.shape[:2], s.shape[-1]), wide_dtype(s.dtype)) if gates else None,
                "shift": jnp.zeros(s.shape, s.dtype) if shifts else None,
            }
            for s in shapes
        ]
        perturb = of_groups(network, zeros)

    def layer(y: Array, p: Any) -> tuple[Array, PyTree]:
        if p is not None and p["gate"] is not None:
            # half precision in float32, in which the gate's gradient sums over positions
            y = (at_least_float32(y) * (1 + p["gate"].reshape(len(y), *(1,) * (y.ndim - 2), y.shape[-1]))).astype(y.dtype)
        if p is not None and p["shift"] is not None:
            y = y + p["shift"]
        return y, (y if keep else jnp.zeros(()))

    def relu(x: Array) -> dict[str, Array]:
        code = relu_code(x)
        return {
            **({"code": code} if "relu_codes" in wanted else {}),
            **({"kernel": pattern_kernel(code, x.dtype)} if "relu_kernels" in wanted else {}),
        }

    reads_relus = bool(wanted & {"relu_codes", "relu_kernels"})
    return Tap(layer=layer if perturb or keep else None, activation=relu if reads_relus else None), perturb


@ingredient(batch_grads=Passes(forward=1, backward=1, each="further batch"))
def batch_grads(
    network: Network, params: Params, batches: tuple[Batch, ...], task: Task, norm: Norm, loss_grads: Any, *, wanted: frozenset[str]
) -> dict[str, Any]:
    """Loss gradients of every batch given, `[batches, layers, n]` per group; needs two batches or more."""
    if len(batches) < 2:
        raise JaxzcError(f"needs the gradients of at least 2 batches and got {len(batches)}: give a list of (images, labels) batches")

    def gradient(batch: tuple[Any, Any]) -> list[Array]:
        def value(weights: list[Array]) -> Array:
            return loss_of(task, network.forward(network.with_weights(params, weights), batch[0], norm=norm).outputs, batch[1])

        return flat(jax.grad(value)(network.weights(params)))

    further = [(first(b.inputs, None), first(targets_of(b, task), None)) for b in batches[1:]]
    if len(further) == 1:
        rest = jax.tree.map(lambda a: a[None], gradient(further[0]))
    else:
        rest = jax.lax.map(gradient, jax.tree.map(lambda *a: jnp.stack(a), *further))
    return {"batch_grads": [jnp.concatenate([g[None], r]) for g, r in zip(loss_grads, rest, strict=True)]}
