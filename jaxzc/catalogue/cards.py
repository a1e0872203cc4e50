"""A proxy's card: what its docstring says, field by field, and what its ingredients cost."""

from typing import NamedTuple

from jaxzc.ingredients import RESOLVER
from jaxzc.proxies import PROXIES
from jaxzc.resolver import Proxy, needs

FIELDS = ("Definition", "Source", "Authors' code", "Labels", "Init", "Norm mode", "Weights", "Direction", "Fails")


OPTIONAL = ("Version",)
"""Fields of a card that most lack. `Version: 2` says that the value which the same settings give has changed since `Version: 1`, where
every proxy begins: a scoring job then scores anew what it has of the older one."""


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
        if colon and name in FIELDS + OPTIONAL:
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
