"""Images in folders, one folder for each class: `folder:PATH`, or `folder:PATH@HxW`, which scales them. Read by Pillow.

    flowers/daisy/1.jpg
    flowers/rose/1.jpg

Classes are the folders in alphabetical order. Mean and standard deviation are those of the first 2,048 images that the seed draws.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxzc.data import pixels
from jaxzc.data.pixels import Drawn
from jaxzc.types import JaxzcError

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Endings of the files that are read; others in the folders are passed over."""
POOL = 2048
"""Images from which mean and standard deviation are computed."""


class Listing(NamedTuple):
    """path: of the whole. size: (H, W) that images are scaled to, or None. classes: names of the folders. files, labels: one for each
    image, in the order of classes and names."""

    path: str
    size: tuple[int, int] | None
    classes: list[str]
    files: list[Path]
    labels: np.ndarray


def listing(text: str) -> Listing:
    """What `PATH` or `PATH@HxW` holds. Raises `JaxzcError`: no such directory, images outside of folders only, fewer than two classes."""
    match = re.fullmatch(r"(.+)@(\d+)x(\d+)", text)
    path, size = (match[1], (int(match[2]), int(match[3]))) if match else (text, None)
    root = Path(path).expanduser()
    if not root.is_dir():
        raise JaxzcError(f"there is no directory {root}: name one that holds a folder of images for each class, folder:PATH")
    if size is not None and min(size) < 1:
        raise JaxzcError(f"folder:{text} asks for images of {size[0]}x{size[1]}: expected a height and a width of at least 1")
    folders = {each.name: _images_of(each) for each in sorted(root.iterdir()) if each.is_dir() and each.name[0] != "."}
    classes = [name for name, files in folders.items() if files]
    if len(classes) < 2:
        has = f"images of one class only, {classes[0]!r}" if classes else "no images in folders"
        raise JaxzcError(f"{root} holds {has}: expected a folder for each of two or more classes, with {', '.join(SUFFIXES)} files in it")
    files = [file for name in classes for file in folders[name]]
    labels = np.repeat(np.arange(len(classes)), [len(folders[name]) for name in classes])
    return Listing(path, size, classes, files, labels)


def _images_of(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.name[0] != ".")


def draw(count: int, rng: np.random.Generator, text: str) -> Drawn:
    """Draws `count` images of `PATH` or `PATH@HxW` in a random order without replacement.

    Grey images stay grey where all that are read are; otherwise all are RGB. Raises `JaxzcError` as `listing` does, and for too few images,
    a file that is no image, images of several sizes, a channel without any variation.
    """
    listed = listing(text)
    if count > len(listed.files):
        raise JaxzcError(f"{listed.path} has {len(listed.files)} images, {count} were asked for: lower batch_size or batches")
    order = rng.permutation(len(listed.files))
    chosen = order[: max(count, POOL)]
    images = _read([listed.files[index] for index in chosen], listed)
    mean, std = (value / 255 for value in pixels.statistics(images[:POOL]))
    if not (std > 0).all():
        raise JaxzcError(f"a channel of the images in {listed.path} is constant and cannot be normalised: choose other images")
    constants = " and ".join(f"{word} {np.round(value, 4).tolist()}" for word, value in (("mean", mean), ("std", std)))
    notes = f"classes {', '.join(listed.classes)}; {constants} of the first {min(POOL, len(images)):,} images drawn"
    if listed.size is not None:
        notes += f"; scaled to {listed.size[0]}x{listed.size[1]}, bilinear"
    return Drawn(pixels.normalise(images[:count], mean, std), listed.labels[chosen[:count]], len(listed.classes), notes)


def _read(files: Sequence[Path], listed: Listing) -> np.ndarray:
    """uint8 `[N, H, W, C]`, C = 1 where every image is grey."""
    images = [_open(file, listed.size) for file in files]
    channels = max(image.shape[2] for image in images)
    first = images[0].shape[:2]
    for file, image in zip(files, images, strict=True):
        if image.shape[:2] != first:
            sizes = (f"{name.name} is {'x'.join(map(str, shape))}" for name, shape in ((files[0], first), (file, image.shape[:2])))
            raise JaxzcError(
                f"the images in {listed.path} have several sizes ({' and '.join(sizes)}): have them scaled, folder:{listed.path}@32x32"
            )
    return np.stack([image if image.shape[2] == channels else image.repeat(channels, 2) for image in images])


def _open(file: Path, size: tuple[int, int] | None) -> np.ndarray:
    """One image as uint8 `[H, W, C]`, C 1 (grey) or 3."""
    from PIL import Image, UnidentifiedImageError  # a tenth of a second that only this source needs

    try:
        with Image.open(file) as image:
            grey = image.mode in ("1", "L", "LA")
            image = image.convert("L" if grey else "RGB")
            if size is not None:
                image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
            return np.asarray(image).reshape(image.height, image.width, -1)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise JaxzcError(f"{file} cannot be read as an image ({error}): remove it or replace it") from error
