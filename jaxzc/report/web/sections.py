"""The report's sections as HTML that needs no script: leaderboard, intervals, size-controlled view, heat map, coverage.

Every function returns markup; all text that comes from a table, a proxy or a file passes through `html.escape` here.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np

from jaxzc.evaluation import BASELINES
from jaxzc.evaluation.results import Estimate, Evaluation, Row
from jaxzc.report import columns, marks, order
from jaxzc.report.columns import Column, compact, interval, number, percent, spearman

Mark = tuple[str, float, str]
"""Kind (a class of the style sheet), value, what it is."""


def leaderboard(evaluation: Evaluation) -> str:
    """The table that sorts by its headings: every statistic with its interval, coverage, direction and cost."""
    shown = columns.columns_of(evaluation.rows)
    costs = [name for name in columns.COSTS if any(name in row.cost for row in evaluation.rows)]
    heads = [_head("proxy", "proxy", "", essential=True, text=True)]
    heads += [_head(c.name, c.label, c.meaning, essential=c.essential) for c in shown]
    heads += [_head("coverage", "coverage", "networks with a finite score, of those with a metric", essential=True)]
    heads += [_head("direction", "better", "whether a higher or a lower score is better; lower ones are turned", essential=True, text=True)]
    heads += [_head(name, columns.COSTS[name][0], columns.COSTS[name][1], essential=True) for name in costs]
    body = "\n".join(f"<tr{_class(row)}>{''.join(_cells(row, shown, costs))}</tr>" for row in evaluation.rows)
    return f"<thead><tr>{''.join(heads)}</tr></thead>\n<tbody>\n{body}\n</tbody>"


def _head(name: str, label: str, meaning: str, *, essential: bool, text: bool = False) -> str:
    kind = " ".join(filter(None, ["" if essential else "more", "text" if text else ""]))
    tip = f' data-tip="{escape(f"{label}: {meaning}")}"' if meaning else ""
    # The table comes sorted by Spearman's rho.
    direction = "descending" if name == "spearman" else "none"
    return f'<th scope="col" class="{kind}" aria-sort="{direction}"><button type="button"{tip}>{escape(label)}</button></th>'


def _class(row: Row) -> str:
    return ' class="baseline"' if row.proxy in BASELINES else ""


def _cells(row: Row, shown: Sequence[Column], costs: Iterable[str]) -> Iterable[str]:
    yield f'<th scope="row" data-v="{escape(row.proxy)}">{escape(row.proxy)}</th>'
    for column in shown:
        estimate = row.statistics.get(column.name, Estimate(math.nan))
        small = interval(estimate, column.digits)
        spread = row.over_seeds.get(column.name, math.nan)
        tip = f' data-tip="± {number(spread, column.digits)} (standard deviation over {row.seeds} seeds)"' if math.isfinite(spread) else ""
        more = "" if column.essential else ' class="more"'
        value = f"{number(estimate.value, column.digits)}{f'<small>{small}</small>' if small else ''}"
        yield f"<td{more}{_value(estimate.value)}{tip}>{value}</td>"
    tip = f' data-tip="{row.finite:,} of {row.total:,}"'
    yield f"<td{_value(row.coverage)}{tip}>{percent(row.finite, row.total)}</td>"
    yield f'<td class="text" data-v="{columns.direction(row)}">{columns.direction(row)}</td>'
    for name in costs:
        cost = row.cost.get(name, math.nan)
        yield f"<td{_value(cost)}>{compact(cost)}</td>"


def _value(value: float) -> str:
    """What the table sorts by; nothing where undefined, which sorts last in either direction."""
    return f' data-v="{value!r}"' if not math.isnan(value) else ' data-v=""'


def glossary(evaluation: Evaluation) -> str:
    """What each column means."""
    return "".join(f"<dt>{escape(c.label)}</dt><dd>{escape(c.meaning)}</dd>" for c in columns.columns_of(evaluation.rows))


def whiskers(evaluation: Evaluation) -> str:
    """Dot and whisker: Spearman's rho with its interval, one line per proxy; size baselines and noise ceiling as vertical lines."""
    rows = [row for row in evaluation.rows if math.isfinite(spearman(row).value)]
    lines = reference_lines(evaluation)
    low, high = limits([v for row in rows for v in spearman(row)] + [value for _, value, _ in lines])
    tracks = []
    for row in rows:
        rho = spearman(row)
        parts = [_mark("dot hollow" if row.proxy in BASELINES else "dot", rho.value, low, high)]
        if math.isfinite(rho.low) and math.isfinite(rho.high):
            parts.insert(0, f'<i class="bar" style="left:{_at(rho.low, low, high)};right:{_at(low + high - rho.high, low, high)}"></i>')
        said = f"{row.proxy}: {number(rho.value)}" + (f", interval {interval(rho)}" if interval(rho) else "")
        tracks.append((row, said, "".join(parts), number(rho.value)))
    return _plot(tracks, lines, low, high)


def dumbbells(evaluation: Evaluation) -> str:
    """Spearman's rho beside what is left of it between networks of one size, one line per proxy."""
    kinds = (("dot hollow", "spearman", "as it is"), ("dot", "spearman_given_params", "given params"))
    kinds += (("diamond", "spearman_given_flops", "given FLOPs"),)
    rows = [(row, [(kind, row.statistics[name], what) for kind, name, what in kinds if name in row.statistics]) for row in evaluation.rows]
    rows = [(row, found) for row, marks in rows if len(found := [mark for mark in marks if math.isfinite(mark[1].value)]) > 1]
    low, high = limits([mark[1].value for _, marks in rows for mark in marks])
    tracks = []
    for row, marks in rows:
        values = [estimate.value for _, estimate, _ in marks]
        bar = f'<i class="link" style="left:{_at(min(values), low, high)};right:{_at(low + high - max(values), low, high)}"></i>'
        said = f"{row.proxy}: " + ", ".join(
            f"{what} {number(e.value)}" + (f" ({interval(e)})" if interval(e) else "") for _, e, what in marks
        )
        tracks.append((row, said, bar + "".join(_mark(kind, e.value, low, high) for kind, e, _ in reversed(marks)), ""))
    return _plot(tracks, [], low, high)


