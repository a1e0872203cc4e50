"""Ingredients are made once, and mistakes name who asked."""

import inspect
import math
from collections import Counter
from functools import partial
from typing import Any

import pytest

from jaxzc.definitions.facts import (
    IngredientFacts,
    Passes,
    WithIngredients,
    ingredient,
    ingredient_facts,
    proxy,
    proxy_facts,
    with_settings,
)
from jaxzc.definitions.resolver import Need, Resolver
from jaxzc.definitions.signatures import needs, settings
from jaxzc.ingredients import RESOLVER, ROOTS
from jaxzc.proxies import PROXIES
from jaxzc.scoring.results import to_float
from jaxzc.types import JaxzcError

CALLS: Counter[str] = Counter()


@ingredient(a=Passes(forward=1), b=Passes(forward=1, backward=1), never=Passes(backward=1))
def pass_over(root: int, *, wanted: frozenset[str]) -> dict[str, Any]:
    CALLS["pass_over"] += 1
    if "never" in wanted:
        raise JaxzcError("never works")
    return {"a": root + 1, "b": root + 2}


@ingredient(c=Passes(forward=2))
def further(a: int, root: int, *, wanted: frozenset[str]) -> dict[str, Any]:
    CALLS["further"] += 1
    CALLS.update(wanted)
    return {"c": 10 * a + root}


@ingredient()
def broken(c: int) -> int:
    raise JaxzcError("needs something else")


@ingredient()
def drawn(root: int, *, draws: int = 2) -> int:
    CALLS["drawn"] += 1
    return 100 * draws + root


@ingredient(lambda draws, size: Passes(forward=draws, examples=size))
def counted(drawn: int, a: int, *, size: int = 3) -> int:
    CALLS["counted"] += 1
    return drawn * size


TOY = Resolver([pass_over, further, broken, drawn, counted], ("root", "absent"))


def only_a(a: int) -> int:
    return a


def a_and_b(a: int, b: int, *, times: int = 3) -> int:
    return times * (a + b)


def deep(c: int, b: int, /) -> int:
    return c - b


@pytest.fixture(autouse=True)
def nothing_called() -> None:
    CALLS.clear()


def test_each_ingredient_is_made_once() -> None:
    made = TOY.run({"one": only_a, "two": a_and_b, "three": deep, "again": only_a}, {"root": 5})
    assert made == {"one": 6, "two": 3 * 13, "three": 65 - 7, "again": 6}
    assert CALLS == {"pass_over": 1, "further": 1, "c": 1}


def test_nothing_is_made_that_nobody_asked_for() -> None:
    assert TOY.run({"zero": lambda: 1, "root": lambda root: root}, {"root": 5}) == {"zero": 1, "root": 5}
    assert not CALLS


def test_needs_are_positional_and_settings_are_keywords() -> None:
    assert (needs(a_and_b), settings(a_and_b)) == (("a", "b"), {"times": 3})
    assert (needs(deep), settings(deep)) == (("c", "b"), {})
    assert needs(PROXIES["naswot"]) == ("relu_kernels", "relu_counts", "relu_hooks")
    assert settings(PROXIES["sweet_gradsign"]) == {"interval": (1e-4, 5e-4), "signed_gate": True}


def test_who_needs_what() -> None:
    assert TOY.wanted({"one": only_a, "three": deep}) == {"a": ["one", "three"], "root": ["one", "three"], "c": ["three"], "b": ["three"]}
    costs = [TOY.cost(Need(name)) for name in ("root", "b", "c")]
    assert costs == [Passes(), Passes(forward=1, backward=1), Passes(forward=2)]


def test_an_unknown_ingredient_is_named_with_the_known_ones() -> None:
    def proxy(a: int, gradients: int) -> int:
        return a

    known = "a, absent, b, broken, c, counted, drawn, never, root"
    expected = f"proxy 'mine' asks for an ingredient 'gradients', which does not exist; known ingredients: {known}"
    with pytest.raises(JaxzcError, match=expected):
        TOY.run({"mine": proxy}, {"root": 5})

    @ingredient()
    def x(nothing: int) -> int:
        return nothing

    with pytest.raises(JaxzcError, match=r"ingredient 'x' asks for an ingredient 'nothing', which does not exist; known ingredients: x"):
        Resolver([x], ()).wanted({"mine": lambda x: x})


def test_an_ingredient_that_is_not_given_is_named() -> None:
    with pytest.raises(JaxzcError, match=r"^mine: the ingredient 'absent' is not known where the network runs"):
        TOY.run({"one": only_a, "mine": lambda a, absent: a}, {"root": 5})


def test_an_error_names_the_proxies_that_asked() -> None:
    with pytest.raises(JaxzcError, match=r"^mine, other: needs something else$"):
        TOY.run({"one": only_a, "mine": lambda broken: broken, "other": lambda broken, a: a, "three": deep}, {"root": 5})


