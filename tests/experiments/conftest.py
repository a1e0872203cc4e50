"""Landscapes of 3,125 architectures with accuracies of our making, and a noisy proxy of them."""

import numpy as np
import pytest

from jaxzc.experiments.landscape import landscape
from tests.support.landscapes import SPACE

WORTH = np.random.default_rng(3).normal(size=(6, 5))


@pytest.fixture(scope="module")
def land():
    """3,125 architectures (the last edge is none) with additive accuracies, and a noisy proxy of them."""
    archs = SPACE.enumerate()
    archs = archs[archs[:, 5] == 0]
    strings = [SPACE.to_string(a) for a in archs]
    accuracy = WORTH[np.arange(6), archs].sum(1)
    noisy = accuracy + np.random.default_rng(0).normal(size=len(archs)) * accuracy.std() / 2
    return landscape(SPACE, dict(zip(strings, accuracy, strict=True)), {"noisy": dict(zip(strings, noisy, strict=True))})


@pytest.fixture(scope="module")
def symmetric():
    """3,125 architectures whose accuracy is a sum of their operations' worths, which a graph shows wherever they stand."""
    archs = SPACE.enumerate()
    archs = archs[archs[:, 5] == 3]
    strings = [SPACE.to_string(a) for a in archs]
    accuracy = np.array([-2.0, 0.3, 1.1, 2.4, -0.7])[archs].sum(1) + 1e-3 * np.random.default_rng(0).normal(size=len(archs))
    noisy = accuracy + np.random.default_rng(1).normal(size=len(archs)) * accuracy.std() / 2
    return landscape(SPACE, dict(zip(strings, accuracy, strict=True)), {"noisy": dict(zip(strings, noisy, strict=True))})
