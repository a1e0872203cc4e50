"""From proxies to one traced function: each proxy's argument names say what it needs, and each need is computed once.

A proxy is a pure function; its positional argument names are *ingredients*, its keyword-only arguments are settings. An ingredient is made
by a *maker*, a function of the same shape that may make several ingredients in one pass over the network (one backward pass gives the loss
gradients, and with them the activation gradients): it is told by its keyword `wanted` which of them somebody asked for.
"""

import inspect
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

import jax

from jaxzc.types import JaxzcError

Proxy = Callable[..., Any]


class Maker(NamedTuple):
    """A function that makes ingredients; `makes` maps each one's name to its cost in passes (see `Passes`)."""

    function: Callable[..., dict[str, Any]]
    needs: tuple[str, ...]
    makes: Mapping[str, str]


def needs(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the positional arguments of a proxy or maker: the ingredients it asks for."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(name for name, p in inspect.signature(function).parameters.items() if p.kind in kinds)


def settings(function: Callable[..., Any]) -> dict[str, Any]:
    """Keyword-only arguments of a proxy and their defaults: the settings that change its value."""
    return {n: p.default for n, p in inspect.signature(function).parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}


def makes(**ingredients: str) -> Callable[[Callable[..., dict[str, Any]]], Maker]:
    """Decorator: this function returns a dict with (at least the wanted ones of) these ingredients. The value is the cost in passes over
    the network: F a forward, B a backward pass of one batch; "" costs none."""

    def wrap(function: Callable[..., dict[str, Any]]) -> Maker:
        return Maker(function, needs(function), ingredients)

    return wrap


class Resolver:
    """Knows every ingredient and its maker; plans and runs what a set of proxies needs."""

    def __init__(self, makers: Iterable[Maker], roots: Mapping[str, str]):
        self.roots = dict(roots)
        self.maker = {name: maker for maker in makers for name in maker.makes}

    @property
    def known(self) -> list[str]:
        return [*self.roots, *self.maker]

    def cost(self, name: str) -> str:
        return self.roots[name] if name in self.roots else self.maker[name].makes[name]

    def wanted(self, proxies: Mapping[str, Proxy]) -> dict[str, list[str]]:
        """Ingredient -> names of the proxies that need it, directly or through another ingredient; raises `JaxzcError` for a name that is
        no ingredient."""
        users: dict[str, list[str]] = {}

        def ask(name: str, proxy: str, asker: str) -> None:
            if name not in self.roots and name not in self.maker:
                raise JaxzcError(
                    f"{asker} asks for an ingredient {name!r}, which does not exist; known ingredients: {', '.join(sorted(self.known))}"
                )
            if proxy in users.setdefault(name, []):
                return
            users[name].append(proxy)
            for need in self.maker[name].needs if name in self.maker else ():
                ask(need, proxy, f"ingredient {name!r}")

        for label, function in proxies.items():
            for name in needs(function):
                ask(name, label, f"proxy {label!r}")
        return users

    def run(self, proxies: Mapping[str, Proxy], roots: Mapping[str, Any], reasons: dict[str, str] | None = None) -> dict[str, Any]:
        """The value of every proxy; each ingredient is made once. `roots` holds the values that no maker makes; an ingredient found among
        them is taken as it is.

        reasons: None: a proxy that cannot be computed is a `JaxzcError`, which names all that fail with it. A dict: its value is NaN, the
        others are computed, and the dict is told the reason by the proxy's label.
        """
        users = self.wanted(proxies)
        wanted = set(users)
        values = dict(roots)
        failed: dict[str, JaxzcError] = {}

        def get(name: str) -> Any:
            if name in failed:
                raise failed[name]
            if name not in values:
                maker = self.maker[name]
                arguments = [get(need) for need in maker.needs]
                try:
                    values.update({k: v for k, v in maker.function(*arguments, wanted=frozenset(wanted)).items() if k not in roots})
                except Exception as error:
                    if isinstance(error, Warning) or (reasons is None and not isinstance(error, JaxzcError)):
                        raise
                    failing = _failing(maker, arguments, wanted, error)
                    if reasons is None:
                        asked = {label for ingredient in failing for label in users[ingredient]}
                        raise JaxzcError(f"{', '.join(label for label in proxies if label in asked)}: {error}") from error
                    failed.update(failing)
                    wanted.difference_update(failing)
                    return get(name)
            return values[name]

        def value(label: str, function: Proxy) -> Any:
            absent = [root for root in self.roots if root not in roots and label in users.get(root, [])]
            if absent:
                raise JaxzcError(
                    f"{label}: the ingredient {absent[0]!r} is not known where the network runs: a proxy may ask only for it alone"
                )
            arguments = [get(name) for name in needs(function)]
            try:
                return function(*arguments)
            except JaxzcError as error:
                raise JaxzcError(f"{label}: {error}") from error

        scores = {}
        for label, function in proxies.items():
            try:
                scores[label] = value(label, function)
            except JaxzcError as error:
                if reasons is None:
                    raise
                scores[label], reasons[label] = math.nan, str(error).removeprefix(f"{label}: ")
        return scores


def _failing(maker: Maker, arguments: list[Any], wanted: Collection[str], error: Exception) -> dict[str, JaxzcError]:
    """Which of the wanted ingredients the maker cannot make, and why: an error names those who asked for them, and not all who share the
    pass. All of them with `error` where each can be made alone."""
    failing = {}
    asked = [name for name in maker.makes if name in wanted]
    for name in asked:

        def alone(name: str = name) -> int:
            maker.function(*arguments, wanted=frozenset([name]))
            return 0

        try:
            jax.eval_shape(alone)  # of an attempt, nothing enters the program
        except Exception as own:
            failing[name] = _as_reason(own)
    return failing or dict.fromkeys(asked, _as_reason(error))


def _as_reason(error: Exception) -> JaxzcError:
    """Of an error of JAX or of the model, its kind and first line."""
    return error if isinstance(error, JaxzcError) else JaxzcError(f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}")
