"""A proxy's card: the facts from its decorator, the prose of its docstring, and the cost of its ingredients."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxzc.catalogue.costs import in_words
from jaxzc.definitions.docstrings import docstring
from jaxzc.definitions.facts import Proxy, ProxyFacts, proxy_facts
from jaxzc.definitions.signatures import needs
from jaxzc.proxies import PROXIES

PROSE = ("Definition", "Source", "Authors' code", "Weights", "Fails")
"""Names of the fields in a proxy's docstring."""


class Card(NamedTuple):
    """Everything that is known about a proxy.

    title: first line of the docstring. prose: the docstring's fields, by the names in `PROSE`; empty without a docstring (`python -OO`).
    facts: see `ProxyFacts`. needs: names of the ingredients that the proxy asks for. cost: passes of all its ingredients, direct and
    indirect, such as `F + B; F`, or `none`.
    """

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
        """Names of the initialisers, in words."""
        redrawn = [f"{self.facts.redrawn}, drawn anew"] if self.facts.redrawn else []
        return " and ".join([*([self.facts.init] if self.facts.init else []), *redrawn]) or "any"

    @property
    def norm(self) -> str:
        return ", ".join(self.facts.norm) or "none needed"

    @property
    def stated(self) -> dict[str, str]:
        """The facts in words, by the names that a printed card gives them."""
        facts = {"Direction": self.direction, "Labels": self.labels, "Init": self.init, "Norm mode": self.norm}
        return facts | ({"Version": str(self.facts.version)} if self.facts.version > 1 else {})


def card(proxy: Proxy) -> Card:
    """The card of a proxy of jaxzc or of the user."""
    title, _, body = docstring(proxy).partition("\n")
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
"""Entry of a score table's metadata: a dictionary from the label of each proxy in the table to `higher` or `lower`."""


def directions(metadata: Mapping[str, Any] | None = None) -> dict[str, bool]:
    """Proxy -> whether a higher score is better, for all proxies that state a direction.

    It contains jaxzc's proxies by name. metadata: of a score table; the proxies that it recorded are added, by label."""
    stated = {name: proxy_facts(proxy).direction for name, proxy in PROXIES.items()} | dict((metadata or {}).get(RECORDED) or {})
    return {name: direction == "higher" for name, direction in stated.items() if direction is not None}
