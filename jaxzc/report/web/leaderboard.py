"""The page's leaderboard: a table that sorts by its headings, and what they mean. It needs no script to be read."""

import math
from collections.abc import Iterable, Sequence
from html import escape

from jaxzc.evaluation import BASELINES
from jaxzc.evaluation.results import Estimate, Evaluation, Row
from jaxzc.report import columns
from jaxzc.report.columns import Column, compact, interval, number, percent

PHONE = ("spearman", "spearman_given_params")
"""What a narrow screen shows at once."""


def leaderboard(evaluation: Evaluation) -> str:
    """Every statistic with its interval, coverage, direction and cost; a row's name selects its proxy."""
    shown = columns.columns_of(evaluation.rows)
    costs = [name for name in columns.COSTS if any(name in row.cost for row in evaluation.rows)]
    heads = [head("proxy", "proxy", "", "", text=True)]
    heads += [head(c.name, c.label, c.meaning, _class(c), lower=c.lower) for c in shown]
    heads += [head("coverage", "coverage", "networks with a finite score, of those with a metric", "wide")]
    heads += [head("direction", "better", "whether a higher or a lower score is better; lower ones are turned first", "more", text=True)]
    heads += [head(name, *columns.COSTS[name], "wide" if not place else "more", lower=True) for place, name in enumerate(costs)]
    body = "\n".join(
        f'<tr{_kind(row)} data-proxy="{escape(row.proxy)}">{"".join(_cells(row, shown, costs))}</tr>' for row in evaluation.rows
    )
    return f"<thead><tr>{''.join(heads)}</tr></thead>\n<tbody>\n{body}\n</tbody>"


def _class(column: Column) -> str:
    return "more" if not column.essential else "" if column.name in PHONE else "wide"


def head(name: str, label: str, meaning: str, kind: str, *, text: bool = False, lower: bool = False) -> str:
    """A heading that sorts. kind: its class. meaning: what a pointer reads. lower: what is better, so that a first click puts the best on
    top. The table comes sorted by the column called `spearman`, or `sorted_up`, the lowest on top."""
    kind = " ".join(filter(None, [kind, "text" if text else ""]))
    tip = f' data-tip="{escape(f"{label}: {meaning}")}"' if meaning else ""
    direction = {"spearman": "descending", "sorted_up": "ascending"}.get(name, "none")
    best = "ascending" if lower or text else "descending"
    opening = f'<th scope="col" class="{kind}" aria-sort="{direction}" data-best="{best}">'
    return f'{opening}<button type="button"{tip}>{escape(label)}</button></th>'


def _kind(row: Row) -> str:
    return ' class="baseline"' if row.proxy in BASELINES else ""


def _cells(row: Row, shown: Sequence[Column], costs: Sequence[str]) -> Iterable[str]:
    name = escape(row.proxy)
    yield f'<th scope="row" data-v="{name}"><button type="button" class="pick" data-proxy="{name}">{name}</button></th>'
    for column in shown:
        estimate = row.statistics.get(column.name, Estimate(math.nan))
        spread = row.over_seeds.get(column.name, math.nan)
        tip = f' data-tip="± {number(spread, column.digits)} (standard deviation over {row.seeds} seeds)"' if math.isfinite(spread) else ""
        yield f"<td{marked(_class(column))}{sortable(estimate.value)}{tip}>{with_interval(estimate, column.digits)}</td>"
    tip = f' data-tip="{row.finite:,} of {row.total:,}"'
    yield f'<td class="wide"{sortable(row.coverage)}{tip}>{percent(row.finite, row.total)}</td>'
    yield f'<td class="more text" data-v="{columns.direction(row)}">{columns.direction(row)}</td>'
    for place, kind in enumerate(costs):
        cost = row.cost.get(kind, math.nan)
        yield f'<td class="{"wide" if not place else "more"}"{sortable(cost)}>{compact(cost)}</td>'


def with_interval(estimate: Estimate, digits: int = 3) -> str:
    """A cell's value, its interval small below it."""
    small = interval(estimate, digits)
    return f"{number(estimate.value, digits)}{f'<small>{small}</small>' if small else ''}"


def marked(kind: str) -> str:
    """The class of a cell; nothing where it has none."""
    return f' class="{kind}"' if kind else ""


def sortable(value: float) -> str:
    """What the table sorts by; nothing where undefined, which sorts last in either direction."""
    return f' data-v="{value!r}"' if not math.isnan(value) else ' data-v=""'


def glossary(evaluation: Evaluation) -> str:
    """What each column means."""
    return "".join(f"<dt>{escape(c.label)}</dt><dd>{escape(c.meaning)}</dd>" for c in columns.columns_of(evaluation.rows))
