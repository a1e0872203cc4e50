"""Judges a batch before any compilation starts, so that a wrong array costs a sentence and not a page of tracebacks."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.numerics.trees import batch_size, is_real
from jaxzc.tasks.checks import check_classes
from jaxzc.types import Batch, JaxzcError


def check_examples(batch: Any) -> Batch:
    """Checks inputs of any form that the user gave for a network of their own.

    batch: a `Batch`, or a pair (inputs, targets). Inputs: a pytree of arrays that share a leading axis N, floats (finite) or integers.
        Of targets only whether they are numbers is examined: a task knows what they should be.

    Returns the same values as a `Batch`. Raises `JaxzcError` naming the first thing that is wrong.
    """
    batch = _pair(batch, "inputs", "targets")
    inputs, leaves = batch.inputs, jax.tree.leaves(batch.inputs)
    if isinstance(inputs, list) and inputs and not any(hasattr(leaf, "shape") for leaf in leaves):  # numbers written out
        inputs = np.asarray(inputs)
        leaves = [inputs]
    for leaf in leaves:
        _check_values(leaf)
    for leaf in jax.tree.leaves(batch.targets):
        if (dtype := np.asarray(leaf).dtype).kind in "OSU":
            raise JaxzcError(f"the targets hold {dtype} {list(np.shape(leaf))}, expected numbers: number the classes from 0")
    if batch_size(inputs) == 0:
        raise JaxzcError("the batch is empty (a leading axis of 0): give at least one example")
    return Batch(inputs, batch.targets)


def _check_values(leaf: Any) -> None:
    values = np.asarray(leaf)
    if values.dtype == object or not is_real(values):
        raise JaxzcError(f"the inputs hold {values.dtype} {list(values.shape)}, expected arrays of real numbers: convert them")
    if values.dtype == np.uint8 and values.ndim == 4:
        raise JaxzcError(
            f"the images are uint8 {list(values.shape)}, expected normalised floats: normalise them first, (images / 255 - mean) / std in "
            "float32"
        )
    if jnp.issubdtype(values.dtype, jnp.floating):
        _check_finite(values, "input")


def _check_finite(values: np.ndarray, what: str) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        bad = int(finite.size - np.count_nonzero(finite))
        example = int(np.argwhere(~finite)[0, 0]) if values.ndim else 0
        raise JaxzcError(f"{bad} of {finite.size} {what} values are NaN or infinite (first in {what} {example}): clean the {what}s")


def _pair(batch: Any, *names: str) -> Batch:
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        both = ", ".join(names)
        raise JaxzcError(f"a batch is a pair ({both}), not {_describe(batch)}: give jaxzc.Batch({both})")
    return Batch(*batch)


def check_batch(batch: Any, classes: int | None = None, image_shape: Sequence[int] | None = None, *, needs_labels: bool = False) -> Batch:
    """Checks images and labels that the user gave for a space.

    batch: a `Batch`, or a pair (images, labels). Images `[N, ...]` in any floating-point type (numpy or JAX), finite; labels `[N]`
        integers, or None.
    classes: number of outputs of the network; labels must lie in `[0, classes)`. None: labels need only be 0 or more.
    image_shape: (H, W, C) of one image; None: any shape with at least one axis after the first.
    needs_labels: whether a proxy that will run uses the labels.

    Returns the same arrays as a `Batch`. Raises `JaxzcError` naming the first thing that is wrong.
    """
    images, labels = _pair(batch, "images", "labels")
    _check_images(images, None if image_shape is None else tuple(image_shape))
    if labels is not None:
        _check_labels(np.asarray(labels), len(images), classes)
    elif needs_labels:
        raise JaxzcError("the batch has no labels, and a chosen proxy needs them: give Batch(images, labels) or choose label-free proxies")
    return Batch(images, labels)


def _check_images(images: Any, image_shape: tuple[int, ...] | None) -> None:
    expected = "[N, H, W, C]" if image_shape is None else "[N, " + ", ".join(str(size) for size in image_shape) + "]"
    try:
        values = np.asarray(images)
    except ValueError:  # a list of arrays that do not fit together
        values = np.empty(0, object)
    if values.dtype == object:
        raise JaxzcError(f"the images are Python objects, expected one float array {expected}: stack images of one size")
    if np.issubdtype(values.dtype, np.complexfloating):
        raise JaxzcError(f"the images are {values.dtype}, expected real floats {expected}: take the real part or the magnitude")
    if values.ndim < 2 or (image_shape is not None and values.ndim != len(image_shape) + 1):
        raise JaxzcError(f"the images have shape {list(values.shape)}, expected {expected}: one image alone needs a leading axis of size 1")
    if 0 in values.shape:
        raise JaxzcError(f"the batch is empty (images {list(values.shape)}): give at least one image")
    if image_shape is not None and values.shape[1:] != image_shape:
        size = "x".join(str(size) for size in values.shape[1:])
        hint = "resize the images or choose another space"
        if len(image_shape) == 3 and values.shape[1:] == (image_shape[2], *image_shape[:2]):
            hint = "they look channels-first, so use images.transpose(0, 2, 3, 1)"
        raise JaxzcError(f"the images are {size}, expected HxWxC = {'x'.join(str(size) for size in image_shape)}: {hint}")
    if not jnp.issubdtype(values.dtype, jnp.floating):
        raise JaxzcError(
            f"the images are {values.dtype}, expected normalised floats: normalise them first, (images / 255 - mean) / std in float32"
        )
    _check_finite(values, "image")


def _check_labels(labels: np.ndarray, count: int, classes: int | None) -> None:
    if labels.shape != (count,):
        what = f"{labels.shape[0]} labels" if labels.ndim == 1 else f"labels of shape {list(labels.shape)}"
        hint = "give one class number per image"
        if labels.shape == (count, 1):
            hint = "take the only column, labels[:, 0]"
        elif labels.ndim == 2 and len(labels) == count and np.isin(labels, (0, 1)).all() and (labels.sum(1) == 1).all():
            hint = "one-hot rows become numbers with labels.argmax(1)"
        raise JaxzcError(f"the batch has {count} images but {what}, expected [{count}]: {hint}")
    if not np.issubdtype(labels.dtype, np.integer):
        whole = np.issubdtype(labels.dtype, np.floating) and np.array_equal(labels, np.round(labels))
        hint = "convert them with labels.astype(np.int32)" if whole else "a space compares its outputs with class numbers only"
        raise JaxzcError(f"the labels are {labels.dtype}, expected integers: {hint}")
    check_classes(labels, classes)


def _describe(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else f"an array {list(shape)}"
