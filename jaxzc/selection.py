"""What the user asks for: proxies by name, with settings, or functions of their own."""

import ast
import difflib
import functools
from collections.abc import Callable, Iterable, Mapping

from jaxzc.proxies import PROXIES
from jaxzc.resolver import Proxy, settings
from jaxzc.types import JaxzcError

ProxySpec = str | Iterable[str | Callable] | Mapping[str, str | Callable]


def unknown(kind: str, name: str, known: Iterable[str]) -> JaxzcError:
    """The error for a name that does not exist, with the nearest known one."""
    known = list(known)
    near = difflib.get_close_matches(name, known, 1)
    return JaxzcError(f"unknown {kind} {name!r}{f': did you mean {near[0]!r}?' if near else ':'} known: {', '.join(known)}")


def parse_proxy(text: str) -> Proxy:
    """`zico` or `zico(std_of="abs")`: the proxy, with settings applied."""
    text = text.strip()
    name = text.split("(")[0].strip()
    if name not in PROXIES:
        raise unknown("proxy", name, PROXIES)
    if "(" not in text:
        return PROXIES[name]
    try:
        call = ast.parse(text, mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise ValueError("settings are keywords")
        chosen = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    except (SyntaxError, ValueError) as error:
        raise JaxzcError(f"proxy {text!r} cannot be read ({error}): expected name(setting=value), for example zico(std_of='abs')") from error
    known = settings(PROXIES[name])
    for setting in chosen:
        if setting not in known:
            raise unknown(f"setting of {name}", setting, known)
    return functools.partial(PROXIES[name], **chosen)


def split_names(text: str) -> list[str]:
    """Splits at the commas outside brackets: `zico(std_of='abs'),snip`."""
    names, depth = [""], 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            names.append("")
        else:
            names[-1] += character
    return [n.strip() for n in names if n.strip()]


def select(proxies: ProxySpec) -> dict[str, Proxy]:
    """Label -> function for "all", a comma-separated string, a list of names and functions, or a mapping label -> name or function.

    The label of a name is the name as written; of a function, its `__name__`. Raises `JaxzcError` for unknown names or settings, repeated
    labels, and nothing at all.
    """
    if isinstance(proxies, str):
        proxies = list(PROXIES) if proxies.strip() == "all" else split_names(proxies)
    if isinstance(proxies, Mapping):
        pairs = list(proxies.items())
    else:
        pairs = [(p if isinstance(p, str) else getattr(p, "__name__", repr(p)), p) for p in proxies]
    if not pairs:
        raise JaxzcError(f"no proxy was named: expected 'all' or some of {', '.join(PROXIES)}")
    chosen: dict[str, Proxy] = {}
    for label, proxy in pairs:
        if label in chosen:
            raise JaxzcError(f"proxy {label!r} is named twice: give each one once, or a mapping with labels of your own")
        if not isinstance(proxy, str) and not callable(proxy):
            raise JaxzcError(f"proxy {label!r} is a {type(proxy).__name__}: expected a name or a function whose arguments are ingredients")
        chosen[label] = parse_proxy(proxy) if isinstance(proxy, str) else proxy
    return chosen