def reference_lines(evaluation: Evaluation) -> list[Mark]:
    """Vertical lines of the Spearman plots: params, FLOPs and the noise ceiling, those that are known."""
    row_of = columns.by_name(evaluation.rows)
    labels = dict(zip(BASELINES, ("params", "FLOPs"), strict=True))
    sizes = [(name, spearman(row).value, labels[name]) for name in BASELINES if (row := row_of(name))]
    ceilings = [("ceiling", value, f"noise ceiling, {name.replace('_', ' ')}") for name, value in evaluation.ceiling.items()]
    return [line for line in (*sizes, *ceilings) if math.isfinite(line[1])]


def limits(values: Iterable[float]) -> tuple[float, float]:
    """An axis in steps of 0.2 that holds 0, 1 and all finite values."""
    finite = [value for value in values if math.isfinite(value)]
    return min(0.0, math.floor(round(5 * min(finite, default=0), 9)) / 5), max(1.0, math.ceil(round(5 * max(finite, default=1), 9)) / 5)


def _plot(tracks: Sequence[tuple[Row, str, str, str]], lines: Sequence[Mark], low: float, high: float) -> str:
    """A grid of name, track and value; behind all tracks one layer of vertical lines."""
    ticks = [low + 0.2 * step for step in range(round((high - low) / 0.2) + 1)]
    behind = [f'<i class="tick{" zero" if abs(tick) < 1e-9 else ""}" style="left:{_at(tick, low, high)}"></i>' for tick in ticks]
    behind += [f'<i class="line {kind}" style="left:{_at(value, low, high)}"></i>' for kind, value, _ in lines]
    rows = [
        f'<span class="name{" muted" if row.proxy in BASELINES else ""}" style="grid-row:{line}">{escape(row.proxy)}</span>'
        f'<span class="track" style="grid-row:{line}" data-tip="{escape(said)}">{marks}</span>'
        f'<span class="value" style="grid-row:{line}">{value}</span>'
        for line, (row, said, marks, value) in enumerate(tracks, start=1)
    ]
    axis = "".join(f'<span style="left:{_at(tick, low, high)}">{number(tick, 1)}</span>' for tick in ticks)
    layer = f'<span class="behind" style="grid-row:1/{len(rows) + 1}">{"".join(behind)}</span>'
    return f'{layer}{"".join(rows)}<span class="axis" style="grid-row:{len(rows) + 1}">{axis}</span>'


def _mark(kind: str, value: float, low: float, high: float) -> str:
    return f'<i class="{kind}" style="left:{_at(value, low, high)}"></i>'


def _at(value: float, low: float, high: float) -> str:
    return f"{100 * (value - low) / (high - low):.2f}%"


def heat_map(evaluation: Evaluation) -> str:
    """Spearman between proxies as a table, similar ones side by side; the colour's strength is the correlation's."""
    picked = [k for k, line in enumerate(evaluation.correlation) if np.isfinite(np.delete(line, k)).any()]
    matrix = evaluation.correlation[np.ix_(picked, picked)]
    names = [evaluation.rows[k].proxy for k in picked]
    sequence = order.clustered(matrix)
    heads = "".join(f'<th scope="col"><span>{escape(names[k])}</span></th>' for k in sequence)
    lines = []
    for i in sequence:
        cells = "".join(_heat_cell(float(matrix[i, j])) for j in sequence)
        lines.append(f'<tr><th scope="row">{escape(names[i])}</th>{cells}</tr>')
    return f"<thead><tr><td></td>{heads}</tr></thead>\n<tbody>\n" + "\n".join(lines) + "\n</tbody>"


def _heat_cell(value: float) -> str:
    """The cell alone: the page's script names the pair from the headings, which keeps many proxies' pages small."""
    if math.isnan(value):
        return f"<td>{columns.DASH}</td>"
    kind = ("n" if value < 0 else "p") + (" s" if abs(value) > 0.6 else "")
    text = number(value, 2).replace("0.", ".", 1) if abs(value) < 0.995 else number(value, 0)
    return f'<td class="{kind}" style="--v:{abs(value):.3f}">{text}</td>'


def coverage(evaluation: Evaluation) -> str:
    """A bar per proxy of the share of finite scores; one sentence where every score is finite."""
    partial = [row for row in evaluation.rows if row.finite < row.total]
    if not partial:
        return "<p>Every proxy has a finite score for every network.</p>"
    bars = "".join(
        f'<span class="name">{escape(row.proxy)}</span>'
        f'<span class="meter"><i style="width:{100 * row.coverage:.2f}%"></i></span>'
        f'<span class="value">{row.finite:,} of {row.total:,}</span>'
        for row in sorted(partial, key=lambda row: (row.coverage, row.proxy))
    )
    complete = len(evaluation.rows) - len(partial)
    rest = f"<p>The other {complete} have a finite score for every network.</p>" if complete else ""
    return f'<div class="meters">{bars}</div>{rest}'


def settings(values: Mapping[str, object], prefix: str = "") -> str:
    """Nested settings as terms and definitions, `outer.inner` for the nested ones."""
    items = []
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            items.append(settings({str(key): inner for key, inner in value.items()}, f"{prefix}{name}."))
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        items.append(f"<dt>{escape(prefix + str(name))}</dt><dd>{escape(text)}</dd>")
    return "".join(items)
