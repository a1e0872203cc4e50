"""The pieces of a step: what is compiled for each operation. Each function takes what is static and returns a function of arrays.

Kernels are `[1, n]`, flattened, as proxies see them: the term of a layer then depends on the number of its weights only.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxzc.ingredients.passes.patterns import pattern_kernel, relu_code
from jaxzc.numerics.linalg import binary_exponent, power_of_two
from jaxzc.numerics.trees import wide_dtype
from jaxzc.spacekit.steps import Operation
from jaxzc.tasks import Task
from jaxzc.tasks.checks import loss_of
from jaxzc.types import Array, Norm


def forward(operation: Operation, norm: Norm, layers: bool, relus: bool) -> Callable[..., dict[str, Any]]:
    """(inputs, kernel, bias, ghosts) -> `output`, the step's, and `layer`, the layer's output, where there is a kernel and it is another
    array; with `layers`, the Hamming kernel of the signs of the layer's output, `layer_kernel`, and with `relus` that of the ReLU's input,
    `relu_kernel`, `[B, B]` of the true units."""

    def run(inputs: tuple[Array, ...], kernel: Array | None, bias: Array | None, ghosts: Array) -> dict[str, Any]:
        y = _layer(operation, inputs, kernel, bias)
        activated, output = operation.after(y, norm)
        results: dict[str, Any] = {"output": output} if output is y or not operation.kernel else {"layer": y, "output": output}
        padding = ghosts.astype(wide_dtype(y.dtype))
        if layers:
            results["layer_kernel"] = pattern_kernel(relu_code(y), y.dtype) - padding
        if relus and activated is not None:
            results["relu_kernel"] = pattern_kernel(relu_code(activated), y.dtype) - padding
        return results

    return run


def backward(operation: Operation, norm: Norm, inner: tuple[bool, ...]) -> Callable[..., tuple[list[Any], Any]]:
    """(inputs, kernel, layer's output or None where the operation has no kernel, cotangent of the step's output) -> cotangents of the
    inputs, None for one that is not `inner`, and of the kernel."""

    def run(inputs: tuple[Array, ...], kernel: Array | None, y: Array | None, cotangent: Array) -> tuple[list[Any], Any]:
        (of_layer,) = jax.vjp(lambda y: operation.after(y, norm)[1], operation.layer(inputs, None) if y is None else y)[1](cotangent)
        pull = jax.vjp(lambda inputs, kernel: _layer(operation, inputs, kernel, None), inputs, kernel)[1]
        of_inputs, of_kernel = pull(of_layer)
        return [value if wanted else None for value, wanted in zip(of_inputs, inner, strict=True)], of_kernel

    return run


def _layer(operation: Operation, inputs: tuple[Array, ...], kernel: Array | None, bias: Array | None) -> Array:
    y = operation.layer(inputs, None if kernel is None else kernel.reshape(operation.kernel))
    return y if bias is None else y + lax.broadcast_to_rank(bias, y.ndim)


def loss_cotangent(task: Task) -> Callable[..., Array]:
    """(outputs, targets) -> derivative of the loss by the outputs."""
    return lambda outputs, targets: jax.grad(lambda outputs: loss_of(task, outputs, targets))(outputs)


# Synflow: float64, absolute parameters, no normalisation. Powers of two are taken out as `jaxzc_spaces.core.passes.Pass.rescale` does.


def positive_forward(operation: Operation, rescale: bool) -> Callable[..., dict[str, Any]]:
    """As `forward` with norm "none"; (inputs, kernel, bias, exponent) -> also `shift`, the power of two taken out of the output, and
    `exponent`, with it."""

    def run(inputs: tuple[Array, ...], kernel: Array | None, bias: Array | None, exponent: Array) -> dict[str, Any]:
        if bias is not None:
            bias = jnp.abs(bias.astype(jnp.float64)) * power_of_two(-exponent, jnp.float64)
        y = _layer(operation, inputs, _positive(kernel), bias)
        output = operation.after(y, "none")[1]
        shift = binary_exponent(jnp.max(jnp.abs(output))) if rescale else jnp.zeros((), jnp.int32)
        results = {"output": output * power_of_two(-shift, output.dtype), "shift": shift, "exponent": exponent + shift}
        return {"layer": y, **results} if operation.kernel else results

    return run


def positive_backward(operation: Operation, inner: tuple[bool, ...]) -> Callable[..., tuple[list[Any], Any, Any]]:
    """As `backward`, of `positive_forward`; (inputs, kernel, layer's output, shift, cotangent) -> also the largest size of the kernel's
    cotangent."""

    def run(inputs: tuple[Array, ...], kernel: Array | None, y: Array | None, shift: Array, cotangent: Array) -> tuple[list[Any], Any, Any]:
        scaled = cotangent * power_of_two(-shift, cotangent.dtype)
        of_inputs, of_kernel = backward(operation, "none", inner)(inputs, _positive(kernel), y, scaled)
        return of_inputs, of_kernel, None if of_kernel is None else jnp.max(jnp.abs(of_kernel))

    return run


def _positive(kernel: Array | None) -> Array | None:
    return None if kernel is None else jnp.abs(kernel.astype(jnp.float64))
