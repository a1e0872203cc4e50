"""Ingredients and proxies of whole numbers, and how often each ingredient was made."""

from collections import Counter
from typing import Any

from jaxzc.definitions.facts import (
    Passes,
    ingredient,
)
from jaxzc.definitions.resolver import Resolver
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


def count(counted: int) -> int:
    return counted


def halved(counted: int, *, draws: int = 4) -> float:
    return counted / draws
