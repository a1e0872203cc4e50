"""Checks of a task and its batches before anything is compiled: errors for what cannot be used, warnings for what says little."""

import warnings
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.tasks.losses import cross_entropy, sigmoid_cross_entropy
from jaxzc.tasks.task import Task, next_token
from jaxzc.types import Array, Batch, JaxzcError, PyTree


def with_targets(task: Task, batch: Batch) -> Batch:
    """The batch itself; if it has no targets and the task can make them from the inputs, the batch with these targets."""
    if batch.targets is not None or task.targets is None:
        return batch
    return batch._replace(targets=task.targets(batch.inputs))


NO_TARGETS = (
    "needs labels, and the batch has none: give the batch as (inputs, targets), such as (images [N, ...], labels [N]), "
    "or task='next_token' for tokens that are their own targets"
)


def targets_of(batch: Batch, task: Task | None = None) -> PyTree:
    """The batch's targets; `JaxzcError` where it has none, unless the task is the user's own, whose loss may do without."""
    if batch.targets is None and (task is None or task.name != "own"):
        raise JaxzcError(NO_TARGETS)
    return batch.targets


def loss_of(task: Task, outputs: PyTree, targets: PyTree) -> Array:
    """The task's loss; `JaxzcError` where it is not one number, and where it fails without targets."""
    try:
        value = task.loss(outputs, targets)
    except Exception as error:
        if targets is None:
            raise JaxzcError(NO_TARGETS) from error
        raise
    if np.shape(value) != ():
        raise JaxzcError(f"loss(outputs, targets) returned an array of shape {np.shape(value)}: expected one number, such as the mean")
    return value


def check_targets(task: Task, outputs: PyTree, batches: Sequence[Batch], *, warns: bool = False) -> None:
    """Checks targets that are class numbers, for the ready-made tasks that have such.

    Those of multilabel must lie in [0, 1]. outputs: shapes of what the network returns. Raises `JaxzcError` for a class without an output,
    for rows that are no distribution, and for tokens given as their own successors. warns: whether to warn of labels of one class, and of
    labels that leave out the first class.
    """
    for batch in batches:
        if task == next_token and batch.targets is not None and _are_inputs(batch):
            raise JaxzcError("the targets of next_token are the inputs themselves, not what follows them: leave the targets out (None)")
    check_shares(task, batches)
    if task.loss is not cross_entropy or not isinstance(outputs, jax.ShapeDtypeStruct | jax.Array | np.ndarray):
        return
    present = [np.asarray(batch.targets) for batch in batches if batch.targets is not None]
    labels = [values for values in present if np.issubdtype(values.dtype, np.integer) and values.shape != outputs.shape]
    for values in present:
        if values.shape == outputs.shape:
            _check_distribution(values)
    for values in labels:
        check_classes(values, outputs.shape[-1])
    if labels and warns:
        warn_of_labels(np.concatenate([values.ravel() for values in labels]), outputs.shape[-1])


def check_shares(task: Task, batches: Sequence[Batch]) -> None:
    """Raises `JaxzcError` for targets of multilabel outside [0, 1]."""
    if task.loss is not sigmoid_cross_entropy:
        return
    for values in (np.asarray(leaf) for batch in batches for leaf in jax.tree.leaves(batch.targets)):
        if values.size and not (values.min() >= 0 and values.max() <= 1):
            raise JaxzcError(
                f"targets of multilabel go from {values.min():g} to {values.max():g}: expected 0 or 1 for each output, or a share between, "
                "as data such as replaced:FILE have them"
            )


def check_classes(labels: np.ndarray, classes: int | None) -> None:
    """Raises `JaxzcError` for a label outside `[0, classes)`."""
    wrong = labels < 0 if classes is None else (labels < 0) | (labels >= classes)
    if wrong.any():
        index = int(np.argmax(wrong.ravel()))
        upper = "0 or more" if classes is None else f"0 to {classes - 1} ({classes} classes)"
        raise JaxzcError(
            f"label {int(labels.ravel()[index])} at index {index} is out of range, expected {upper}: check the labels, or give a loss of "
            "your own that leaves some out"
        )


def warn_of_labels(labels: np.ndarray, classes: int) -> None:
    """Warns where all labels `[n]` are one class (with a softmax over several), and where every class but the first occurs."""
    seen = np.unique(labels)
    if len(seen) == 1 and len(labels) > 1:
        warnings.warn(
            f"all {len(labels)} labels are class {seen[0]}: proxies of the loss then say little, draw several classes", stacklevel=3
        )
    elif classes > 2 and np.array_equal(seen, np.arange(1, classes)):
        warnings.warn(
            f"every class but 0 occurs among {len(labels)} labels and the network has {classes} outputs: if labels are numbered from 1, "
            "subtract 1 and leave one output out",
            stacklevel=3,
        )


def _are_inputs(batch: Batch) -> bool:
    leaves = [leaf for leaf in jax.tree.leaves(batch.inputs) if np.shape(leaf) == np.shape(batch.targets)]
    return any(jnp.issubdtype(jnp.result_type(leaf), jnp.integer) and np.array_equal(leaf, batch.targets) for leaf in leaves)


def _check_distribution(rows: np.ndarray) -> None:
    sums = rows.astype(np.float64).sum(-1).ravel()
    worst = sums[np.argmax(np.abs(sums - 1))]
    if not np.isclose(worst, 1, atol=1e-3):
        raise JaxzcError(
            f"targets of the outputs' shape are rows of probabilities in classification, and one sums to {worst:g}: give integers, or "
            "task='multilabel' or 'regression'"
        )
