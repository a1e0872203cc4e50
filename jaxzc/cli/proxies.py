"""`jaxzc proxies`: the proxies, what they need and what they cost; one's card; all cards as Markdown."""

import argparse
import shutil
import textwrap

from jaxzc.catalogue import cards, costs, reference
from jaxzc.cli.arguments import Subcommands
from jaxzc.ingredients import RESOLVER
from jaxzc.proxies import PROXIES
from jaxzc.types import JaxzcError
from jaxzc.types.names import unknown

HELP = "list the proxies, what they need and what they cost; or show one's card"
EPILOG = """examples:
  jaxzc proxies           one paragraph for each
  jaxzc proxies zico      definition, source, settings, where it fails
  jaxzc proxies --markdown --correlations docs/correlations.csv --published docs/published.csv > proxies.md
"""


def add(commands: Subcommands) -> None:
    formatter = argparse.RawDescriptionHelpFormatter
    command = commands.add_parser("proxies", help=HELP, description=HELP, epilog=EPILOG, formatter_class=formatter)
    command.add_argument("name", nargs="?", metavar="NAME", help="show this proxy's card")
    command.add_argument(
        "--markdown", action="store_true", help="all cards as one page of Markdown, with equations and links to the papers"
    )
    command.add_argument("--correlations", metavar="FILE", help="with --markdown: CSV file of measured correlations to show with the cards")
    command.add_argument("--published", metavar="FILE", help="with --markdown: CSV file of others' figures to show beside them")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    for option in ("correlations", "published"):
        if getattr(arguments, option) is not None and not arguments.markdown:
            raise JaxzcError(f"--{option} goes with --markdown: give both, or neither")
    if arguments.markdown:
        correlations = reference.read_correlations(arguments.correlations) if arguments.correlations else ()
        print(reference.markdown(correlations, reference.read_published(arguments.published) if arguments.published else ()))
        return
    if arguments.name is not None:
        print(_card(arguments.name))
        return
    print(f"passes: {costs.PASSES} ({_sizes()}); proxies share passes: what two of them need is computed once.\n")
    for name, proxy in PROXIES.items():
        card = cards.card(proxy)
        print(_wrapped(f"{name:15} ", card.title, 16))
        print(_wrapped(16 * " ", f"needs {', '.join(card.needs)}; passes: {_passes(name)}; labels: {card.labels}", 16))
    print("\n`jaxzc proxies NAME` shows definition, source and settings of one.")


def _card(name: str) -> str:
    if name not in PROXIES:
        raise unknown("proxy", name, PROXIES)
    card = cards.card(PROXIES[name])
    chosen = RESOLVER.settings(PROXIES[name])
    fields = {
        **card.prose,
        **card.stated,
        "Needs": ", ".join(card.needs),
        "Cost": f"{card.cost} (F a forward, B a backward pass of one batch)",
        "Passes": f"{_passes(name)} ({costs.PASSES}; {_sizes()})",
        "Settings": ", ".join(f"{key}={value!r}" for key, value in chosen.items()) or "none",
    }
    if chosen:
        key, value = next(iter(chosen.items()))
        fields["Written as"] = f'--proxies "{name}({key}={value!r})"'
    return "\n".join([f"{name}: {card.title}", *(_wrapped(f"  {field:14} ", text, 17) for field, text in fields.items())])


def _passes(name: str) -> str:
    return f"{costs.forward_passes(PROXIES[name], sizes=costs.ANY):.3g}"


def _sizes() -> str:
    return f"{costs.ANY.batches} batches of {costs.ANY.batch_size}"


def _wrapped(head: str, text: str, indent: int) -> str:
    width = min(shutil.get_terminal_size((110, 24)).columns, 110)
    return textwrap.fill(
        text, max(width, indent + 20), initial_indent=head, subsequent_indent=indent * " ", break_long_words=False, break_on_hyphens=False
    )
