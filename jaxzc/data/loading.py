"""Batches from a named source: digits, noise, an npz file, folders of images, a prepared tensorflow-datasets data set, a text, or
frames of sound."""

import hashlib
import os
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np

from jaxzc.data import digits, folder, frames, pixels, prepared, text
from jaxzc.data.labels import check_labels
from jaxzc.data.pixels import Drawn, Source
from jaxzc.types import Batch, JaxzcError
from jaxzc.types.names import hint

SPECS = "digits, normal, FILE.npz, folder:PATH, tfds:NAME, text:FILE, replaced:FILE, frames:FILE.npz"
"""What a source may be called, for messages."""
NAMES = ("digits", "normal", "npz", "folder", "tfds", "tfds:cifar10", "tfds:cifar100", "text", "replaced", "frames")
"""What a mistyped source may have meant."""
AXES = {"text": ("steps",), "replaced": ("steps",), "frames": ("frames", "features")}
"""Kind of a source that has no images -> the axes of an example."""
NOUNS = {"text": "tokens", "replaced": "tokens", "frames": "frames"}
"""What its examples are made of."""


@dataclass(frozen=True)
class Data:
    """What `load` gives.

    batches: images float32 `[batch_size, H, W, C]`, labels int32 `[batch_size]`; of a text, tokens and the tokens that follow, or 1 where
        a token was replaced and 0 elsewhere, int32 `[batch_size, steps]`; of sound, frames float32 `[batch_size, T, F]` and
        symbols int32 `[batch_size, L]`, padded with the blank, 0.
    classes: number of classes of the source; labels lie in `[0, classes)`.
    name: the spec that was asked for.
    digest: 16 hex digits over images and labels of all batches; equal digests mean equal data.
    notes: how the images were chosen and normalised, for the record.
    """

    batches: tuple[Batch, ...]
    classes: int
    name: str
    digest: str
    notes: str = ""


def load(
    spec: str,
    *,
    batch_size: int,
    batches: int = 2,
    seed: int = 0,
    shape: tuple[int, ...] | None = None,
    classes: int | None = None,
) -> Data:
    """Draws `batches` batches without replacement; batch k depends on spec, batch_size and seed only, not on how many are drawn.

    spec: `digits` (scikit-learn's 8x8 digits, mean 0 and std 1 over the data set); `normal` (standard normal images, uniform labels);
        `FILE.npz` or `npz:FILE` (arrays `images` [N, H, W, C] and integer `labels` [N]; uint8 images are normalised by `mean` and `std` of
        the file, on the [0, 1] scale, or else, with 3 channels, by CIFAR-10's; float images are taken as already normalised; `classes`,
        optional, is the number of classes or their names); `folder:PATH` (a folder for each class; see `jaxzc.data.folder`); `tfds:NAME`
        (its `train` split; see `jaxzc.data.prepared`); `text:FILE` or `text:FILE@STEPS` (words and what follows them; see
        `jaxzc.data.text`), whose classes are its words; `replaced:FILE` or `replaced:FILE@STEPS` (words, some of them replaced, and which,
        for discriminators); `frames:FILE.npz`, or `frames:normal` and `frames:normal@TxF` (frames of sound and
        the symbols of each example; see `jaxzc.data.frames`).
    shape: (H, W, C) wanted, of a text (steps,), of sound (T, F): the size of `normal` (default 32x32x3); digits are repeated to it; other
        sources must have it.
    classes: number of classes wanted: that of `normal` (default 10); other sources must have it (npz files without `classes` take it).

    Raises `JaxzcError`: unknown spec, unreadable or unprepared data, another shape or number of classes, not enough images.
    """
    for name, value, least in (("batch_size", batch_size, 1), ("batches", batches, 1), ("seed", seed, 0)):
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
            raise JaxzcError(f"{name} is {value!r}, expected a whole number of at least {least}")
    axes = AXES.get(_parts(spec)[0], ("height", "width", "channels"))
    if shape is not None and (len(shape) != len(axes) or min(shape) < 1):
        raise JaxzcError(f"shape is {tuple(shape)}, expected ({', '.join(axes)}) of at least 1 each")
    if classes is not None and classes < 1:
        raise JaxzcError(f"classes is {classes}, expected at least 1")
    drawn = _source(spec, shape, classes)(batch_size * batches, np.random.default_rng(seed))
    _check_asked(spec, drawn, shape, classes)
    images, labels = drawn.images, drawn.labels.astype(np.int32, copy=False)
    if images.ndim > 2:  # others are tokens
        images = images.astype(np.float32, copy=False)
    cut = [slice(k * batch_size, (k + 1) * batch_size) for k in range(batches)]
    parts = tuple(Batch(images[part], labels[part]) for part in cut)
    return Data(parts, drawn.classes, spec, digest(parts), drawn.notes)


