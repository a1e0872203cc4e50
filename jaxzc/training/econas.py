"""EcoNAS's proxy: networks trained for a short while, at low resolution, thin, on part of the data; what zero-cost proxies compete with.

Source: Zhou et al., EcoNAS: Finding Proxies for Economical Neural Architecture Search, CVPR 2020, which reduces channels (c), resolution
(r), epochs (e) and the share of images (s). The defaults of resolution, channels and epochs are those with which Abdelfattah et al.,
Zero-Cost Proxies for Lightweight NAS, ICLR 2021, ran it on NAS-Bench-201: r8, c4, 20 epochs (Spearman 0.61 over CIFAR-10). Channels belong
to the space; resolution and images are the task's, epochs the trainer's.
"""

from typing import Any

import jax
import numpy as np

from jaxzc.catalogue.costs import training_flops
from jaxzc.training import augment
from jaxzc.training.scanned import ShortTraining, TrainingData
from jaxzc.types import Array, Batch, JaxzcError

RESOLUTION, CHANNELS, EPOCHS = 8, 4, 20
HELD_OUT = "held_out"
"""The split on which accuracy is measured."""


def reduce_resolution(images: np.ndarray, resolution: int) -> np.ndarray:
    """Images `[N, H, W, C]` made `[N, resolution, resolution, C]`: every pixel is the mean of a box of whole pixels, so that nothing is
    interpolated. Square images whose side is no multiple of the resolution raise `JaxzcError`."""
    n, height, width, channels = images.shape
    factor = height // resolution
    if height != width or factor < 1 or height % resolution:
        raise JaxzcError(f"images of {height}x{width} cannot be averaged down to {resolution}x{resolution}: give a divisor of their side")
    return images.reshape(n, resolution, factor, resolution, factor, channels).mean((2, 4), dtype=images.dtype)


def training_data(batch: Batch, held_out: int, *, flip: bool = True) -> TrainingData:
    """Training on all but the last `held_out` images of `batch`, whose accuracy counts.

    Every step shifts its images by up to an eighth of their side (NAS-Bench-201's crop: 4 of 32 pixels), zeros moving in, and mirrors half
    of them (`flip`). Held-out images are left as they are. Raises `JaxzcError` where no image is left to train on.
    """
    if not 1 <= held_out < len(batch.targets):
        raise JaxzcError(f"held_out is {held_out} of {len(batch.targets)} images: keep one at least to train on, and one to test on")
    train, last = (Batch(*(part[cut] for part in batch)) for cut in (slice(-held_out), slice(-held_out, None)))
    margin = max(1, batch.inputs.shape[1] // 8)

    def distort(key: Array, images: Array) -> Array:
        corner_key, flip_key = jax.random.split(key)
        images = augment.crop(corner_key, images, margin)
        return augment.flip(flip_key, images) if flip else images

    return TrainingData(train, {HELD_OUT: last}, distort)


def settings(
    training_data: TrainingData,
    epochs: int,
    *,
    batch_size: int = ShortTraining.batch_size,
    learning_rate: float = ShortTraining.learning_rate,
) -> ShortTraining:
    """Settings for as many whole batches as `epochs` hold, rounded up; momentum and weight decay are NAS-Bench-201's."""
    steps = -(-epochs * len(training_data.train.targets) // batch_size)
    return ShortTraining(steps=steps, batch_size=batch_size, learning_rate=learning_rate)


def flops(forward_flops: Any, settings: ShortTraining) -> Any:
    """FLOPs (multiply-accumulates) of training one architecture; measuring its accuracy comes on top and is left out."""
    return training_flops(forward_flops, settings.steps * settings.batch_size)
