"""From proxies to one traced function: each proxy's argument names say what it needs, and each need is computed once.

A proxy is a pure function; its positional argument names are *ingredients*, its keyword-only arguments are settings. An ingredient comes
from a function of the same form, which may give several in one pass over the network (one backward pass gives the loss gradients, and with
them the activation gradients). What each is called and costs stands on the function (`jaxzc.definitions.facts`).

Settings: a proxy has its own, and those of all ingredients that it is made from. What is set goes to whoever has a setting of that name.
Two proxies that set an ingredient differently each get an ingredient of their own; equal settings share one.
"""

import inspect
import math
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxzc.definitions.facts import Ingredient, Passes, Proxy, ingredient_facts, parts, proxy_facts
from jaxzc.definitions.signatures import WANTED, hashable, joined, name_of, needs, settings
from jaxzc.types import JaxzcError, PyTree, Score


class Need(NamedTuple):
    """An ingredient with its settings, sorted by name. Settings of the ingredients from which it is computed are among them."""

    name: str
    settings: tuple[tuple[str, Any], ...] = ()


class Resolver:
    """Finds ingredients by name, and computes what proxies ask for.

    functions: all functions that make ingredients (`jaxzc.ingredient`). roots: names of the values that the caller provides. Raises
    `JaxzcError` where two ingredients have one name.
    """

    def __init__(self, functions: Iterable[Ingredient], roots: Iterable[str]):
        self.roots = tuple(roots)
        self.functions: dict[str, Ingredient] = {}
        for function in functions:
            for name in ingredient_facts(function).costs:
                if name in self.roots or self.functions.setdefault(name, function) is not function:
                    raise JaxzcError(f"there is an ingredient {name!r} already: give yours another name")

    @property
    def known(self) -> list[str]:
        return [*self.roots, *self.functions]

    def extended(self, functions: Iterable[Ingredient]) -> "Resolver":
        """A resolver that knows these ingredients as well."""
        further = [f for f in functions if f not in self.functions.values()]
        return Resolver([*dict.fromkeys(self.functions.values()), *further], self.roots) if further else self

    def with_those_of(self, proxies: Iterable[Proxy]) -> "Resolver":
        """A resolver that also knows the ingredients which these proxies bring along."""
        return self.extended(dict.fromkeys(function for proxy in proxies for function in proxy_facts(proxy).ingredients))

    def cost(self, need: Need) -> Passes:
        """The cost of the function that makes the ingredient. The ingredients that it asks for have costs of their own."""
        if need.name not in self.functions:
            return Passes()
        cost = ingredient_facts(self.functions[need.name]).costs[need.name]
        if isinstance(cost, Passes):
            return cost
        chosen = dict(need.settings)
        return cost(**{name: chosen[name] for name in inspect.signature(cost).parameters})

    def settings(self, proxy: Proxy) -> dict[str, Any]:
        """Setting -> value: first the proxy's own settings, then the settings of all ingredients that the proxy needs."""
        direct = self.with_those_of([proxy]).direct(proxy)
        return settings(proxy) | {name: value for need in direct for name, value in need.settings}

    def direct(self, proxy: Proxy, label: str | None = None) -> list[Need]:
        """The ingredients that a proxy asks for, in the order of its arguments. Raises `JaxzcError` for a name that is no ingredient, and
        for a setting that neither the proxy nor one of its ingredients has."""
        asker = f"proxy {label or name_of(proxy)!r}"
        chosen = settings(proxy)
        further = {name: value for name, value in parts(proxy)[2].items() if name not in chosen}
        asked = [self._need(name, chosen | further, asker, ()) for name in needs(proxy)]
        known = joined([need.settings for need in asked], asker)
        if unknown := [name for name in further if name not in known]:
            raise JaxzcError(f"{asker} has no setting {unknown[0]!r}: known are {', '.join([*chosen, *known]) or 'none'}")
        return asked

    def _need(self, name: str, chosen: Mapping[str, Any], asker: str, path: tuple[str, ...]) -> Need:
        if name in self.roots:
            return Need(name)
        if name not in self.functions:
            known = ", ".join(sorted(self.known))
            raise JaxzcError(f"{asker} asks for an ingredient {name!r}, which does not exist; known ingredients: {known}")
        if name in path:
            raise JaxzcError(f"ingredient {name!r} is made from itself ({' from '.join([*path, name])}): take it out of its arguments")
        function = self.functions[name]
        own = {setting: hashable(setting, chosen.get(setting, default)) for setting, default in settings(function).items()}
        if unset := [setting for setting, value in own.items() if value is inspect.Parameter.empty]:
            raise JaxzcError(f"ingredient {name!r} has a setting {unset[0]!r} without a default, which {asker} does not set: give it one")
        asked = [self._need(need, chosen, f"ingredient {name!r}", (*path, name)) for need in needs(function)]
        return Need(name, tuple(sorted(joined([own.items(), *(need.settings for need in asked)], f"ingredient {name!r}").items())))

    def users(self, proxies: Mapping[str, Proxy]) -> dict[Need, list[str]]:
        """Need -> labels of the proxies that have it, directly or through another ingredient."""
        users: dict[Need, list[str]] = {}

        def add(need: Need, label: str) -> None:
            if label not in users.setdefault(need, []):
                users[need].append(label)
                for further in self._needs_of(need):
                    add(further, label)

        for label, proxy in proxies.items():
            for need in self.direct(proxy, label):
                add(need, label)
        return users

    def _needs_of(self, need: Need) -> list[Need]:
        if need.name not in self.functions:
            return []
        return [self._need(name, dict(need.settings), f"ingredient {need.name!r}", ()) for name in needs(self.functions[need.name])]

    def wanted(self, proxies: Mapping[str, Proxy]) -> dict[str, list[str]]:
        """Ingredient -> labels of the proxies that need it, directly or through another; raises `JaxzcError` as `direct` does."""
        wanted: dict[str, list[str]] = {}
        for need, labels in self.with_those_of(proxies.values()).users(proxies).items():
            wanted[need.name] = list(dict.fromkeys([*wanted.get(need.name, ()), *labels]))
        return wanted

    def calls(self, proxies: Mapping[str, Proxy]) -> list[list[Need]]:
        """The calls of ingredients' functions that these proxies cause: for each call, the ingredients that are taken from its result."""
        resolver = self.with_those_of(proxies.values())
        calls: dict[Hashable, list[Need]] = {}
        for need in resolver.users(proxies):
            if need.name in resolver.functions:
                calls.setdefault((resolver.functions[need.name], need.settings), []).append(need)
        return list(calls.values())

    def run(self, proxies: Mapping[str, Proxy], roots: Mapping[str, PyTree], reasons: dict[str, str] | None = None) -> dict[str, Score]:
        """The value of every proxy; each ingredient is computed once for each of its settings. `roots` holds the values that no function
        makes; an ingredient among them is taken as it is.

        reasons: None: a proxy that cannot be computed is a `JaxzcError`, which names all that fail with it. A dict: its value is NaN, the
        others are computed, and the dict is told the reason by the proxy's label.
        """
        resolver = self.with_those_of(proxies.values())
        users = resolver.users(proxies)
        values: dict[Need, PyTree] = {}
        failed: dict[Need, JaxzcError] = {}

        def value(need: Need) -> PyTree:
            if need.name in roots:
                return roots[need.name]
            if need in failed:
                raise failed[need]
            if need in values:
                return values[need]
            function = resolver.functions[need.name]
            arguments = [value(further) for further in resolver._needs_of(need)]
            together = [n for n in users if n.settings == need.settings and resolver.functions.get(n.name) is function]
            wanted = [n for n in together if n not in failed]
            try:
                values.update(_called(function, arguments, wanted))
            except Exception as error:
                if isinstance(error, Warning) or (reasons is None and not isinstance(error, JaxzcError)):
                    raise
                failing = _failing(function, arguments, wanted, error)
                if reasons is None:
                    asked = {label for n in failing for label in users[n]}
                    raise JaxzcError(f"{', '.join(label for label in proxies if label in asked)}: {error}") from error
                failed.update(failing)
            return value(need)

        def score(label: str, proxy: Proxy) -> Score:
            absent = [name for name in self.roots if name not in roots and label in users.get(Need(name), [])]
            if absent:
                raise JaxzcError(
                    f"{label}: the ingredient {absent[0]!r} is not known where the network runs: a proxy may ask only for it alone"
                )
            arguments = [value(need) for need in resolver.direct(proxy, label)]
            function, bound, chosen = parts(proxy)
            own = settings(function)
            try:
                result = function(*bound, *arguments, **{name: value for name, value in chosen.items() if name in own})
            except JaxzcError as error:
                raise JaxzcError(f"{label}: {error}") from error
            if any(map(jnp.iscomplexobj, jax.tree.leaves(result))):
                raise JaxzcError(f"{label}: is not defined for complex activations and weights, which this network has: leave it out")
            return result

        scores: dict[str, Score] = {}
        for label, proxy in proxies.items():
            try:
                scores[label] = score(label, proxy)
            except JaxzcError as error:
                if reasons is None:
                    raise
                scores[label], reasons[label] = math.nan, str(error).removeprefix(f"{label}: ")
        return scores


