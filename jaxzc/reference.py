"""The reference of all proxies as Markdown: the cards, and what was measured.

jaxzc proxies --markdown --correlations docs/correlations.csv > docs/proxies.md
"""

import csv
import os
from collections.abc import Mapping, Sequence

from jaxzc import catalogue, costs
from jaxzc.proxies import FOUNDING, PROXIES
from jaxzc.resolver import settings
from jaxzc.types import JaxzcError

COLUMNS = ("proxy", "benchmark", "metric", "spearman", "low", "high", "n", "kendall")
"""Of the table of correlations: one line for each proxy and benchmark; low and high bound the 95 % interval of Spearman's correlation of
the score turned so that higher is better."""

SHOWN = {"Definition": "Definition", "Source": "Source", "Authors' code": "Variants"}
INPUTS = ("Labels", "Init", "Norm mode", "Weights")


def read_correlations(path: str | os.PathLike[str]) -> list[dict[str, str]]:
    """The lines of a CSV file with the columns of `COLUMNS`. Raises `JaxzcError`: no such file, other columns, a proxy that does not exist,
    a value that is no number."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise JaxzcError(f"{path} has the columns {', '.join(reader.fieldnames or ())}: expected {', '.join(COLUMNS)}")
            lines = list(reader)
    except OSError as error:
        raise JaxzcError(
            f"{path} cannot be read ({error.strerror or error}): name a CSV file with the columns {', '.join(COLUMNS)}"
        ) from error
    for number, line in enumerate(lines, start=2):
        if line["proxy"] not in PROXIES:
            raise JaxzcError(f"{path}, line {number}: there is no proxy {line['proxy']!r}: name one that `jaxzc proxies` lists")
        for column in COLUMNS[3:]:
            try:
                float(line[column])
            except (TypeError, ValueError):
                raise JaxzcError(f"{path}, line {number}: {column}={line[column]!r}: expected a number") from None
    return lines


def markdown(correlations: Sequence[Mapping[str, str]] = ()) -> str:
    """The page: a table of all proxies, then each one's card and correlations (lines as `read_correlations` gives them)."""
    benchmarks = list(dict.fromkeys((line["benchmark"], line["metric"]) for line in correlations))
    found = {(line["proxy"], line["benchmark"], line["metric"]): line for line in correlations}
    head = ["proxy", "what it is", "direction", "labels", "passes", *(f"{b}: Spearman" for b, _ in benchmarks)]
    table = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for name, proxy in PROXIES.items():
        card = catalogue.card(proxy)
        cells = [f"[{name}](#{name})", card.title, _direction(card), card.fields["Labels"].rstrip("."), _passes(name)]
        cells += [_estimate(found.get((name, *b))) for b in benchmarks]
        table.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    sections = [_section(name, [line for line in correlations if line["proxy"] == name]) for name in PROXIES]
    return "\n".join([_INTRODUCTION, *table, "", *sections])


_INTRODUCTION = f"""# Proxies

Written by `jaxzc proxies --markdown --correlations docs/correlations.csv` from the cards in `jaxzc/proxies/`; edit those.

`--proxies founding` names the first {len(FOUNDING)}, the default; `--proxies all` every one. Passes: forward passes over a batch of 64 that
are worth as much arithmetic as the proxy by itself, a backward pass counting as two, of two batches where it takes both; proxies scored
together share passes. Intervals are 95 % and say how far the correlation depends on which architectures were drawn. A correlation is of the
score turned by its direction.
"""


def _section(name: str, measured: Sequence[Mapping[str, str]]) -> str:
    proxy = PROXIES[name]
    card = catalogue.card(proxy)
    lines = [f"## {name}", "", card.title, ""]
    lines += [f"- **{shown}**: {card.fields[field]}" for field, shown in SHOWN.items()]
    lines.append(f"- **Needs**: {', '.join(f'`{need}`' for need in card.needs)}; {'; '.join(_input(card, field) for field in INPUTS)}")
    lines.append(f"- **Cost**: {card.cost} (F a forward, B a backward pass of one batch): {_passes(name)} forward passes")
    lines.append(f"- **Direction**: {card.fields['Direction']}")
    if chosen := settings(proxy):
        lines.append(f"- **Settings**: {', '.join(f'`{key}={value!r}`' for key, value in chosen.items())}")
    lines.append(f"- **Fails**: {card.fields['Fails']}")
    for line in measured:
        kendall = f"Kendall {float(line['kendall']):.3f}"
        lines.append(f"- **Measured**: {line['benchmark']}, {line['metric']}: Spearman {_estimate(line)}, {kendall}, n = {line['n']}")
    return "\n".join([*lines, ""])


def _input(card: catalogue.Card, field: str) -> str:
    return f"{field.lower()}: {card.fields[field].rstrip('.')}"


def _direction(card: catalogue.Card) -> str:
    return {True: "higher", False: "lower", None: "-"}[card.higher_is_better]


def _passes(name: str) -> str:
    return f"{costs.forward_passes(PROXIES[name], batch_size=64, batches=2):.3g}"


def _estimate(line: Mapping[str, str] | None) -> str:
    return "" if line is None else f"{float(line['spearman']):.3f} [{float(line['low']):.3f}, {float(line['high']):.3f}]"
