"""Data sets that tensorflow-datasets has prepared on disk, read without TensorFlow (`tfds.data_source`).

Only `train` splits with the features `image` (uint8) and `label` are read. CIFAR-10, CIFAR-100 and ImageNet16-120 are normalised by their
usual constants; any other data set by the mean and std of the first 2,048 images that the seed draws, which the notes say.
The directory is that of tfds: TFDS_DATA_DIR, or ~/tensorflow_datasets.
"""

import os
from typing import Any, NamedTuple

import numpy as np

from jaxzc.data import pixels
from jaxzc.data.pixels import Drawn
from jaxzc.types import JaxzcError

POOL = 2048
"""Images from which an unknown data set's mean and std are computed."""


class Known(NamedTuple):
    """Constants on the [0, 1] scale; `classes`: only labels below are kept (None: all)."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    note: str
    classes: int | None = None


KNOWN = {
    "cifar10": Known(pixels.CIFAR10_MEAN, pixels.CIFAR10_STD, "mean and std of CIFAR-10"),
    "cifar100": Known(pixels.CIFAR100_MEAN, pixels.CIFAR100_STD, "mean and std of CIFAR-100"),
    # NAS-Bench-201 keeps labels 1 to 120 of the original files; tfds counts from 0.
    "imagenet_resized/16x16": Known(
        pixels.IMAGENET16_MEAN, pixels.IMAGENET16_STD, "ImageNet16-120: labels below 120, mean and std of ImageNet16", 120
    ),
}


def draw(count: int, rng: np.random.Generator, name: str) -> Drawn:
    """Draws `count` images of the train split of `name` (`NAME`, `NAME/CONFIG`, `NAME:VERSION`) in a random order without replacement.

    Raises `JaxzcError`: unknown name, not prepared (with the command that prepares it), other features, images of several sizes,
    not enough images.
    """
    known = KNOWN.get(name.partition(":")[0])
    source, info = _open(name)
    limit = None if known is None else known.classes
    classes = limit or int(info.features["label"].num_classes)
    wanted = count if known else max(count, min(POOL, len(source)))
    images, labels = _read(source, rng.permutation(len(source)), wanted, limit, name)
    if len(images) < count:
        raise JaxzcError(f"tfds:{name} has {len(images)} images, {count} were asked for: lower batch_size or batches")
    if known:
        return Drawn(pixels.normalise(images, known.mean, known.std), labels, classes, f"train split; {known.note}")
    mean, std = (value / 255 for value in pixels.statistics(images[:POOL]))
    if not (std > 0).all():
        raise JaxzcError(f"a channel of tfds:{name} is constant and cannot be normalised: choose other data")
    constants = " and ".join(f"{word} {np.round(value, 4).tolist()}" for word, value in (("mean", mean), ("std", std)))
    notes = f"train split; {constants} of the first {min(POOL, len(images)):,} images drawn"
    return Drawn(pixels.normalise(images[:count], mean, std), labels[:count], classes, notes)


def _open(name: str) -> tuple[Any, Any]:
    import tensorflow_datasets as tfds  # a second of import that only this source needs

    # Read now: tfds reads the variable once, when it is imported.
    directory = os.environ.get("TFDS_DATA_DIR")
    prepare = f"""pip install tensorflow && python -c "import tensorflow_datasets as tfds; tfds.data_source('{name}')\""""
    try:
        builder = tfds.builder(name, data_dir=directory)
    except tfds.core.DatasetNotFoundError as error:
        where = "https://www.tensorflow.org/datasets/catalog"
        raise JaxzcError(f"tensorflow-datasets knows no data set {name!r}: choose a name of {where}") from error
    except (ValueError, AssertionError) as error:
        raise JaxzcError(f"tensorflow-datasets cannot open {name!r} ({_first_line(error)}): check name, configuration, version") from error
    if not builder.info.splits:
        raise JaxzcError(f"tfds:{name} is not prepared in {builder.data_dir}: prepare it once with: {prepare}")
    if "train" not in builder.info.splits:
        raise JaxzcError(f"tfds:{name} has no split 'train' (it has {', '.join(builder.info.splits)}): choose other data")
    features = builder.info.features
    if not isinstance(features, dict | tfds.features.FeaturesDict) or not {"image", "label"} <= set(features):
        raise JaxzcError(f"tfds:{name} has no features 'image' and 'label': choose an image classification data set")
    if not isinstance(features["label"], tfds.features.ClassLabel) or features["image"].np_dtype != np.uint8:
        raise JaxzcError(f"tfds:{name} needs uint8 images and one class label per image: save it as npz and use npz:FILE")
    try:
        return builder.as_data_source(split="train"), builder.info  # pyright: ignore[reportCallIssue]
    except NotImplementedError as error:
        raise JaxzcError(
            f"tfds:{name} in {builder.data_dir} is in a format that only TensorFlow reads: "
            f"set TFDS_DATA_DIR to another directory and prepare it there with: {prepare}"
        ) from error
    except ImportError as error:
        raise JaxzcError(f"tfds:{name} is stored as array_record, which is not installed: pip install array_record") from error


def _read(source: Any, order: np.ndarray, wanted: int, limit: int | None, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The first `wanted` examples in this order whose label is below `limit`: uint8 `[n, H, W, C]` and int `[n]`, n <= `wanted`."""
    images: list[np.ndarray] = []
    labels: list[int] = []
    for index in order:
        if len(images) == wanted:
            break
        try:
            example = source[int(index)]
        except ImportError as error:
            raise JaxzcError(f"tfds:{name} stores compressed images and no decoder is installed: pip install pillow") from error
        except (OSError, RuntimeError, ValueError) as error:
            raise JaxzcError(f"tfds:{name} cannot be read ({_first_line(error)}): prepare it again") from error
        if limit is not None and example["label"] >= limit:
            continue
        if images and example["image"].shape != images[0].shape:
            sizes = " and ".join("x".join(map(str, image.shape)) for image in (images[0], example["image"]))
            raise JaxzcError(f"tfds:{name} has images of several sizes ({sizes}): resize them and use npz:FILE")
        images.append(example["image"])
        labels.append(example["label"])
    return np.stack(images) if images else np.empty((0, 1, 1, 1), np.uint8), np.array(labels, np.int64)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


def count(name: str) -> int | None:
    """How many images the train split of `name` has; None where only those of some labels are kept. Raises `JaxzcError` like `draw`."""
    known = KNOWN.get(name.partition(":")[0])
    info = _open(name)[1]
    return None if known is not None and known.classes is not None else int(info.splits["train"].num_examples)
