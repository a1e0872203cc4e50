"""Ingredients are made once, and mistakes name who asked."""

from collections import Counter
from typing import Any

import pytest

from jaxzc.ingredients import RESOLVER, ROOTS
from jaxzc.proxies import PROXIES
from jaxzc.resolver import Resolver, makes, needs, settings
from jaxzc.types import JaxzcError

CALLS: Counter[str] = Counter()


@makes(a="F", b="F + B", never="B")
def pass_over(root: int, *, wanted: frozenset[str]) -> dict[str, Any]:
    CALLS["pass_over"] += 1
    if "never" in wanted:
        raise JaxzcError("never works")
    return {"a": root + 1, "b": root + 2}


@makes(c="2F")
def further(a: int, root: int, *, wanted: frozenset[str]) -> dict[str, Any]:
    CALLS["further"] += 1
    CALLS.update(wanted)
    return {"c": 10 * a + root}


@makes(broken="")
def breaks(c: int, *, wanted: frozenset[str]) -> dict[str, Any]:
    raise JaxzcError("needs something else")


TOY = Resolver([pass_over, further, breaks], {"root": "", "absent": ""})


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
    assert CALLS == {"pass_over": 1, "further": 1, "a": 1, "b": 1, "c": 1, "root": 1}


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
    assert (TOY.cost("root"), TOY.cost("b"), TOY.cost("c")) == ("", "F + B", "2F")


def test_an_unknown_ingredient_is_named_with_the_known_ones() -> None:
    def proxy(a: int, gradients: int) -> int:
        return a

    expected = (
        r"proxy 'mine' asks for an ingredient 'gradients', which does not exist; known ingredients: a, absent, b, broken, c, never, root"
    )
    with pytest.raises(JaxzcError, match=expected):
        TOY.run({"mine": proxy}, {"root": 5})

    @makes(x="")
    def asks(nothing: int, *, wanted: frozenset[str]) -> dict[str, Any]:
        return {}

    with pytest.raises(JaxzcError, match=r"ingredient 'x' asks for an ingredient 'nothing', which does not exist; known ingredients: x"):
        Resolver([asks], {}).wanted({"mine": lambda x: x})


def test_an_ingredient_that_is_not_given_is_named() -> None:
    with pytest.raises(JaxzcError, match=r"^mine: the ingredient 'absent' is not known where the network runs"):
        TOY.run({"one": only_a, "mine": lambda a, absent: a}, {"root": 5})


def test_an_error_names_the_proxies_that_asked() -> None:
    with pytest.raises(JaxzcError, match=r"^mine, other: needs something else$"):
        TOY.run({"one": only_a, "mine": lambda broken: broken, "other": lambda broken, a: a, "three": deep}, {"root": 5})


def test_an_error_does_not_name_those_who_only_share_the_pass() -> None:
    with pytest.raises(JaxzcError, match=r"^mine: never works$"):
        TOY.run({"one": only_a, "mine": lambda b, never: b, "three": deep}, {"root": 5})


def test_the_error_of_a_proxy_names_it() -> None:
    def picky(a: int) -> int:
        raise JaxzcError("a is wrong")

    with pytest.raises(JaxzcError, match=r"^mine: a is wrong$"):
        TOY.run({"one": only_a, "mine": picky}, {"root": 5})


def test_every_ingredient_of_the_library_has_one_maker_and_known_needs() -> None:
    names = [name for maker in set(map(id, RESOLVER.maker.values())) for m in RESOLVER.maker.values() if id(m) == maker for name in m.makes]
    assert set(names) == set(RESOLVER.maker)
    assert not set(ROOTS) & set(RESOLVER.maker)
    RESOLVER.wanted({name: lambda *values: values for name in PROXIES} | PROXIES)
    for name, maker in RESOLVER.maker.items():
        assert maker.function.__doc__ or name.startswith("synflow")
        assert set(maker.needs) <= set(RESOLVER.known)