def digest(batches: Sequence[Batch]) -> str:
    """The first 16 hex digits of SHA-256 over type, shape and bytes of every array of the batches, in order."""
    sha = hashlib.sha256()
    for array in (np.ascontiguousarray(part) for batch in batches for part in batch if part is not None):
        sha.update(f"{array.dtype.str}{array.shape}".encode())
        sha.update(array.tobytes())
    return sha.hexdigest()[:16]


def _source(spec: str, shape: tuple[int, ...] | None, classes: int | None) -> Source:
    kind, rest = _parts(spec)
    if kind == "text" and rest:
        return partial(text.draw, text=rest, steps=shape[0] if shape else None)
    if kind == "replaced" and rest:
        return partial(text.draw_replaced, text=rest, steps=shape[0] if shape else None)
    if kind == "frames" and rest:
        return partial(frames.draw, text=rest, shape=shape, classes=classes)
    image = cast("tuple[int, int, int] | None", shape)
    if spec == "digits":
        return partial(_digits, shape=image)
    if spec == "normal":
        return partial(_normal, shape=image or (32, 32, 3), classes=classes or 10)
    if kind == "npz" and rest:
        return partial(_npz, path=os.path.expanduser(rest), classes=classes)
    if kind == "folder" and rest:
        return partial(folder.draw, text=rest)
    if kind == "tfds" and rest:
        return partial(prepared.draw, name=rest)
    if os.path.isdir(os.path.expanduser(spec)):
        raise JaxzcError(f"{spec} is a directory: write folder:{spec} for images in folders, one for each class")
    raise JaxzcError(f"unknown data {spec!r}: {hint(kind, NAMES)}choose one of {SPECS}")


def _parts(spec: str) -> tuple[str, str]:
    """Kind and name of a source: `npz:FILE` may be written as the file's name alone."""
    kind, colon, rest = spec.partition(":")
    if not colon and spec.lower().endswith(".npz"):
        return "npz", spec
    return kind, rest


def _check_asked(spec: str, drawn: Drawn, shape: tuple[int, ...] | None, classes: int | None) -> None:
    noun, size = NOUNS.get(_parts(spec)[0], "images"), drawn.images.shape[1:]
    if shape is not None and size != tuple(shape):
        sizes = ("x".join(map(str, each)) for each in (size, shape))
        raise JaxzcError("{} has {} {}, expected {}: choose other data, or a space for this size".format(spec, noun, *sizes))
    if classes is not None and drawn.classes != classes:
        raise JaxzcError(f"{spec} has {drawn.classes} classes, expected {classes}: choose other data, or a space with as many classes")


