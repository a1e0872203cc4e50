"""Docstrings are those that were written where Python keeps none (`python -OO`)."""

import inspect

import pytest

import jaxzc
import jaxzc.definitions.docstrings as module
from jaxzc.catalogue.cards import card
from jaxzc.catalogue.spaces import maker, spaces
from jaxzc.definitions.docstrings import docstring
from jaxzc.proxies import PROXIES


@pytest.mark.parametrize("name", PROXIES)
def test_cards_without_docstrings_are_the_same(name, monkeypatch):
    written = card(PROXIES[name])
    assert written.title
    monkeypatch.setattr(PROXIES[name], "__doc__", None)
    assert card(PROXIES[name]) == written


def test_spaces_and_modules_without_docstrings(monkeypatch):
    for item in [*map(maker, spaces()), module, jaxzc.JaxzcError]:
        written = inspect.getdoc(item)
        assert written
        assert docstring(item) == written
        monkeypatch.setattr(item, "__doc__", None)
        assert docstring(item) == written


def test_items_without_a_docstring_or_a_file():
    def bare() -> None:
        pass

    assert docstring(bare) == ""
    made = eval("lambda x: x", {})
    assert docstring(made) == ""
