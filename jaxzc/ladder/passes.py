"""Passes over a network made of steps: forward, backward, and what proxies read of them. Nothing here is compiled: it calls pieces."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.ladder import functions, products
from jaxzc.ladder.store import Pieces
from jaxzc.ladder.weights import Weights
from jaxzc.spacekit.steps import Operation, Step
from jaxzc.tasks import Task
from jaxzc.types import Array, Batch, Norm, PyTree

Grads = list[Any]
"""Of each step's kernel `[1, n]`; None without one."""


LARGEST = 2**28
"""Bytes of what a kernel multiplies with on the host: pixels of large images beside each other take more memory than they save seconds."""
NONE = np.float32(0)
"""No ghosts."""


@dataclass(frozen=True)
class StepPasses:
    """Passes over one architecture. Arrays may be shapes instead: see `store`."""

    pieces: Pieces
    steps: Sequence[Step]
    weights: Weights

    @cached_property
    def _ghosts(self) -> list[Any]:
        return [np.float32(step.ghosts) for step in self.steps]

    def _inner(self, step: Step) -> tuple[bool, ...]:
        return tuple(value > 0 for value in step.inputs)  # nothing asks for the images' gradient

    def forward(self, images: Array, norm: Norm, *, layers: bool = False, relus: bool = False) -> tuple[list[Array], list[dict[str, Any]]]:
        """The values (the images, then every step's output), and what `functions.forward` gives for every step."""
        values, results = [images], []
        for step, kernel, bias, ghosts in zip(self.steps, *self.weights, self._ghosts, strict=True):
            inputs, operation = tuple(values[value] for value in step.inputs), step.operation
            if (parts := self._parts(step, inputs)) is not None:
                before, operation = parts
                w = products.matrix(kernel, step.operation.kernel)
                inputs, kernel = (self.pieces.on_host(products.product(self._multiplied(before, inputs), w)),), None
            read = layers and step.kernel is not None, relus and step.hooks > 0
            results.append(self.pieces(functions.forward, (operation, norm, *read), inputs, kernel, bias, ghosts))
            values.append(results[-1]["output"])
        return values, results

    def gradients(self, batch: Batch, task: Task, norm: Norm, *, relus: bool = False) -> tuple[Grads, Array | None]:
        """Loss gradients, and with `relus` the sum over all ReLUs of the Hamming kernels as NASWOT's hooks count them, `[B, B]`."""
        values, results = self.forward(batch.inputs, norm, relus=relus)
        codes = self.relu_kernel(results) if relus else None
        cotangents: dict[int, Any] = {
            len(self.steps): self.pieces(functions.loss_cotangent, (task,), values[-1], batch.targets),
        }
        grads: Grads = [None] * len(self.steps)
        for number in reversed(range(len(self.steps))):
            step, inner = self.steps[number], self._inner(self.steps[number])
            inputs = tuple(values[value] for value in step.inputs)
            y, kernel, cotangent = results[number]["layer"], self.weights.kernels[number], cotangents.pop(number + 1)
            if (parts := self._parts(step, inputs)) is None:
                of_inputs, grads[number] = self.pieces(functions.backward, (step.operation, norm, inner), inputs, kernel, y, cotangent)
            else:
                before, after = parts
                (of_product,), _ = self.pieces(functions.backward, (after, norm, (True,)), (y,), None, y, cotangent)
                w = products.matrix(kernel, step.operation.kernel)
                of_inputs, grads[number] = self._through_product(before, inputs, w, of_product, any(inner))
            self._spread(step, of_inputs, cotangents)
            values[number + 1] = results[number] = None  # type: ignore[call-overload]
        return grads, codes

    def _parts(self, step: Step, inputs: tuple[Any, ...]) -> tuple[Operation | None, Operation] | None:
        """The step's parts around a product on the host; None where it has none, or would multiply more than `LARGEST` bytes."""
        parts = step.operation.parts
        if parts is None or parts[0] is None or step.kernel is None:
            return parts
        size = inputs[0].shape[0] * math.prod(step.kernel.output[:-1]) * math.prod(step.operation.kernel[:-1])
        return parts if size * inputs[0].dtype.itemsize <= LARGEST else None

    def _multiplied(self, before: Operation | None, inputs: tuple[Any, ...]) -> Any:
        """What the kernel of a product multiplies with."""
        if before is None:
            return inputs[0]
        return self.pieces(functions.forward, (before, "none", False, False), inputs, None, None, NONE)["output"]

    def _through_product(
        self, before: Operation | None, inputs: tuple[Any, ...], w: Any, cotangent: PyTree, inner: bool
    ) -> tuple[list[Any], Any]:
        """From the cotangent of a product with the matrix `w`: those of the step's inputs, None unless `inner`, and of its kernel."""
        x = self._multiplied(before, inputs)
        of_kernel = self.pieces.on_host(products.of_kernel(x, cotangent))
        if not inner:
            return [None], of_kernel
        of_x = self.pieces.on_host(products.of_inputs(cotangent, w))
        if before is None:
            return [of_x], of_kernel
        return self.pieces(functions.backward, (before, "none", (True,)), inputs, None, x, of_x)[0], of_kernel

    def _spread(self, step: Step, of_inputs: Sequence[Any], cotangents: dict[int, Any]) -> None:
        for value, part in zip(step.inputs, of_inputs, strict=True):
            if part is not None:
                cotangents[value] = self.pieces(functions.plus, (), cotangents[value], part) if value in cotangents else part

    def relu_kernel(self, results: Sequence[dict[str, Any]]) -> Array:
        """The sum of the ReLUs' Hamming kernels, each as often as NASWOT's hooks count it."""
        total: Any = None
        for step, result in zip(self.steps, results, strict=True):
            for _ in range(step.hooks):
                kernel = result["relu_kernel"]
                total = kernel if total is None else self.pieces(functions.plus, (), total, kernel)
        return total

    def synflow(self, image_shape: Sequence[int]) -> tuple[Grads, Array]:
        """`synflow_grads` for every step, and `synflow_exponent` (`jaxzc.ingredients.synflow`)."""
        with jax.enable_x64(True):
            values: list[Any] = [jnp.ones((1, *image_shape), jnp.float64)]
            results: list[dict[str, Any]] = []
            exponent: Any = jnp.zeros((), jnp.int32)
            for step, kernel, bias in zip(self.steps, *self.weights, strict=True):
                inputs, operation = tuple(values[value] for value in step.inputs), step.operation
                if (parts := self._parts(step, inputs)) is not None:
                    before, operation = parts
                    w = products.positive(products.matrix(kernel, step.operation.kernel))
                    inputs, kernel = (self.pieces.on_host(products.product(self._multiplied(before, inputs), w)),), None
                result = self.pieces(functions.positive_forward, (operation, step.rescale), inputs, kernel, bias, exponent)
                values.append(result["output"])
                results.append(result)
                exponent = result["exponent"]
            cotangents: dict[int, Any] = {len(self.steps): jnp.ones(values[-1].shape, jnp.float64)}
            grads: Grads = [None] * len(self.steps)
            largest: Any = None
            for number in reversed(range(len(self.steps))):
                step, inner = self.steps[number], self._inner(self.steps[number])
                inputs = tuple(values[value] for value in step.inputs)
                of_step = results[number]["layer"], results[number]["shift"], cotangents.pop(number + 1)
                kernel = self.weights.kernels[number]
                if (parts := self._parts(step, inputs)) is None:
                    statics = step.operation, inner
                    of_inputs, grads[number], size = self.pieces(functions.positive_backward, statics, inputs, kernel, *of_step)
                else:
                    before, after = parts
                    y = results[number]["layer"]
                    (of_product,), _, _ = self.pieces(functions.positive_backward, (after, (True,)), (y,), None, *of_step)
                    w = products.positive(products.matrix(kernel, step.operation.kernel))
                    of_inputs, grads[number] = self._through_product(before, inputs, w, of_product, any(inner))
                    size = products.largest(grads[number])
                self._spread(step, of_inputs, cotangents)
                if size is not None:
                    largest = size if largest is None else self.pieces(functions.larger, (), largest, size)
            shift = self.pieces(functions.exponent_of, (), largest)
            scaled = [None if g is None else self.pieces(functions.positive_grads, (), g, shift) for g in grads]
            return scaled, self.pieces(functions.plus, (), exponent, shift)
