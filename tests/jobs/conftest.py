"""Fixtures of the jobs' tests."""

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled programs, so that each process compiles nothing that another has compiled."""
    return tmp_path_factory.mktemp("cache")
