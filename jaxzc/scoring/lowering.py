"""Which proxies a platform's compiler takes: JAX has some operations on some platforms only, and does not say which proxy asks for one."""

from collections.abc import Callable, Mapping
from typing import Any

from jaxzc.definitions.facts import Proxy
from jaxzc.types import JaxzcError


def refused_alone(proxies: Mapping[str, Proxy], lower: Callable[[dict[str, Proxy]], Any]) -> dict[str, str]:
    """Proxy -> why its program does not lower. lower: lowers the program of these proxies; nothing is compiled."""
    reasons: dict[str, str] = {}
    for label, proxy in proxies.items():
        try:
            lower({label: proxy})
        except Exception as error:  # of many kinds, by the operation
            reasons[label] = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
    return reasons


def does_not_lower(reasons: Mapping[str, str], platform: str) -> JaxzcError:
    """The error where a proxy that cannot be computed is one."""
    each = "; ".join(f"{label}: {reason}" for label, reason in reasons.items())
    return JaxzcError(f"JAX does not compile for {platform} what a proxy asks for ({each}): leave it out")
