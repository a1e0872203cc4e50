"""Fixtures of the ingredients' tests."""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(params=[False, True], ids=["float32", "float64"])
def tolerance(request: pytest.FixtureRequest) -> Iterator[float]:
    with jax.enable_x64(request.param):
        yield 1e-10 if request.param else 2e-5
