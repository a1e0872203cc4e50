"""`jaxzc proxies` and `jaxzc spaces`: what there is."""

import argparse
from typing import Any

from jaxzc import catalogue
from jaxzc.proxies import PROXIES
from jaxzc.resolver import settings
from jaxzc.selection import unknown


def add(commands: Any) -> None:
    proxies = commands.add_parser("proxies", help="list the proxies, what they need and what they cost; or show one's card")
    proxies.add_argument("name", nargs="?", metavar="NAME", help="show this proxy's card")
    proxies.set_defaults(run=list_proxies)
    commands.add_parser("spaces", help="list the search spaces").set_defaults(run=list_spaces)


def list_proxies(arguments: argparse.Namespace) -> None:
    if arguments.name is not None:
        print(_card(arguments.name))
        return
    print("Cost in passes over one batch (F forward, B backward). Proxies share passes: what two of them need is computed once.\n")
    for name, proxy in PROXIES.items():
        card = catalogue.card(proxy)
        print(f"{name:15} {card.title}")
        print(f"{'':15} needs {', '.join(card.needs)}; passes: {card.cost}; labels: {card.fields['Labels'].rstrip('.')}")


def _card(name: str) -> str:
    if name not in PROXIES:
        raise unknown("proxy", name, PROXIES)
    card = catalogue.card(PROXIES[name])
    lines = [f"{name}: {card.title}", *(f"{field}: {text}" for field, text in card.fields.items())]
    lines.append(f"Needs: {', '.join(card.needs)} (passes: {card.cost})")
    chosen = settings(PROXIES[name])
    if chosen:
        lines.append("Settings: " + ", ".join(f"{key}={value!r}" for key, value in chosen.items()))
    return "\n".join(lines)


def list_spaces(arguments: argparse.Namespace) -> None:
    for name, point in sorted(catalogue.spaces().items()):
        summary = (point.load().__doc__ or "").strip().partition("\n")[0]
        print(f"{name:15} {summary}  [{point.value}]")