def _digits(count: int, rng: np.random.Generator, shape: tuple[int, int, int] | None) -> Drawn:
    images, labels = digits.read()
    mean, std = pixels.statistics(images)
    chosen = _choose(count, rng, len(images), "digits")
    images = ((images[chosen] - mean) / std).astype(np.float32)
    notes = f"mean {mean[0]:.4f} and std {std[0]:.4f} of all 1,797 images"
    if shape is not None:
        height, width, channels = shape
        if height % 8 or width % 8:
            raise JaxzcError(f"digits are 8x8 and cannot become {height}x{width}: ask for multiples of 8, or choose other data")
        images = images.repeat(height // 8, axis=1).repeat(width // 8, axis=2).repeat(channels, axis=3)
        notes += f"; 8x8x1 repeated to {height}x{width}x{channels}"
    return Drawn(images, labels[chosen], 10, notes)


def _normal(count: int, rng: np.random.Generator, shape: tuple[int, int, int], classes: int) -> Drawn:
    # Labels have a stream of their own: drawn after the images, they would change with the number of batches.
    (label_rng,) = rng.spawn(1)
    images = rng.standard_normal((count, *shape), dtype=np.float32)
    return Drawn(images, label_rng.integers(classes, size=count), classes, "standard normal images, uniform labels")


def _npz(count: int, rng: np.random.Generator, path: str, classes: int | None) -> Drawn:
    arrays = _read_npz(path)
    missing = [name for name in ("images", "labels") if name not in arrays]
    if missing:
        raise JaxzcError(f"{path} has no array {missing[0]!r} (it has {', '.join(arrays) or 'none'}): save it with images=, labels=")
    images, labels = arrays["images"], arrays["labels"]
    if images.ndim != 4 or not (images.dtype == np.uint8 or np.issubdtype(images.dtype, np.floating)):
        raise JaxzcError(f"images of {path} are {images.dtype} {list(images.shape)}, expected uint8 or float [N, H, W, C]: convert them")
    if labels.shape != images.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise JaxzcError(f"labels of {path} are {labels.dtype} {list(labels.shape)}, expected integers [{len(images)}]: one per image")
    chosen = _choose(count, rng, len(images), path)
    classes = _npz_classes(path, arrays.get("classes"), labels, classes)
    if images.dtype != np.uint8:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is reported below
            drawn, notes = images[chosen].astype(np.float32), "float images, taken as already normalised"
        if not np.isfinite(drawn).all():
            raise JaxzcError(f"images of {path} hold NaN or infinite values: clean the file")
    else:
        mean, std, notes = _npz_statistics(path, arrays, images.shape[-1])
        drawn = pixels.normalise(images[chosen], mean, std)
    return Drawn(drawn, labels[chosen], classes, notes)


def _npz_classes(path: str, stored: np.ndarray | None, labels: np.ndarray, asked: int | None) -> int:
    if stored is None:
        classes = asked or int(labels.max()) + 1
    elif stored.ndim == 1:
        classes = len(stored)
    elif stored.ndim == 0 and np.issubdtype(stored.dtype, np.integer):
        classes = int(stored)
    else:
        raise JaxzcError(f"classes of {path} is {stored.dtype} {list(stored.shape)}, expected a whole number or a list of names")
    check_labels(path, labels, classes, stated=stored is not None or asked is not None)
    return classes


def _npz_statistics(path: str, arrays: dict[str, np.ndarray], channels: int) -> tuple[np.ndarray, np.ndarray, str]:
    named = [name for name in ("mean", "std") if name in arrays]
    if not named and channels == 3:
        return np.array(pixels.CIFAR10_MEAN), np.array(pixels.CIFAR10_STD), "mean and std of CIFAR-10"
    if len(named) < 2:
        raise JaxzcError(f"{path} has uint8 images of {channels} channels: add both arrays mean and std [{channels}], on the [0, 1] scale")
    mean, std = arrays["mean"], arrays["std"]
    for name, value in (("mean", mean), ("std", std)):
        if value.shape not in ((), (channels,)) or not np.all((value >= 0) & (value <= 1)) or (name == "std" and not np.all(value > 0)):
            raise JaxzcError(f"{name} of {path} is {value.tolist()}, expected {channels} numbers on the [0, 1] scale: divide by 255?")
    return mean, std, "mean and std of the file"


def _read_npz(path: str) -> dict[str, np.ndarray]:
    try:
        # Opened here, because np.load leaves its own file open when the contents are damaged.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return dict(archive)
    except FileNotFoundError as error:
        raise JaxzcError(f"there is no file {path}: check the path after 'npz:'") from error
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise JaxzcError(f"{path} cannot be read as npz ({error}): save it with np.savez(path, images=..., labels=...)") from error


def _choose(count: int, rng: np.random.Generator, size: int, name: str) -> np.ndarray:
    if count > size:
        raise JaxzcError(f"{name} has {size} images, {count} were asked for: lower batch_size or batches")
    return rng.permutation(size)[:count]


def size(spec: str) -> int:
    """How many images a source has. Raises `JaxzcError` where that is not known before they are read (`normal`, and data sets of which only
    some labels are kept)."""
    kind, rest = _parts(spec)
    if spec == "digits":
        return digits.COUNT
    if kind == "npz" and rest:
        return len(_read_npz(os.path.expanduser(rest)).get("labels", ()))
    if kind == "folder" and rest:
        return len(folder.listing(rest).files)
    count = prepared.count(rest) if kind == "tfds" and rest else None
    if count is None:
        _source(spec, None, None)  # refuses what is no source
        raise JaxzcError(f"{spec} does not say how many images it has: say how many to draw")
    return count
