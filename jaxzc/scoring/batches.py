"""Brings the batches that users pass into one form, and checks them before anything is compiled."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from typing_extensions import TypeAliasType

from jaxzc.tasks import Task
from jaxzc.tasks.checks import check_shares, with_targets
from jaxzc.tasks.losses import described
from jaxzc.types import Batch, JaxzcError, PyTree, Space, WithTask

Batches = TypeAliasType("Batches", Batch | tuple[PyTree, PyTree] | Sequence[Batch | tuple[PyTree, PyTree]])
"""One batch (inputs, targets), or several."""


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


def batches_for(space: Space, batches: Batches, task: Task) -> tuple[Batch, ...]:
    """The batches as JAX arrays, for networks of a space; targets that the task takes from the inputs are made. Raises `JaxzcError` as
    `checked_batches`, and for inputs of another shape or kind of dtype than the space's."""
    if not isinstance(space, WithTask):
        return checked_batches(batches, space.classes, space.inputs.shape)
    checked = checked_batches(batches)
    check_shares(task, checked)
    for batch in checked:
        inputs = batch.inputs
        kinds = {np.dtype(space.inputs.dtype).kind, np.dtype(getattr(inputs, "dtype", object)).kind}
        if np.shape(inputs)[1:] != space.inputs.shape or not (len(kinds) == 1 or kinds == {"i", "u"}):
            wanted = ", ".join(map(str, ("N", *space.inputs.shape)))
            raise JaxzcError(f"{space.name}: inputs {described(inputs)}: expected {space.inputs.dtype} [{wanted}], as space.inputs says")
        if kinds <= {"i", "u"} and inputs.size and (int(inputs.min()) < 0 or int(inputs.max()) >= space.classes):
            raise JaxzcError(
                f"{space.name}: tokens from {int(inputs.min())} to {int(inputs.max())}: expected 0 to {space.classes - 1}, "
                "or a space of more classes"
            )
    return tuple(with_targets(task, batch) for batch in checked)


def _arrays(tree: PyTree) -> PyTree:
    """The pytree with JAX arrays for leaves. A list of plain numbers becomes one array, not a pytree of numbers."""
    written = isinstance(tree, list) and not any(hasattr(leaf, "shape") for leaf in jax.tree.leaves(tree))
    return jnp.asarray(tree) if written else jax.tree.map(jnp.asarray, tree)
