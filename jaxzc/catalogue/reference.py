"""Writes the reference of all proxies as Markdown: equations, cards, measured correlations, and published ones.

jaxzc proxies --markdown --correlations docs/correlations.csv --published docs/published.csv > proxies.md
"""

import csv
import os
from collections.abc import Mapping, Sequence

from jaxzc.catalogue import cards, costs
from jaxzc.catalogue.equations import EQUATIONS
from jaxzc.catalogue.papers import PAPERS
from jaxzc.ingredients import RESOLVER
from jaxzc.proxies import FOUNDING, PROXIES
from jaxzc.types import JaxzcError

COLUMNS = ("proxy", "benchmark", "metric", "spearman", "low", "high", "n", "kendall")
"""Columns of the table of correlations, which has one line for each proxy and benchmark. The score is negated where lower is better, before
correlations are taken; low and high bound the 95 % interval of Spearman's."""

PUBLISHED = ("proxy", "benchmark", "spearman", "source", "note")
"""Columns of the table of published figures, one line for each. note: why our figure differs, where it does."""

SHOWN = {"Definition": "Definition", "Source": "Source", "Authors' code": "Variants"}


def read_correlations(path: str | os.PathLike[str]) -> list[dict[str, str]]:
    """The lines of a CSV file with the columns of `COLUMNS`. Raises `JaxzcError`: no such file, other columns, a proxy that does not exist,
    a value that is no number."""
    return _read(path, COLUMNS, COLUMNS[3:])


def read_published(path: str | os.PathLike[str]) -> list[dict[str, str]]:
    """The lines of a CSV file with the columns of `PUBLISHED`. Raises `JaxzcError` as `read_correlations` does."""
    return _read(path, PUBLISHED, ("spearman",))


def _read(path: str | os.PathLike[str], columns: Sequence[str], numbers: Sequence[str]) -> list[dict[str, str]]:
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != tuple(columns):
                raise JaxzcError(f"{path} has the columns {', '.join(reader.fieldnames or ())}: expected {', '.join(columns)}")
            lines = list(reader)
    except OSError as error:
        raise JaxzcError(
            f"{path} cannot be read ({error.strerror or error}): name a CSV file with the columns {', '.join(columns)}"
        ) from error
    for number, line in enumerate(lines, start=2):
        if line["proxy"] not in PROXIES:
            raise JaxzcError(f"{path}, line {number}: there is no proxy {line['proxy']!r}: name one that `jaxzc proxies` lists")
        for column in numbers:
            try:
                float(line[column])
            except (TypeError, ValueError):
                raise JaxzcError(f"{path}, line {number}: {column}={line[column]!r}: expected a number") from None
    return lines


Lines = Sequence[Mapping[str, str]]
"""Lines of a table, as `read_correlations` and `read_published` give them."""


def markdown(correlations: Lines = (), published: Lines = ()) -> str:
    """All proxies on one page: the table of `table`, then the card of each (`section`)."""
    sections = [f"## {section(name, correlations, published)}\n" for name in PROXIES]
    return "\n".join([f"# Proxies\n\n{INTRODUCTION}", table(correlations, published), "", *sections])


def table(correlations: Lines = (), published: Lines = (), link: str = "#{}") -> str:
    """One row for each proxy: what it is, its facts, its measured and published correlations. link: where a name leads to."""
    benchmarks = list(dict.fromkeys((line["benchmark"], line["metric"]) for line in correlations))
    measured = {(line["proxy"], line["benchmark"], line["metric"]): line for line in correlations}
    head = ["proxy", "what it is", "direction", "labels", "passes", *(f"{b}: Spearman" for b, _ in benchmarks)]
    compared = list(dict.fromkeys(line["benchmark"] for line in published))
    head += [f"{b}: published" for b in compared]
    rows = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for name, proxy in PROXIES.items():
        card = cards.card(proxy)
        cells = [f"[{name}]({link.format(name)})", card.title, card.facts.direction or "-", card.labels, _passes(name)]
        cells += [_estimate(measured.get((name, *b))) for b in benchmarks]
        cells += [", ".join(_figure(line) for line in _of(name, published) if line["benchmark"] == b) for b in compared]
        rows.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(rows)


INTRODUCTION = f"""`--proxies founding` names the first {len(FOUNDING)}, the default; `--proxies all` every one.

Passes are {costs.PASSES};
here of a proxy by itself, with two batches of 64 images of 32 x 32 and 10 classes. Proxies scored together share passes.

Intervals are 95 % and say how far the correlation depends on which architectures were drawn. A correlation is of the score turned by its
direction.
"""


def _of(name: str, lines: Lines) -> list[Mapping[str, str]]:
    return [line for line in lines if line["proxy"] == name]


def section(name: str, correlations: Lines = (), published: Lines = ()) -> str:
    """One proxy: its name, what it is, its equation, the papers, the card, and the lines of the tables that are about it."""
    proxy, equation = PROXIES[name], EQUATIONS[name]
    card = cards.card(proxy)
    lines = [name, "", card.title, "", "```math", equation.latex, "```", ""]
    if equation.papers:
        lines.append(f"- **Papers**: {'; '.join(f'[{PAPERS[key].title}]({PAPERS[key].url})' for key in equation.papers)}")
    lines += [f"- **{shown}**: {_literal(card.prose[field])}" for field, shown in SHOWN.items()]
    lines.append(f"- **Needs**: {', '.join(f'`{need}`' for need in card.needs)}; weights: {card.prose['Weights'].rstrip('.')}")
    lines.append(f"- **Facts**: {'; '.join(f'{field.lower()}: {words}' for field, words in card.stated.items())}")
    lines.append(f"- **Cost**: {card.cost} (F a forward, B a backward pass of one batch): {_passes(name)} passes")
    if chosen := RESOLVER.settings(proxy):
        lines.append(f"- **Settings**: {', '.join(f'`{key}={value!r}`' for key, value in chosen.items())}")
    lines.append(f"- **Fails**: {card.prose['Fails']}")
    for line in _of(name, correlations):
        kendall = f"Kendall {float(line['kendall']):.3f}"
        lines.append(f"- **Measured**: {line['benchmark']}, {line['metric']}: Spearman {_estimate(line)}, {kendall}, n = {line['n']}")
    for line in _of(name, published):
        note = f". {line['note']}" if line["note"] else ""
        lines.append(f"- **Published**: {line['benchmark']}: Spearman {_figure(line)}, {line['source']}{note}")
    return "\n".join(lines)


def _literal(text: str) -> str:
    """Prose in which < and * are signs of arithmetic, and not of Markdown; what stands between backticks is left as it is."""
    parts = text.split("`")
    return "`".join(part if k % 2 else part.replace("*", "\\*").replace("<", "&lt;") for k, part in enumerate(parts))


def _passes(name: str) -> str:
    return f"{costs.forward_passes(PROXIES[name], sizes=costs.ANY):.3g}"


def _figure(line: Mapping[str, str]) -> str:
    return line["spearman"]


def _estimate(line: Mapping[str, str] | None) -> str:
    return "" if line is None else f"{float(line['spearman']):.3f} [{float(line['low']):.3f}, {float(line['high']):.3f}]"
