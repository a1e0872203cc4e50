"""Frames of sound with the symbols that are said, for networks of speech: of an npz file, or standard normal ones."""

import os
import re
import zipfile
import zlib

import numpy as np

from jaxzc.data.pixels import Drawn
from jaxzc.types import JaxzcError

SHAPE = (300, 80)
"""Frames and features of `normal`: three seconds of log-mel spectrograms every 10 ms."""
CLASSES = 49
"""Outputs for `normal`: 48 symbols and the blank, as in NAS-Bench-ASR."""
FRAMES_OF_SYMBOL = 8
"""Frames of `normal` for each of its symbols."""


def draw(count: int, rng: np.random.Generator, text: str, shape: tuple[int, ...] | None = None, classes: int | None = None) -> Drawn:
    """`count` examples in random order without replacement: frames float32 `[count, T, F]`, and symbols int32 `[count, L]`, padded with 0,
    which is the blank and no symbol.

    text: `FILE.npz` with arrays `frames` [N, T, F] of floats, already normalised, and whole numbers `labels` [N, L], and perhaps `classes`,
        the number of symbols and the blank; or `normal`, or `normal@TxF`: standard normal frames and uniform symbols, one for eight frames.
    shape, classes: of `normal` where it does not say; `classes` also of files that do not.
    Raises `JaxzcError` for a file that cannot be read or holds something else, and where it has not enough examples.
    """
    if text == "normal" or text.startswith("normal@"):
        return _normal(count, rng, _shape(text, shape), classes or CLASSES)
    path = os.path.expanduser(text)
    arrays = _read(path)
    missing = [name for name in ("frames", "labels") if name not in arrays]
    if missing:
        raise JaxzcError(f"{path} has no array {missing[0]!r} (it has {', '.join(arrays) or 'none'}): save it with frames=, labels=")
    frames, labels = arrays["frames"], arrays["labels"]
    if frames.ndim != 3 or not np.issubdtype(frames.dtype, np.floating):
        raise JaxzcError(f"frames of {path} are {frames.dtype} {list(frames.shape)}, expected normalised floats [N, T, F]: convert them")
    if labels.ndim != 2 or len(labels) != len(frames) or not np.issubdtype(labels.dtype, np.integer):
        raise JaxzcError(
            f"labels of {path} are {labels.dtype} {list(labels.shape)}, expected integers [{len(frames)}, L]: pad them with 0, the blank"
        )
    if count > len(frames):
        raise JaxzcError(f"{path} has {len(frames)} examples, {count} were asked for: lower batch_size or batches")
    symbols = int(arrays["classes"]) if "classes" in arrays else classes or int(labels.max(initial=0)) + 1
    if labels.size and not 0 <= labels.min() <= labels.max() < symbols:
        raise JaxzcError(
            f"labels of {path} go from {labels.min()} to {labels.max()}, expected 0, the blank, to {symbols - 1}: check the file"
        )
    chosen = rng.permutation(len(frames))[:count]
    drawn = frames[chosen].astype(np.float32)
    if not np.isfinite(drawn).all():
        raise JaxzcError(f"frames of {path} hold NaN or infinite values: clean the file")
    return Drawn(drawn, labels[chosen].astype(np.int32), symbols, "frames as they are in the file, all of them used")


def _shape(text: str, shape: tuple[int, ...] | None) -> tuple[int, int]:
    """Frames and features of `normal`."""
    if text == "normal":
        length, features = shape or SHAPE
        return length, features
    size = re.fullmatch(r"normal@([1-9]\d*)x([1-9]\d*)", text)
    if size is None:
        raise JaxzcError(f"frames:{text}: expected frames and features behind the @, as in frames:normal@300x80")
    return int(size[1]), int(size[2])


def _normal(count: int, rng: np.random.Generator, shape: tuple[int, int], classes: int) -> Drawn:
    (label_rng,) = rng.spawn(1)  # drawn after the frames, symbols would change with the number of batches
    frames = rng.standard_normal((count, *shape), dtype=np.float32)
    labels = label_rng.integers(1, max(classes, 2), size=(count, max(1, shape[0] // FRAMES_OF_SYMBOL)), dtype=np.int32)
    return Drawn(frames, labels, classes, f"standard normal frames, {labels.shape[1]} uniform symbols in each example")


def _read(path: str) -> dict[str, np.ndarray]:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return dict(archive)
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise JaxzcError(f"frames:{path} cannot be read as npz ({error}): save it with np.savez(path, frames=..., labels=...)") from error
