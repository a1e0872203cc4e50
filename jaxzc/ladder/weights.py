"""Weights of networks made of steps: drawn as the discrete network's are, to the last bit, then padded."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxzc.numerics import initialisers
from jaxzc.spacekit.steps import Kernel, Step
from jaxzc.types import Array, InitialiserSpec, LayerGroup


class Weights(NamedTuple):
    """For each step: its kernel, padded and flattened, `[1, n]`, None without one; and its bias, likewise."""

    kernels: list[Any]
    biases: list[Any]


def draw(steps: Sequence[Step], key: Array, initialiser: InitialiserSpec) -> Weights:
    """Padded weights. The true ones are those that the discrete network's `init` draws from this key (not traced)."""
    groups = grouped(steps)
    layers = [
        LayerGroup(str(numbers[0]), kernel.shape, math.prod(kernel.shape[:-1]), kernel.shape[-1], (-1,) * len(numbers))
        for kernel, numbers in groups.items()
    ]
    biased = [(number, step.kernel) for number, step in enumerate(steps) if step.kernel is not None and step.kernel.bias]
    sizes = [(kernel.shape[-1], math.prod(kernel.shape[:-1])) for _, kernel in biased]
    drawn, vectors = initialisers.draw(initialiser, key, layers, sizes)
    weights = Weights([None] * len(steps), [None] * len(steps))
    for numbers, stacked in zip(groups.values(), drawn, strict=True):
        for number, kernel in zip(numbers, np.asarray(stacked), strict=True):
            weights.kernels[number] = _padded(kernel, steps[number].padded)
    for (number, _), vector in zip(biased, vectors, strict=True):
        weights.biases[number] = jnp.asarray(vector)
    return weights


def grouped(steps: Sequence[Step]) -> dict[Kernel, list[int]]:
    """The numbers of the steps, in groups whose kernels and outputs have one shape. Groups and their members are in the order in which they
    run, because the discrete network draws its weights in this order."""
    groups: dict[Kernel, list[int]] = {}
    for number, step in enumerate(steps):
        if step.kernel is not None:
            groups.setdefault(step.kernel._replace(bias=False), []).append(number)
    return groups


def shapes(steps: Sequence[Step]) -> Weights:
    """What `draw` returns, as shapes."""
    kernels = [step.kernel and jax.ShapeDtypeStruct((1, math.prod(step.padded)), jnp.float32) for step in steps]
    biases = [(step.kernel and step.kernel.bias and jax.ShapeDtypeStruct(step.kernel.shape[-1:], jnp.float32)) or None for step in steps]
    return Weights(kernels, biases)


def existing(step: Step) -> np.ndarray:
    """Which entries of a step's padded kernel are weights, bool `[1, n]`."""
    assert step.kernel is not None
    return _padded(np.ones(step.kernel.shape, bool), step.padded)


def _padded(kernel: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The kernel with zeros behind it, of a larger shape, flattened: `[1, n]`."""
    whole = np.zeros(shape, kernel.dtype)
    whole[tuple(map(slice, kernel.shape))] = kernel
    return whole.reshape(1, -1)


@jax.jit
def fold_in(key: Array, genes: Array) -> Array:
    """As `jaxzc.scoring.keys.fold_in`, in one small program."""
    return lax.scan(lambda key, gene: (jax.random.fold_in(key, gene), None), key, genes)[0]
