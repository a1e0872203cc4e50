"""Fixtures of the tests of proxies' and ingredients' definitions."""

import pytest

from tests.support.toy_ingredients import CALLS


@pytest.fixture(autouse=True)
def nothing_called() -> None:
    CALLS.clear()
