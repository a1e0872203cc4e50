"""Ingredients by name, of networks and batches of random numbers."""

import inspect
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.networks import as_network
from jaxzc.scoring.compute import compute_scores
from jaxzc.tasks import Task, cross_entropy
from jaxzc.types import Batch

RNG = np.random.default_rng(0)
CLASSES = 3


def close(a: Any, b: Any, tolerance: float) -> None:
    jax.tree.map(partial(np.testing.assert_allclose, rtol=tolerance, atol=tolerance), a, b)


def make(names: str, model: Any, params: Any, batches: Any, loss: Any = cross_entropy, norm: Any = "batch") -> list[Any]:
    """Ingredients by name, in one compiled program."""
    wanted = names.split()
    arrays = jax.tree.map(lambda a: jnp.asarray(a, jnp.result_type(float) if a.dtype == float else jnp.int32), (params, tuple(batches)))
    network, _ = as_network(model, arrays[0], arrays[1][0].inputs)

    def everything(*values: Any) -> Any:
        return list(values)

    parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in wanted]
    everything.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return jax.jit(lambda p, b: compute_scores({"all": everything}, network, p, b, Task(loss), norm, unavailable="error")["all"])(*arrays)


def batch(size: int = 4, shape: tuple[int, ...] = (5,)) -> Batch:
    return Batch(RNG.normal(size=(size, *shape)), RNG.integers(0, CLASSES, size))


def flat(*kernels: Any) -> list[Any]:
    """One group per kernel, `[1, n]`."""
    return [np.reshape(k, (1, -1)) for k in kernels]
