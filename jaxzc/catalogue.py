"""What there is: spaces by entry point, proxies with their cards and costs."""

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, NamedTuple

from jaxzc.ingredients import RESOLVER
from jaxzc.proxies import PROXIES
from jaxzc.resolver import Proxy, needs
from jaxzc.selection import unknown
from jaxzc.types import JaxzcError, Space

GROUP = "jaxzc.spaces"
"""Entry point group under which a package registers its spaces: name -> a callable (classes=, image_shape=, **options) -> Space."""

FIELDS = ("Definition", "Source", "Authors' code", "Labels", "Init", "Norm mode", "Weights", "Direction", "Fails")


class Card(NamedTuple):
    """A proxy's docstring, taken apart."""

    title: str
    fields: dict[str, str]
    needs: tuple[str, ...]
    cost: str
    higher_is_better: bool | None


def card(proxy: Proxy) -> Card:
    """The card of a proxy: its summary line and the fields `Definition:`, `Source:` ... of its docstring; empty where it has none."""
    title, _, body = (proxy.__doc__ or "").strip().partition("\n")
    fields: dict[str, list[str]] = {}
    current = ""
    for line in (line.strip() for line in body.splitlines()):
        name, colon, rest = line.partition(":")
        if colon and name in FIELDS:
            current, line = name, rest.strip()
        if current:
            fields.setdefault(current, []).append(line)
    joined = {name: " ".join(filter(None, lines)) for name, lines in fields.items()}
    direction = joined.get("Direction", "")
    higher = False if direction.startswith("lower") else True if "higher is better" in direction else None
    costs = dict.fromkeys(cost for need in needs(proxy) if (cost := RESOLVER.cost(need)))
    return Card(title, joined, needs(proxy), ", ".join(costs) or "none", higher)


def directions() -> dict[str, bool]:
    """Proxy -> whether higher is better, from the cards."""
    cards = {name: card(proxy) for name, proxy in PROXIES.items()}
    return {name: c.higher_is_better for name, c in cards.items() if c.higher_is_better is not None}


def spaces() -> dict[str, Any]:
    """Name -> entry point of every installed search space."""
    return {point.name: point for point in entry_points(group=GROUP)}


def space(name: str, *, classes: int, image_shape: tuple[int, int, int], **options: Any) -> Space:
    """The space of that name, with a network for these images and classes; raises `JaxzcError` for unknown names or options."""
    known = spaces()
    if name not in known:
        if not known:
            raise JaxzcError(f"no search space is installed (entry point group {GROUP!r}): install jaxzc with pip, then name {name!r} again")
        raise unknown("space", name, known)
    make: Callable[..., Space] = known[name].load()
    try:
        return make(classes=classes, image_shape=image_shape, **options)
    except TypeError as error:
        raise JaxzcError(f"space {name!r} does not take these options ({', '.join(options) or 'none'}): {error}") from error
