"""Fixtures of the tests of compilation."""

from collections.abc import Iterator

import pytest

from jaxzc._compile import pieces


@pytest.fixture
def none_at_hand() -> Iterator[None]:
    """The process holds no compiled piece, before and after."""
    pieces.HELD.clear()
    yield
    pieces.HELD.clear()
