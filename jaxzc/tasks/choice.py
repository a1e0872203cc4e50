"""Which task a batch is for: read from shapes, dtypes and kinds of numbers where these leave one reading, named by the user otherwise."""

from typing import NoReturn

import jax
import numpy as np

from jaxzc.numerics.trees import is_real
from jaxzc.tasks.losses import Loss, described
from jaxzc.tasks.task import TASKS, Task, classification, multilabel, regression
from jaxzc.types import JaxzcError, PyTree


def named_task(loss: Loss | None, task: Task | str | None) -> Task | None:
    """The task that a user means by one of two arguments; None where neither is given. Raises `JaxzcError` for both, and for no task's
    name."""
    if loss is not None and task is not None:
        raise JaxzcError("loss and task are both given: give one of them, task=jaxzc.Task(loss, readout=...) says both")
    if loss is not None:
        if not callable(loss):
            raise JaxzcError(f"loss={loss!r:.60}: expected a function loss(outputs, targets) that returns one number")
        return Task(loss)
    if isinstance(task, str):
        if task not in TASKS:
            raise JaxzcError(f"task={task!r} is none of {', '.join(TASKS)}: choose one, or give loss(outputs, targets)")
        return TASKS[task]
    if task is not None and not isinstance(task, Task):
        raise JaxzcError(f"task={task!r:.60}: expected one of {', '.join(TASKS)}, or jaxzc.Task(loss, readout=...)")
    return task


def kind_of(targets: PyTree) -> tuple[bool, ...]:
    """The properties of concrete targets' values that decide the choice of a task."""
    arrays = [np.asarray(leaf) for leaf in jax.tree.leaves(targets)]
    return () if len(arrays) != 1 or arrays[0].ndim < 1 else (_binary(arrays[0]), _distributions(arrays[0]))


def as_task(task: Task | None, outputs: PyTree, targets: PyTree) -> Task:
    """The task itself, or, for None, the one chosen for these outputs and targets.

    outputs: what the network returns (arrays or their shapes). targets: a batch's, concrete, or None.
    """
    return chosen(outputs, targets) if task is None else task


def chosen(outputs: PyTree, targets: PyTree) -> Task:
    """The task for these outputs and targets. Where several tasks are possible, the result is a task whose loss raises an error that names
    them."""
    if targets is None:
        return classification
    if not _one_array(outputs):
        return undecided(f"the network returns {described(outputs)}: give loss=lambda outputs, targets: ... that takes them apart")
    if not _one_array(targets):
        return undecided(f"the targets are {described(targets)}: give loss=lambda outputs, targets: ... that takes them apart")
    (output,), (target,) = jax.tree.leaves(outputs), jax.tree.leaves(targets)
    if np.ndim(target) == 0 or (output.ndim and np.shape(target)[0] != output.shape[0]):
        return undecided(f"the batch has outputs {described(output)} and targets {described(target)}: give one target for each example")
    shape, classes, values = np.shape(target), (output.shape or (0,))[-1], np.asarray(target)
    whole = np.issubdtype(values.dtype, np.integer) or values.dtype == np.bool_
    both = f"outputs {described(output)} and targets {described(target)}"
    if whole and values.dtype != np.bool_ and classes > 1 and shape in (output.shape[:-1], (*output.shape[:-1], 1)):
        return classification
    same = shape == output.shape or (*shape, 1) == output.shape or shape == (*output.shape, 1)
    if not same:
        return undecided(f"{both} belong to no ready-made task: give a loss(outputs, targets), or task={_names()}")
    rows = shape == output.shape and output.ndim > 1 and classes > 1 and _distributions(values)
    if rows:
        return undecided(
            f"{both} may be classification (every row of the targets sums to 1), multilabel or regression: give task='classification', "
            "'multilabel' or 'regression'"
        )
    if values.dtype == np.bool_ or (whole and shape == output.shape and classes > 1 and _binary(values)):
        return multilabel
    if whole or _binary(values):
        return undecided(f"{both} may be multilabel (yes or no) or regression: give task='multilabel' or 'regression'")
    return regression


def undecided(reason: str) -> Task:
    """A task for the proxies that need no targets; its loss is an error of this sentence."""

    def loss(outputs: PyTree, targets: PyTree) -> NoReturn:
        raise JaxzcError(reason)

    return Task(loss, name="undecided")


def _one_array(tree: PyTree) -> bool:
    return jax.tree.structure(tree) == jax.tree.structure(0) and is_real(tree)


def _distributions(values: np.ndarray) -> bool:
    numbers = values.astype(np.float64)
    return bool((numbers >= 0).all() and np.allclose(numbers.sum(-1), 1, atol=1e-3))


def _binary(values: np.ndarray) -> bool:
    return bool(np.isin(values, (0, 1)).all())


def _names() -> str:
    return " or ".join(map(repr, TASKS))
