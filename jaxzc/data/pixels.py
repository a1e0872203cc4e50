"""What the sources share: drawn images, and pixels made zero-mean by exact arithmetic."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

CIFAR10_MEAN, CIFAR10_STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
"""On the [0, 1] scale, as in kuangliu/pytorch-cifar and zero-cost-nas. (The std is the mean over images of each image's own std;
the std over all pixels is .2470, .2435, .2616. The published scores used the former.)"""
CIFAR100_MEAN, CIFAR100_STD = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)
"""Mean and std over all pixels of the CIFAR-100 training images, on the [0, 1] scale."""
IMAGENET16_MEAN, IMAGENET16_STD = (122.68 / 255, 116.66 / 255, 104.01 / 255), (63.22 / 255, 61.26 / 255, 65.09 / 255)
"""ImageNet16 as NAS-Bench-201's own training code normalises it (D-X-Y/AutoDL-Projects, xautodl/datasets/get_dataset_with_transform.py)."""


class Drawn(NamedTuple):
    """Images float32 `[count, H, W, C]`, normalised; labels int32 `[count]`; number of classes; how the images were made. Of a text, tokens
    int32 `[count, steps]` and those that follow."""

    images: np.ndarray
    labels: np.ndarray
    classes: int
    notes: str


Source = Callable[[int, np.random.Generator], Drawn]
"""Draws `count` images with a generator; the first images drawn do not depend on `count`."""


def normalise(images: np.ndarray, mean: Sequence[float] | np.ndarray, std: Sequence[float] | np.ndarray) -> np.ndarray:
    """uint8 `[..., C]` -> float32 `[..., C]`: scaled to [0, 1], minus `mean`, over `std` (per channel, or one number)."""
    scaled = images.astype(np.float32) / np.float32(255)
    return (scaled - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)


def statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and std `[C]` (float64) of whole numbers `[..., C]`, such as uint8 pixels.

    The sums are whole numbers below 2**53, exact in any order, so that the result is the same on every machine.
    """
    axes = tuple(range(images.ndim - 1))
    pixels = images.astype(np.float64)
    count = images.size // images.shape[-1]
    mean = pixels.sum(axes) / count
    return mean, np.sqrt(np.square(pixels).sum(axes) / count - mean**2)
