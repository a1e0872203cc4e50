"""Brings the batches that users pass into one form, and checks them before anything is compiled."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.types import Batch, JaxzcError, PyTree

Batches = Batch | tuple[Any, Any] | Sequence[Batch | tuple[Any, Any]]


def as_batches(batches: Batches) -> tuple[Batch, ...]:
    """A tuple of `Batch` from one batch `(inputs, targets)` or from several.

    A list contains batches. A tuple of two is one batch, unless both parts are themselves a `Batch` or a tuple of two. If inputs and
    targets are both such tuples, pass `Batch(inputs, targets)`.
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
        f"batch is a {type(batches).__name__}: expected (inputs, targets), or a list of such pairs for proxies that need several"
    )


def checked_batches(batches: Batches, classes: int | None = None, image_shape: tuple[int, ...] | None = None) -> tuple[Batch, ...]:
    """The batches as JAX arrays. Raises `JaxzcError` for values that cannot be scored, and for batches of different shapes.

    classes, image_shape: of the space that is scored; without both, any inputs and targets are accepted."""
    from jaxzc.data.checks import check_batch, check_examples

    own = classes is None and image_shape is None
    checked = [check_examples(b) if own else check_batch(b, classes=classes, image_shape=image_shape) for b in as_batches(batches)]
    shapes = [[np.shape(leaf) for leaf in jax.tree.leaves(b.inputs)] for b in checked]
    if any(shape != shapes[0] for shape in shapes):
        listed = ", ".join(", ".join(map(str, shape)) for shape in shapes)
        raise JaxzcError(f"the batches have inputs of different shapes {listed}: give batches of one shape")
    return tuple(Batch(*(_arrays(part) for part in b)) for b in checked)


def _arrays(tree: PyTree) -> Any:
    """The pytree with JAX arrays for leaves. A list of plain numbers becomes one array, not a pytree of numbers."""
    written = isinstance(tree, list) and not any(hasattr(leaf, "shape") for leaf in jax.tree.leaves(tree))
    return jnp.asarray(tree) if written else jax.tree.map(jnp.asarray, tree)
