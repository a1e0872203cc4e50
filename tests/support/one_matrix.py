"""One network without a ReLU and one with, of one matrix, for what needs no real network."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxzc.types import Batch
from tests.support.models import BATCH, CLASSES, IMAGES

LABELS = np.arange(BATCH) % CLASSES
SECOND = Batch(jnp.asarray(np.random.default_rng(2).normal(size=IMAGES.shape).astype(np.float32)), LABELS[::-1].copy())
BATCHES = [(IMAGES, LABELS), SECOND]
# One network without a ReLU, for what needs no real one; a custom loss makes its scores easy to say.
WEIGHTS = {"w": jnp.asarray(np.random.default_rng(3).normal(size=(6, CLASSES)).astype(np.float32))}
FLAT = (np.random.default_rng(4).normal(size=(5, 6)).astype(np.float32), np.array([0, 1, 2, 3, 4]))


def matrix(params: Any, x: Any) -> Any:
    return x @ params["w"]


def rectified(params: Any, x: Any) -> Any:
    return jax.nn.relu(x @ params["w"])


def assert_alike(one: dict[str, float], other: dict[str, float], tolerance: float = 1e-4) -> None:
    assert list(one) == list(other)
    for name, value in one.items():
        # ZiCo divides by differences of gradients that may be small
        assert other[name] == pytest.approx(value, rel=100 * tolerance if "zico" in name else tolerance, abs=1e-6, nan_ok=True), name
