"""Ingredients are made once, nothing is made that nobody asked for, and mistakes name who asked."""

import math

import pytest

from jaxzc.definitions.facts import (
    Passes,
    ingredient,
)
from jaxzc.definitions.resolver import Need, Resolver
from jaxzc.definitions.signatures import needs, settings
from jaxzc.proxies import PROXIES
from jaxzc.scoring.results import to_float
from jaxzc.types import JaxzcError
from tests.support.toy_ingredients import CALLS, TOY, a_and_b, deep, only_a


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
