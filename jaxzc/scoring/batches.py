"""Batches as users hand them in, in one form, and judged before anything is compiled."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.tasks import Task, cross_entropy
from jaxzc.types import Batch, JaxzcError

Batches = Batch | tuple[Any, Any] | Sequence[Batch | tuple[Any, Any]]


def as_batches(batches: Batches) -> tuple[Batch, ...]:
    """One batch `(inputs, targets)`, or several of them, as a tuple of `Batch`.

    A list holds batches. A tuple of two is one batch, unless both of its parts are batches (a `Batch` or a tuple of two) themselves.
    Raises `JaxzcError` for anything else.
    """
    if isinstance(batches, Batch):
        return (batches,)
    pairs = isinstance(batches, list | tuple) and bool(batches) and all(isinstance(b, tuple) and len(b) == 2 for b in batches)
    if isinstance(batches, tuple) and len(batches) == 2 and not pairs:
        return (Batch(*batches),)
    if pairs:
        return tuple(Batch(*b) for b in batches)
    raise JaxzcError(
        f"batch is a {type(batches).__name__}: expected (images, labels), or a list of such pairs for proxies that need several"
    )


def checked_batches(batches: Batches, classes: int | None = None, image_shape: tuple[int, ...] | None = None) -> tuple[Batch, ...]:
    """The batches as JAX arrays. Raises `JaxzcError` for values that cannot be used and batches of different shapes."""
    from jaxzc.data.checks import check_batch

    checked = [check_batch(b, classes=classes, image_shape=image_shape) for b in as_batches(batches)]
    shapes = [np.shape(b.inputs) for b in checked]
    if len(set(shapes)) > 1:
        raise JaxzcError(f"the batches have images of different shapes {', '.join(map(str, shapes))}: give batches of one shape")
    return tuple(Batch(*(None if part is None else jnp.asarray(part) for part in b)) for b in checked)


def check_targets(task: Task, outputs: Any, batches: Sequence[Batch]) -> None:
    """Raises `JaxzcError` where the task's loss of outputs (their shapes and dtypes) and targets is not one number, or where a class number
    has no output."""
    from jaxzc.data.checks import check_batch

    for batch in batches:
        if task.loss is cross_entropy:
            check_batch(batch, classes=outputs.shape[-1])
        shape = () if batch.targets is None else np.shape(jax.eval_shape(task.loss, outputs, batch.targets))
        if shape != ():
            raise JaxzcError(f"loss(logits, labels) returned an array of shape {shape}: expected one number, such as the mean")
