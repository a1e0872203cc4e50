"""Reads a user's choice of proxies: names, names with settings, or functions."""

import ast
import numbers
from collections.abc import Iterable, Mapping
from typing import Any, cast

from typing_extensions import TypeAliasType

from jaxzc.catalogue.functions import named_function
from jaxzc.definitions.facts import Ingredient, Proxy, WithIngredients, parts, proxy_facts, with_settings
from jaxzc.ingredients import RESOLVER
from jaxzc.proxies import FOR_TRANSFORMERS, FOUNDING, PROXIES, RECURRENT, TRANSFORMERS
from jaxzc.types import JaxzcError, PyTree
from jaxzc.types.names import split_names, unknown

Named = tuple[str, str | Proxy]
"""A label, and a proxy by name or as a function."""
ProxySpec = TypeAliasType("ProxySpec", str | Proxy | Iterable[str | Proxy | Named] | Mapping[str, str | Proxy])

SETS = {
    "founding": FOUNDING,
    "all": tuple(name for name in PROXIES if name not in (*FOR_TRANSFORMERS, *RECURRENT)),
    "transformers": TRANSFORMERS,
    "recurrent": RECURRENT,
}
"""Names of sets of proxies: those of the four founding papers, all that ask for nothing that only transformers or recurrent networks have,
those that transformers are scored with, and those that only recurrent networks have."""

KINDS = {bool: "True or False", int: "a whole number", float: "a number", str: "text", tuple: "numbers in brackets"}


def check_setting(owner: str, name: str, value: Any, default: Any) -> None:
    """Raises `JaxzcError` where the value's type differs from the default's. If `KINDS` lacks the default's type, any value is allowed."""
    if type(default) in KINDS and not _alike(value, default):
        raise JaxzcError(f"{owner}: {name}={value!r}: expected {KINDS[type(default)]}, such as the default {name}={default!r}")


def _alike(value: Any, default: Any) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, tuple):
        return isinstance(value, tuple | list) and len(value) == len(default) and all(map(_alike, value, default))
    for kind in (numbers.Integral, numbers.Real):  # numpy's numbers are of these, and of no Python type
        if isinstance(default, kind):
            return isinstance(value, kind)
    return isinstance(value, type(default))


def parse_proxy(text: str) -> Proxy:
    """The proxy with this name: `zico`, `zico(std_of="abs")`, or `my_module:mine` for a function in a module that can be imported.

    The settings of a proxy's ingredients are settings of the proxy. Raises `JaxzcError` for text of another form, an unknown name or
    setting, and a value whose type differs from that of the setting's default."""
    text = text.strip()
    name = text.partition("(")[0].strip()
    proxy = named_function("proxy", name) if ":" in name else PROXIES.get(name)
    if proxy is None:
        raise unknown("proxy", name, PROXIES)
    if "(" not in text:
        return proxy
    known = RESOLVER.settings(proxy)
    try:
        call = ast.parse(name.rpartition(":")[2] + text[text.index("(") :], mode="eval").body
        # A call of a call, or one followed by something else, would lose settings silently.
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args or any(k.arg is None for k in call.keywords):
            raise ValueError("settings are keywords")
        chosen = {str(k.arg): _literal(k.value) for k in call.keywords}
    except (SyntaxError, ValueError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else error
        example = next((f"{key}={value!r}" for key, value in known.items()), None)
        hint = f"expected name(setting=value), for example {name}({example})" if example else f"{name} has no settings, so write {name}"
        raise JaxzcError(f"proxy {text!r} cannot be read ({reason}): {hint}") from error
    for setting, value in chosen.items():
        if setting not in known:
            raise unknown(f"setting of {name}", setting, known)
        check_setting(f"proxy {name}", setting, value, known[setting])
    return with_settings(proxy, **chosen)


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise ValueError(f"{ast.unparse(node)} is no value; text stands in quotes") from error


def identity(proxy: Proxy) -> str:
    """The proxy's name, all its settings, those of its ingredients included, and its version: `zico(std_of='signed')@1`. One that is not
    the library's own has its module before its name: `my_module:mine()@1`.

    The version (`@proxy(version=...)`) is raised when the same settings come to give another value; scores of the old version then stay
    where they are and are asked for anew.
    """
    function, _, _ = parts(proxy)
    name = function.__name__ if PROXIES.get(function.__name__) is function else f"{function.__module__}:{function.__qualname__}"
    chosen = ", ".join(f"{setting}={value!r}" for setting, value in RESOLVER.settings(proxy).items())
    return f"{name}({chosen})@{proxy_facts(proxy).version}"


def select(proxies: ProxySpec, ingredients: Iterable[Ingredient] = ()) -> dict[str, Proxy]:
    """The chosen proxies: a dictionary from label to function.

    proxies: "founding", "all", "transformers", "recurrent", names separated by commas, a function, a list or tuple of names, functions and
        pairs (label, name or function), or a mapping from label to name or function. The label of a name is the name as written, and that
        of a function its `__name__`. The name of a set (`SETS`) stands for all its names.
    ingredients: the user's functions that compute what the user's proxies ask for. They are attached to these proxies.
    Raises `JaxzcError` for unknown names or settings, repeated labels, and an empty choice.
    """
    if isinstance(proxies, Mapping):
        pairs = [(str(label), proxy) for label, proxy in proxies.items()]
    else:
        names = split_names(proxies) if isinstance(proxies, str) else [proxies] if callable(proxies) else proxies
        if not isinstance(names, Iterable):
            raise JaxzcError(
                f"proxies is a {type(proxies).__name__}: expected 'founding', 'all', names, a function, a list of these, or a mapping"
            )
        pairs = [pair for name in names for pair in _pairs(name)]
    if not pairs:
        raise JaxzcError(f"no proxy was named: expected 'founding', 'all' or some of {', '.join(PROXIES)}")
    chosen: dict[str, Proxy] = {}
    for label, proxy in pairs:
        if label in chosen:
            raise JaxzcError(f"proxy {label!r} is named twice: give each one once, or a mapping with labels of your own")
        chosen[label] = _function(label, proxy)
    if not isinstance(ingredients, Iterable) or isinstance(ingredients, str):
        raise JaxzcError(f"ingredients={ingredients!r:.60}: expected a list of functions, each under @jaxzc.ingredient(...)")
    further = tuple(ingredients)
    ours = set(PROXIES.values())
    return {label: WithIngredients(p, further) if further and parts(p)[0] not in ours else p for label, p in chosen.items()}


def _pairs(entry: PyTree) -> list[tuple[str, Any]]:
    """The labels and proxies that one entry of a list stands for."""
    if isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str):
        return [entry]
    members = SETS.get(entry.strip(), ()) if isinstance(entry, str) else ()
    return [(_label(proxy), proxy) for proxy in members or [entry]]


def _function(label: str, proxy: Any) -> Proxy:
    """The proxy that a name or a function stands for. Raises `JaxzcError` for anything else."""
    if isinstance(proxy, str):
        return parse_proxy(proxy)
    if not callable(proxy):
        raise JaxzcError(f"proxy {label!r} is a {type(proxy).__name__}: expected a name or a function whose arguments are ingredients")
    return cast("Proxy", proxy)


def _label(proxy: Any) -> str:
    if isinstance(proxy, str):
        return proxy.strip()
    return getattr(parts(proxy)[0], "__name__", repr(proxy))
