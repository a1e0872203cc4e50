"""Ingredients that a proxy brings along or that are handed in, what is refused of them, and those of the library."""

import inspect
from functools import partial
from typing import Any

import pytest

from jaxzc.definitions.facts import (
    IngredientFacts,
    WithIngredients,
    ingredient,
    ingredient_facts,
    proxy,
    proxy_facts,
    with_settings,
)
from jaxzc.definitions.signatures import needs, settings
from jaxzc.ingredients import RESOLVER, ROOTS
from jaxzc.proxies import PROXIES
from jaxzc.types import JaxzcError
from tests.support.toy_ingredients import TOY, only_a


def test_a_proxy_brings_its_ingredients_along() -> None:
    @ingredient()
    def mine(a: int) -> int:
        return -a

    @proxy(direction="lower", ingredients=[mine])
    def lowest(mine: int) -> int:
        return mine

    assert (lowest(4), proxy_facts(lowest).higher_is_better) == (4, False)  # an ordinary function still
    assert TOY.run({"lowest": lowest, "one": only_a}, {"root": 5}) == {"lowest": -6, "one": 6}
    assert "mine" not in TOY.known
    assert proxy_facts(partial(lowest)) is proxy_facts(lowest)
    assert TOY.extended([mine, mine]).run({"any": lambda mine: mine}, {"root": 5}) == {"any": -6}
    handed = WithIngredients(with_settings(lambda mine, *, times: mine * times, times=2), (mine,))
    assert TOY.run({"handed": handed, "both": WithIngredients(lowest, (mine,))}, {"root": 5}) == {"handed": -12, "both": -6}
    assert (needs(handed), settings(handed), proxy_facts(handed).ingredients) == (("mine",), {"times": 2}, (mine,))


def test_unusable_ingredients_are_refused() -> None:
    @ingredient()
    def a(root: int) -> int:
        return root

    with pytest.raises(JaxzcError, match=r"^there is an ingredient 'a' already: give yours another name$"):
        TOY.extended([a])
    with pytest.raises(JaxzcError, match=r"^only_a is not known as an ingredient: write @jaxzc.ingredient"):
        TOY.extended([only_a])

    @ingredient()
    def unset(a: int, *, power: int) -> int:
        return a**power

    resolver = TOY.extended([unset])
    with pytest.raises(JaxzcError, match="ingredient 'unset' has a setting 'power' without a default, which proxy 'mine' does not set"):
        resolver.run({"mine": lambda unset: unset}, {"root": 5})
    assert resolver.run({"mine": with_settings(lambda unset: unset, power=2)}, {"root": 5}) == {"mine": 36}

    @ingredient()
    def again(again: int) -> int:
        return again

    with pytest.raises(JaxzcError, match="ingredient 'again' is made from itself \\(again from again\\)"):
        TOY.extended([again]).wanted({"mine": lambda again: again})


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"direction": "up"}, "direction='up': expected 'higher' or 'lower'"),
        ({"version": 0}, "version=0: expected a whole number of at least 1"),
        ({"version": "2"}, "version='2': expected a whole number"),
        ({"norm": "layer"}, "norm='layer': expected one or several of 'batch', 'init', 'none'"),
    ],
)
def test_unusable_facts_are_refused(facts: dict[str, Any], message: str) -> None:
    with pytest.raises(JaxzcError, match=message):
        proxy(**facts)


def test_every_ingredient_of_the_library_is_documented_and_has_known_needs() -> None:
    assert not set(ROOTS) & set(RESOLVER.functions)
    RESOLVER.wanted({name: lambda *values: 0 for name in PROXIES} | PROXIES)
    for name, function in RESOLVER.functions.items():
        facts = ingredient_facts(function)
        assert isinstance(facts, IngredientFacts)
        assert name in facts.costs
        assert function.__doc__, name
        assert set(needs(function)) <= set(RESOLVER.known)
        assert all(default is not inspect.Parameter.empty for default in settings(function).values()), name
