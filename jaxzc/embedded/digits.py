"""The embedded benchmark's task: scikit-learn's 8x8 digits, shifted and cluttered, on thin and shallow NAS-Bench-201 networks.

So that accuracies do not crowd at the top, another digit shines through every image at 0.6 of the contrast, both are shifted by up to a
pixel each way, noise is added, and the network is as narrow as its 200 steps of training are few. Training sees new distortions in every
step; the images on which accuracy is measured are distorted once, in several copies, because a few hundred images alone do not tell two
good networks apart.

Of the 500 architectures shipped, test accuracies (mean of three seeds) reach from 10.0 to 74.6 %, median 64.3 %; the middle 80 % span 13
points, and 6 % lie within 5 points of the best. The seeds of a network have a standard deviation of 2.8 points; Spearman's rho of two
seeds is 0.70, and 0.87 is expected between two means of three seeds. Params and FLOPs reach 0.41. In a pilot of 36 architectures and 2
seeds, averaging the weights over the second half of training changed nothing, and networks of two cells, for 1.5 to 2 times the time, had
0.80 where these had 0.71; with so few, rho is uncertain by 0.1.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxzc.catalogue import spaces
from jaxzc.data import digits, pixels
from jaxzc.data.loading import digest
from jaxzc.training import augment
from jaxzc.training.scanned import ShortTraining, TrainingData
from jaxzc.types import Array, Batch, Space

SPACE = "nasbench201"
SPACE_OPTIONS = {"channels": 4, "cells": 1}
"""The network's size: options of the space besides classes and image shape (10 and 8x8x1, which `--data digits` brings along)."""

SETTINGS = ShortTraining(steps=200, batch_size=64, learning_rate=0.2, momentum=0.9, weight_decay=1e-4)
NOISE = 0.3
"""Standard deviation of the normal noise; that of the clean pixels is 1."""
SHIFT = 1
"""Largest shift in pixels, in each direction; what moves in is black."""
CLUTTER = 0.6
"""Contrast of the other digit that shines through; that of the digit whose label is asked for is 1."""
SPLITS = ("train", "validation", "test")
SIZES = (900, 297, 600)
"""Clean images of each split; 1,797 together."""
COPIES = (1, 4, 4)
"""Distorted copies of each split's images, on which accuracy is measured."""
SPLIT_SEED, DISTORTION_SEED, SAMPLE_SEED = 0, 7, 201
VERSIONS = ("jaxzc", "jax", "flax", "optax", "numpy", "scikit-learn")


def split() -> tuple[Batch, Batch, Batch]:
    """Clean training, validation and test images: float32 `[n, 8, 8, 1]`, mean 0 and std 1 over the training images; labels int32 `[n]`.
    Stratified: every split has the classes in the proportions of the whole, as nearly as whole images allow."""
    images, labels = digits.read()
    order = _stratified(labels, np.random.default_rng(SPLIT_SEED))
    images, labels = images[order], labels[order].astype(np.int32)
    mean, std = pixels.statistics(images[: SIZES[0]])
    images = ((images - mean) / std).astype(np.float32)
    first, second = np.cumsum(SIZES)[:2]
    parts = (slice(0, first), slice(first, second), slice(second, None))
    train, validation, test = (Batch(images[part], labels[part]) for part in parts)
    return train, validation, test


def _stratified(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random order, int `[n]`, whose every stretch holds the classes in the proportions of the whole."""
    order = rng.permutation(len(labels))
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        place[members] = (np.arange(len(members)) + rng.random()) / len(members)
    return np.argsort(place, kind="stable")


def distort(key: Array, images: Array) -> Array:
    """Shifts each of the images `[N, H, W, C]` by up to `SHIFT` pixels each way, lets another of them, shifted too, shine through, and adds
    noise. N >= 2."""
    shift_key, noise_key, clutter_key, turn_key = jax.random.split(key, 4)
    black = images.min()  # the smallest value of any image
    others = jnp.roll(images, jax.random.randint(turn_key, (), 1, len(images)), axis=0)
    images = augment.crop(shift_key, images, SHIFT, black) + CLUTTER * (augment.crop(clutter_key, others, SHIFT, black) - black)
    return images + NOISE * jax.random.normal(noise_key, images.shape, images.dtype)


def training_data() -> TrainingData:
    clean = split()
    keys = jax.random.split(jax.random.key(DISTORTION_SEED), len(SPLITS))
    return TrainingData(clean[0], {name: _distorted(keys[k], clean[k], COPIES[k]) for k, name in enumerate(SPLITS)}, distort)


def _distorted(key: Array, clean: Batch, copies: int) -> Batch:
    images = jnp.tile(clean.inputs, (copies, 1, 1, 1))
    return Batch(np.asarray(distort(key, images)), np.tile(clean.targets, copies))


def space() -> Space:
    """The search space with the benchmark's network."""
    return spaces.space(SPACE, classes=10, inputs=(8, 8, 1), **SPACE_OPTIONS)


def architectures(space: Space, count: int) -> np.ndarray:
    """`count` architectures `[count, genes]` of distinct isomorphism classes (all classes, where there are fewer). They are drawn uniformly
    and without replacement from the whole space; one whose class was drawn before is dropped. A longer list begins with every shorter."""
    everything = space.enumerate()
    order = np.random.default_rng(SAMPLE_SEED).permutation(len(everything))
    _, first = np.unique(space.canonical(everything[order]), axis=0, return_index=True)
    return everything[order[np.sort(first)[:count]]]


def facts() -> dict[str, Any]:
    """What the task is, as JSON."""
    return {
        "images": "scikit-learn's digits",
        "digest_of_clean_images": digest(split()),
        "noise": NOISE,
        "shift": SHIFT,
        "clutter": CLUTTER,
        "copies": list(COPIES),
        "sizes": list(SIZES),
        "split_seed": SPLIT_SEED,
        "distortion_seed": DISTORTION_SEED,
        "sample_seed": SAMPLE_SEED,
        "seeding": "one seed is the same weights, batches and distortions for every architecture",
        "normalisation": "batch statistics of the whole split (transductive)",
    }
