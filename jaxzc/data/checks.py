"""Judges a batch before any compilation starts, so that a wrong array costs a sentence and not a page of tracebacks."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxzc.types import Batch, JaxzcError


def check_batch(batch: Any, classes: int | None = None, image_shape: Sequence[int] | None = None, *, needs_labels: bool = False) -> Batch:
    """Checks images and labels that the user gave.

    batch: a `Batch`, or a pair (images, labels). Images `[N, ...]` in any floating-point type (numpy or JAX), finite; labels `[N]`
        integers, or None.
    classes: number of outputs of the network; labels must lie in `[0, classes)`. None: labels need only be 0 or more.
    image_shape: (H, W, C) of one image; None: any shape with at least one axis after the first.
    needs_labels: whether a proxy that will run uses the labels.

    Returns the same arrays as a `Batch`. Raises `JaxzcError` naming the first thing that is wrong.
    """
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise JaxzcError(f"a batch is a pair (images, labels), not {_describe(batch)}: give jaxzc.Batch(images, labels)")
    images, labels = batch
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
    finite = np.isfinite(values)
    if not finite.all():
        bad = int(finite.size - np.count_nonzero(finite))
        first = int(np.argwhere(~finite)[0, 0])
        raise JaxzcError(f"{bad} of {finite.size} image values are NaN or infinite (first in image {first}): clean the images")


def _check_labels(labels: np.ndarray, count: int, classes: int | None) -> None:
    if labels.shape != (count,):
        what = f"{labels.shape[0]} labels" if labels.ndim == 1 else f"labels of shape {list(labels.shape)}"
        hint = "one-hot labels become numbers with labels.argmax(-1)" if labels.ndim == 2 else "give one class number per image"
        raise JaxzcError(f"the batch has {count} images but {what}, expected [{count}]: {hint}")
    if not np.issubdtype(labels.dtype, np.integer):
        raise JaxzcError(f"the labels are {labels.dtype}, expected integers: convert them with labels.astype(np.int32)")
    wrong = labels < 0 if classes is None else (labels < 0) | (labels >= classes)
    if wrong.any():
        index = int(np.argmax(wrong))
        upper = "0 or more" if classes is None else f"0 to {classes - 1} ({classes} classes)"
        raise JaxzcError(f"label {int(labels[index])} at index {index} is out of range, expected {upper}: check the labels or the space")


def _describe(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else f"an array {list(shape)}"
