"""Passes over a network made of steps: forward, backward, and what proxies read of them. Nothing here is compiled: it calls pieces."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.ladder import convolutions, functions, host
from jaxzc.ladder.store import Pieces
from jaxzc.ladder.weights import Weights
from jaxzc.spacekit.steps import Convolution, Step
from jaxzc.tasks import Task
from jaxzc.types import Array, Batch, Norm, PyTree

Grads = list[Any]
"""Of each step's kernel `[1, n]`; None without one."""


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

    def kernels(self, images: Array, norm: Norm, *, layers: bool = False, relus: bool = False) -> list[dict[str, Any]]:
        """For every step the Hamming kernels that `functions.forward` gives. A value is let go of when its last reader has read it, so that
        the next ones take its place in the cache."""
        last = {value: number for number, step in enumerate(self.steps) for value in step.inputs}
        values: list[Any] = [images]
        results = []
        for number, (step, result) in enumerate(zip(self.steps, self._run(values, norm, layers, relus), strict=True)):
            results.append({name: array for name, array in result.items() if name in ("layer_kernel", "relu_kernel")})
            for value in step.inputs:
                if last[value] == number:
                    values[value] = None
        return results

    def forward(self, images: Array, norm: Norm, *, relus: bool = False) -> tuple[list[Array], list[dict[str, Any]]]:
        """The values (the images, then every step's output), and for every step what `functions.forward` gives, and `inputs`, what its
        operation read."""
        values = [images]
        return values, list(self._run(values, norm, False, relus))

    def _run(self, values: list[Any], norm: Norm, layers: bool, relus: bool) -> Iterator[dict[str, Any]]:
        """Runs step after step and appends its output to `values`."""
        for step, kernel, bias, ghosts in zip(self.steps, *self.weights, self._ghosts, strict=True):
            inputs = tuple(values[value] for value in step.inputs)
            if (of := step.convolution) is not None:
                w = host.shaped(kernel, of.kernel)
                inputs, kernel = (self.pieces.on_host(convolutions.forward(inputs[0], w, of.strides)),), None
            read = layers and step.kernel is not None, relus and step.hooks > 0
            result = self.pieces(functions.forward, (step.operation, norm, *read), inputs, kernel, bias, ghosts)
            values.append(result["output"])
            yield {**result, "inputs": inputs}

    def gradients(self, batch: Batch, task: Task, norm: Norm, *, relus: bool = False) -> tuple[Grads, Array | None]:
        """Loss gradients, and with `relus` the sum over all ReLUs of the Hamming kernels as NASWOT's hooks count them, `[B, B]`."""
        values, results = self.forward(batch.inputs, norm, relus=relus)
        codes = self.relu_kernel(results) if relus else None
        cotangents: dict[int, Any] = {
            len(self.steps): self.pieces(functions.loss_cotangent, (task,), values[-1], batch.targets),
        }
        grads: Grads = [None] * len(self.steps)
        for number in reversed(range(len(self.steps))):
            step, inner, result = self.steps[number], self._inner(self.steps[number]), results[number]
            kernel, cotangent = self.weights.kernels[number], cotangents.pop(number + 1, None)
            if cotangent is None:  # nobody reads its output
                grads[number] = host.zeros(kernel)
                continue
            if (of := step.convolution) is None:
                y = result.get("layer", values[number + 1]) if step.operation.kernel else None
                of_step = result["inputs"], kernel, y, cotangent
                of_inputs, grads[number] = self.pieces(functions.backward, (step.operation, norm, inner), *of_step)
            else:
                (of_layer,), _ = self.pieces(functions.backward, (step.operation, norm, (True,)), result["inputs"], None, None, cotangent)
                w, x = host.shaped(kernel, of.kernel), values[step.inputs[0]]
                of_inputs, grads[number] = self._through_convolution(of, x, w, of_layer, any(inner))
            self._spread(step, of_inputs, cotangents)
            values[number + 1] = results[number] = None  # type: ignore[call-overload]
        return grads, codes

    def _through_convolution(self, of: Convolution, x: Any, kernel: Any, cotangent: PyTree, inner: bool) -> tuple[list[Any], Any]:
        """The cotangents of the images, None unless `inner`, and of the kernel, from that of what the operation reads."""
        of_kernel = self.pieces.on_host(convolutions.of_kernel(x, cotangent, of.kernel[:2], of.strides))
        return [self.pieces.on_host(convolutions.of_inputs(cotangent, kernel, of.strides, x.shape)) if inner else None], of_kernel

    def _spread(self, step: Step, of_inputs: Sequence[Any], cotangents: dict[int, Any]) -> None:
        for value, part in zip(step.inputs, of_inputs, strict=True):
            if part is not None:
                cotangents[value] = self.pieces.on_host(host.plus(cotangents[value], part)) if value in cotangents else part

    def relu_kernel(self, results: Sequence[dict[str, Any]]) -> Array:
        """The sum of the ReLUs' Hamming kernels, each as often as NASWOT's hooks count it."""
        total: Any = None
        for step, result in zip(self.steps, results, strict=True):
            for _ in range(step.hooks):
                kernel = result["relu_kernel"]
                total = kernel if total is None else host.plus(total, kernel)
        return total

    def synflow(self, image_shape: Sequence[int]) -> tuple[Grads, Array]:
        """`synflow_grads` for every step, and `synflow_exponent` (`jaxzc.ingredients.synflow`)."""
        with jax.enable_x64(True):
            values: list[Any] = [jnp.ones((1, *image_shape), jnp.float64)]
            results: list[dict[str, Any]] = []
            exponent: Any = jnp.zeros((), jnp.int32)
            for step, kernel, bias in zip(self.steps, *self.weights, strict=True):
                inputs = tuple(values[value] for value in step.inputs)
                if (of := step.convolution) is not None:
                    w = host.positive(host.shaped(kernel, of.kernel))
                    inputs, kernel = (self.pieces.on_host(convolutions.forward(inputs[0], w, of.strides)),), None
                result = self.pieces(functions.positive_forward, (step.operation, step.rescale), inputs, kernel, bias, exponent)
                values.append(result["output"])
                results.append({**result, "inputs": inputs})
                exponent = result["exponent"]
            cotangents: dict[int, Any] = {len(self.steps): jnp.ones(values[-1].shape, jnp.float64)}
            grads: Grads = [None] * len(self.steps)
            largest: Any = None
            for number in reversed(range(len(self.steps))):
                step, inner, result = self.steps[number], self._inner(self.steps[number]), results[number]
                kernel, cotangent = self.weights.kernels[number], cotangents.pop(number + 1, None)
                if cotangent is None:
                    grads[number] = host.zeros(kernel, np.float64)
                    continue
                of_step = result.get("layer"), result["shift"], cotangent
                if (of := step.convolution) is None:
                    statics = step.operation, inner
                    of_inputs, grads[number], size = self.pieces(functions.positive_backward, statics, result["inputs"], kernel, *of_step)
                else:
                    statics = step.operation, (True,)
                    (of_layer,), _, _ = self.pieces(functions.positive_backward, statics, result["inputs"], None, *of_step)
                    w, x = host.positive(host.shaped(kernel, of.kernel)), values[step.inputs[0]]
                    of_inputs, grads[number] = self._through_convolution(of, x, w, of_layer, any(inner))
                    size = host.largest(grads[number])
                self._spread(step, of_inputs, cotangents)
                if size is not None:
                    largest = size if largest is None else host.larger(largest, size)
            shift = host.exponent_of(largest)
            scaled = [None if g is None else self.pieces.on_host(host.scaled(g, shift)) for g in grads]
            return scaled, host.plus(exponent, shift)
