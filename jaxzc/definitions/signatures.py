"""What the signature of a proxy, or of an ingredient's function, says: the ingredients that it asks for, and its settings."""

import inspect
from collections.abc import Hashable, Iterable
from typing import Any

from jaxzc.definitions.facts import Ingredient, Proxy, parts
from jaxzc.types import JaxzcError

WANTED = "wanted"
"""The keyword by which a function of several ingredients is told which of them are asked for."""


def needs(function: Proxy | Ingredient) -> tuple[str, ...]:
    """Names of the positional arguments of a proxy or of an ingredient's function: the ingredients it asks for."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    function, bound, _ = parts(function)
    return tuple(name for name, p in inspect.signature(function).parameters.items() if p.kind in kinds)[len(bound) :]


def settings(function: Proxy | Ingredient) -> dict[str, Any]:
    """Keyword-only arguments of a function and their values: the settings that are its own (`Resolver.settings` has all of a proxy)."""
    function, _, chosen = parts(function)
    own = {n: p.default for n, p in inspect.signature(function).parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}
    return {name: chosen.get(name, default) for name, default in own.items() if name != WANTED}


def joined(parts: Iterable[Iterable[tuple[str, Any]]], asker: str) -> dict[str, Any]:
    """Settings of several ingredients; raises `JaxzcError` where two have different defaults of one that nobody sets."""
    common: dict[str, Any] = {}
    for name, value in (pair for part in parts for pair in part):
        if common.setdefault(name, value) != value:
            raise JaxzcError(
                f"{asker} needs ingredients with different defaults of the setting {name!r} ({common[name]!r} and {value!r}): "
                f"give the proxy a keyword-only argument {name}, which is then handed to both"
            )
    return common


def hashable(setting: str, value: object) -> Hashable:
    """The value of an ingredient's setting in a form that can be hashed, so that calls with equal settings are recognised. Raises
    `JaxzcError` where there is none."""
    value = tuple(value) if isinstance(value, list) else value
    try:
        hash(value)
    except TypeError:
        raise JaxzcError(f"{setting}={value!r}: a setting of an ingredient is a number, text or a tuple of these") from None
    return value


def name_of(function: Proxy | Ingredient) -> str:
    return getattr(parts(function)[0], "__name__", repr(function))