def test_an_error_does_not_name_those_who_only_share_the_pass() -> None:
    with pytest.raises(JaxzcError, match=r"^mine: never works$"):
        TOY.run({"one": only_a, "mine": lambda b, never: b, "three": deep}, {"root": 5})


def test_reasons_stand_in_for_errors() -> None:
    @ingredient()
    def wrong(a: int) -> int:
        raise TypeError("not an integer\nat all")

    proxies = {"mine": lambda b, never: b, "three": deep, "two": lambda broken: broken, "own": lambda wrong: wrong, "one": only_a}
    reasons: dict[str, str] = {}
    scores = TOY.extended([wrong]).run(proxies, {"root": 5}, reasons)
    assert (scores["three"], scores["one"]) == (58, 6)
    assert all(math.isnan(to_float(scores[name])) for name in ("mine", "two", "own"))
    assert reasons == {"mine": "never works", "two": "needs something else", "own": "TypeError: not an integer"}
    with pytest.raises(TypeError, match="not an integer"):
        TOY.extended([wrong]).run(proxies | {"mine": only_a, "two": only_a}, {"root": 5})


def test_the_error_of_a_proxy_names_it() -> None:
    def picky(a: int) -> int:
        raise JaxzcError("a is wrong")

    with pytest.raises(JaxzcError, match=r"^mine: a is wrong$"):
        TOY.run({"one": only_a, "mine": picky}, {"root": 5})


# Settings of ingredients.


def count(counted: int) -> int:
    return counted


def halved(counted: int, *, draws: int = 4) -> float:
    return counted / draws


def test_settings_of_ingredients_are_settings_of_the_proxy() -> None:
    assert TOY.settings(count) == {"draws": 2, "size": 3}
    assert TOY.settings(with_settings(count, size=5)) == {"draws": 2, "size": 5}
    assert TOY.settings(halved) == {"draws": 4, "size": 3}  # its own default goes before the ingredient's
    assert TOY.settings(a_and_b) == {"times": 3}


def test_what_is_set_reaches_the_ingredient_and_its_ingredients() -> None:
    proxies = {
        "default": count,
        "more": with_settings(count, draws=5),
        "wide": with_settings(count, size=7),
        "own": halved,
        "set": with_settings(halved, draws=1),
    }
    scores = TOY.run(proxies, {"root": 1})
    assert scores == {"default": 201 * 3, "more": 501 * 3, "wide": 201 * 7, "own": 401 * 3 / 4, "set": 101 * 3}


def test_equal_settings_share_an_ingredient_and_others_do_not() -> None:
    TOY.run({"default": count, "same": with_settings(count, draws=2, size=3), "as": lambda counted: counted}, {"root": 1})
    assert CALLS == {"drawn": 1, "counted": 1, "pass_over": 1}
    CALLS.clear()
    TOY.run({"default": count, "wide": with_settings(count, size=7), "more": with_settings(count, draws=5)}, {"root": 1})
    assert CALLS == {"drawn": 2, "counted": 3, "pass_over": 1}


def test_costs_follow_the_settings() -> None:
    (need,) = TOY.direct(with_settings(count, draws=5))
    assert TOY.cost(need) == Passes(forward=5, examples=3)
    assert [[need.name for need in call] for call in TOY.calls({"both": lambda a, b, counted: a})] == [["a", "b"], ["counted"], ["drawn"]]


def test_an_ingredient_that_is_handed_in_has_no_settings() -> None:
    assert TOY.run({"default": count, "more": with_settings(count, draws=5)}, {"root": 1, "drawn": 9}) == {"default": 27, "more": 27}


def test_a_setting_that_nobody_has_is_refused() -> None:
    with pytest.raises(JaxzcError, match=r"^proxy 'mine' has no setting 'drows': known are draws, size$"):
        TOY.run({"mine": with_settings(count, drows=5)}, {"root": 1})
    with pytest.raises(JaxzcError, match=r"^draws=\{\}: a setting of an ingredient is a number, text or a tuple of these$"):
        TOY.run({"mine": with_settings(count, draws={})}, {"root": 1})


def test_different_defaults_of_one_setting_need_a_word() -> None:
    @ingredient()
    def other(root: int, *, draws: int = 9) -> int:
        return draws

    resolver = TOY.extended([other])
    with pytest.raises(JaxzcError, match=r"proxy 'mine' needs ingredients with different defaults of the setting 'draws' \(2 and 9\)"):
        resolver.run({"mine": lambda drawn, other: 0}, {"root": 1})

    def says(drawn: int, other: int, *, draws: int = 3) -> int:
        return 100 * drawn + other

    assert resolver.run({"mine": says}, {"root": 1}) == {"mine": 30103}


# Ingredients of one's own.


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


def test_refusals_of_ingredients() -> None:
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
def test_refusals_of_facts(facts: dict[str, Any], message: str) -> None:
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
