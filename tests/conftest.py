"""Settings of the whole suite."""

import os
from collections.abc import Iterator
from pathlib import Path

# Tests compile hundreds of programs and run each once: without XLA's costly passes that takes half the time.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

import jax
import pytest


@pytest.fixture(autouse=True)
def same_precision() -> Iterator[None]:
    """64-bit types are as they were after every test."""
    before = jax.config.jax_enable_x64  # type: ignore[attr-defined]
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
