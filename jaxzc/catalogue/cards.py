"""A proxy's card: the facts that its decorator states, the prose of its docstring, and what its ingredients cost."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxzc.catalogue.costs import in_words
from jaxzc.facts import Proxy, ProxyFacts, proxy_facts
from jaxzc.proxies import PROXIES
from jaxzc.resolver import needs

PROSE = ("Definition", "Source", "Authors' code", "Weights", "Fails")
"""The fields of a docstring."""


class Card(NamedTuple):
    """title: the docstring's first line. prose: its fields, by the names of `PROSE`; empty where it has none (or Python runs with -OO).
    needs: names of the ingredients that it asks for. cost: the passes of all that it is made from, `F + B; F`, or `none`."""

    title: str
    prose: dict[str, str]
    facts: ProxyFacts
    needs: tuple[str, ...]
    cost: str

    @property
    def direction(self) -> str:
        return {"higher": "higher is better", "lower": "lower is better", None: "not stated"}[self.facts.direction]

    @property
    def labels(self) -> str:
        return {True: "yes", False: "no", None: "not stated"}[self.facts.labels]

    @property
    def init(self) -> str:
        """The initialisers, by their names."""
        redrawn = [f"{self.facts.redrawn}, drawn anew"] if self.facts.redrawn else []
        return " and ".join([*([self.facts.init] if self.facts.init else []), *redrawn]) or "any"

    @property
    def norm(self) -> str:
        return ", ".join(self.facts.norm) or "none needed"

    @property
    def stated(self) -> dict[str, str]:
        """The facts in words, by their names on a card."""
        facts = {"Direction": self.direction, "Labels": self.labels, "Init": self.init, "Norm mode": self.norm}
        return facts | ({"Version": str(self.facts.version)} if self.facts.version > 1 else {})


def card(proxy: Proxy) -> Card:
    """The card of a proxy, the user's own as well."""
    title, _, body = (proxy.__doc__ or "").strip().partition("\n")
    fields: dict[str, list[str]] = {}
    current = ""
    for line in (line.strip() for line in body.splitlines()):
        name, colon, rest = line.partition(":")
        if colon and name in PROSE:
            current, line = name, rest.strip()
        if current:
            fields.setdefault(current, []).append(line)
    prose = {name: " ".join(filter(None, lines)) for name, lines in fields.items()}
    return Card(title, prose, proxy_facts(proxy), needs(proxy), in_words(proxy))


RECORDED = "directions"
"""The entry of a score table's metadata that says it of the proxies scored: label -> `higher` or `lower`."""


def directions(metadata: Mapping[str, Any] | None = None) -> dict[str, bool]:
    """Proxy -> whether higher is better, of all that state it: the library's by name, and by label those that a score table with these
    metadata recorded."""
    stated = {name: proxy_facts(proxy).direction for name, proxy in PROXIES.items()} | dict((metadata or {}).get(RECORDED) or {})
    return {name: direction == "higher" for name, direction in stated.items() if direction is not None}


def direction_of(label: str, directions: Mapping[str, bool]) -> bool | None:
    """Whether higher is better for a proxy by label, which may have settings in brackets; None where it is not stated."""
    return directions.get(label, directions.get(label.partition("(")[0]))