def _called(function: Ingredient, arguments: list[PyTree], wanted: list[Need]) -> dict[Need, PyTree]:
    """What one call gives of the ingredients that are wanted, all of one function and of equal settings."""
    chosen = dict(wanted[0].settings)
    keywords: dict[str, Any] = {name: chosen[name] for name in settings(function)}
    if WANTED in inspect.signature(function).parameters:
        keywords[WANTED] = frozenset(need.name for need in wanted)
    result = function(*arguments, **keywords)
    if ingredient_facts(function).single:
        return {wanted[0]: result}
    if missing := [need.name for need in wanted if need.name not in result]:
        raise JaxzcError(f"{name_of(function)} returned no {missing[0]!r}, which its decorator names: return a dict that has it")
    return {need: result[need.name] for need in wanted}


def _failing(function: Ingredient, arguments: list[PyTree], wanted: list[Need], error: Exception) -> dict[Need, JaxzcError]:
    """Which of the wanted ingredients the function cannot make, and why: an error names those who asked for them, and not all who share the
    pass. All of them with `error` where each can be made alone."""
    failing: dict[Need, JaxzcError] = {}
    for need in wanted if len(wanted) > 1 else ():

        def alone(need: Need = need) -> int:
            _called(function, arguments, [need])
            return 0

        try:
            jax.eval_shape(alone)  # of an attempt, nothing enters the program
        except Exception as own:
            failing[need] = _as_reason(own)
    return failing or dict.fromkeys(wanted, _as_reason(error))


def _as_reason(error: Exception) -> JaxzcError:
    """Of an error of JAX or of the model, its kind and first line."""
    return error if isinstance(error, JaxzcError) else JaxzcError(f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}")
