"""The check of a user's own batch."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxzc.data import check_batch
from jaxzc.types import Batch, JaxzcError

GOOD = np.zeros((3, 4, 4, 3), np.float32)


@pytest.mark.parametrize("convert", [np.asarray, jnp.asarray, lambda x: np.asarray(x, np.float64), lambda x: jnp.asarray(x, jnp.bfloat16)])
def test_good_batches_pass_unchanged(convert):
    images, labels = convert(GOOD), np.array([0, 1, 2])
    batch = check_batch((images, labels), classes=3, image_shape=(4, 4, 3), needs_labels=True)
    assert isinstance(batch, Batch)
    assert (batch.inputs is images, batch.targets is labels) == (True, True)
    assert check_batch(Batch(images)).targets is None
    check_batch(Batch(images.reshape(3, 48), labels))


def nan_at(*indices) -> np.ndarray:
    images = GOOD.copy()
    for index in indices:
        images[index, 0, 0, 0] = np.nan if index else np.inf
    return images


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (GOOD[0], r"the images have shape \[4, 4, 3\], expected \[N, 4, 4, 3\]: one image alone needs a leading axis of size 1"),
        (GOOD[:, :2], r"the images are 2x4x3, expected HxWxC = 4x4x3: resize the images or choose another space"),
        (
            GOOD.transpose(0, 3, 1, 2),
            r"the images are 3x4x4, expected .*: they look channels-first, so use images\.transpose\(0, 2, 3, 1\)",
        ),
        (GOOD[:0], r"the batch is empty \(images \[0, 4, 4, 3\]\): give at least one image"),
        (GOOD.astype(object), r"the images are Python objects, expected one float array \[N, 4, 4, 3\]: stack images of one size"),
        ([GOOD[0], GOOD[0, :2]], r"the images are Python objects, expected one float array"),
        (GOOD.astype(complex), r"the images are complex128, expected real floats \[N, 4, 4, 3\]: take the real part or the magnitude"),
        (
            GOOD.astype(np.uint8),
            r"the images are uint8, expected normalised floats: normalise them first, \(images / 255 - mean\) / std in",
        ),
        (GOOD.astype(bool), r"the images are bool, expected normalised floats"),
        (nan_at(1, 2), r"2 of 144 image values are NaN or infinite \(first in image 1\): clean the images"),
        (nan_at(0), r"1 of 144 image values are NaN or infinite \(first in image 0\)"),
    ],
)
def test_bad_images(images, message):
    with pytest.raises(JaxzcError, match=message):
        check_batch((images, np.zeros(3, int)), image_shape=(4, 4, 3))


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        ([0, 1], 3, r"the batch has 3 images but 2 labels, expected \[3\]: give one class number per image"),
        (
            np.eye(3, dtype=int),
            3,
            r"3 images but labels of shape \[3, 3\], expected \[3\]: one-hot rows become numbers with labels\.argmax\(1\)",
        ),
        ([0.0, 1.0, 2.0], 3, r"the labels are float64, expected integers: convert them with labels\.astype\(np\.int32\)"),
        ([0, 5, 3], 3, r"label 5 at index 1 is out of range, expected 0 to 2 \(3 classes\): check the labels"),
        ([0, 1, -1], 3, r"label -1 at index 2 is out of range, expected 0 to 2"),
        ([0, 1, -1], None, r"label -1 at index 2 is out of range, expected 0 or more: check the labels"),
        ([[0], [1], [2]], 3, r"labels of shape \[3, 1\], expected \[3\]: take the only column, labels\[:, 0\]"),
        ([0.5, 1.0, 2.0], 3, r"the labels are float64, expected integers: a space compares its outputs with class numbers only"),
        (None, 3, r"the batch has no labels, and a chosen proxy needs them: give Batch\(images, labels\) or choose label-free proxies"),
    ],
)
def test_bad_labels(labels, classes, message):
    with pytest.raises(JaxzcError, match=message):
        check_batch((GOOD, labels), classes=classes, needs_labels=True)


def test_what_is_no_batch():
    with pytest.raises(
        JaxzcError, match=r"a batch is a pair \(images, labels\), not an array \[3, 4, 4, 3\]: give jaxzc\.Batch\(images, labels\)"
    ):
        check_batch(GOOD)
    with pytest.raises(JaxzcError, match=r"a batch is a pair \(images, labels\), not dict"):
        check_batch({"image": GOOD})
