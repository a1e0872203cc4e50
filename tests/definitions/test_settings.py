"""Settings of ingredients are settings of the proxies that ask for them."""

import pytest

from jaxzc.definitions.facts import (
    Passes,
    ingredient,
    with_settings,
)
from jaxzc.types import JaxzcError
from tests.support.toy_ingredients import CALLS, TOY, a_and_b, count, halved


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
