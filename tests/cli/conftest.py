"""Fixtures of the command line's tests."""

import pytest

from jaxzc.search.job import run as job


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pictures of a search: they take longer than searching in a table."""
    monkeypatch.setattr(job, "_draw", lambda *_: None)
