"""The page's charts that need no script: dots on tracks, one line per proxy, and the map of proxies against each other.

Every function returns markup; all text that comes from a table, a proxy or a file passes through `html.escape` here.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from jaxzc.evaluation import BASELINES
from jaxzc.evaluation.compare import Comparison
from jaxzc.evaluation.results import Evaluation
from jaxzc.report import columns, marks, order
from jaxzc.report.columns import interval, number, spearman
from jaxzc.report.marks import Line


class Track(NamedTuple):
    """One line of a chart: its name, the proxy that it selects, what a pointer reads, its marks, the value at the right."""

    name: str
    proxy: str
    said: str
    marks: str
    value: str


def whiskers(evaluation: Evaluation) -> str:
    """Dot and whisker: Spearman's rho with its interval, one line per proxy; size baselines and noise ceilings as vertical lines."""
    rows, lines = marks.ranked(evaluation), marks.reference_lines(evaluation)
    low, high = marks.limits([v for row in rows for v in spearman(row)] + [line.value for line in lines])
    tracks = []
    for row in rows:
        rho = spearman(row)
        said = f"{row.proxy}: {number(rho.value)}{f' ({interval(rho)})' if interval(rho) else ''}"
        dot = "dot hollow" if row.proxy in BASELINES else "dot"
        drawn = bar("bar", rho.low, rho.high, low, high) + mark(dot, rho.value, low, high)
        tracks.append(Track(row.proxy, row.proxy, said, drawn, number(rho.value)))
    return plot(tracks, lines, low, high)


def dumbbells(evaluation: Evaluation) -> str:
    """Spearman's rho as it is, with params held fixed, and with FLOPs held fixed; side by side in a line, so that none hides another."""
    known = marks.size_rows(evaluation)
    low, high = marks.limits([estimate.value for _, series in known for estimate in series.values()])
    looks = dict(zip(marks.SIZE_SERIES, ("dot hollow", "dot", "diamond"), strict=True))
    tracks = []
    for row, series in known:
        values = [estimate.value for estimate in series.values() if math.isfinite(estimate.value)]
        said = f"{row.proxy}: " + ", ".join(f"{number(series[kind].value)} {label}" for kind, label in marks.SIZE_SERIES.items())
        drawn = bar("link", min(values), max(values), low, high)
        for lane, (kind, estimate) in zip(marks.lanes(len(series)), series.items(), strict=True):
            drawn += mark(looks[kind], estimate.value, low, high, lane) if math.isfinite(estimate.value) else ""
        tracks.append(Track(row.proxy, row.proxy, said, drawn, ""))
    return plot(tracks, [], low, high)


def differences(comparisons: Sequence[Comparison]) -> str:
    """Dot and whisker of each pair's difference, filled where the interval leaves out 0."""
    finite = [abs(value) for pair in comparisons for value in pair.difference if math.isfinite(value)]
    half = _round_up(max(finite, default=0.1) or 0.1)
    tracks = []
    for pair in comparisons:
        value, low, high = pair.difference
        if math.isnan(value):
            continue
        said = (
            f"{pair.a} {number(pair.values[0])}, {pair.b} {number(pair.values[1])} on {pair.networks:,} common networks; "
            f"{pair.a} is better in {100 * pair.better:.1f} % of the resamples"
        )
        dot = "dot" if low > 0 or high < 0 else "dot hollow"
        drawn = bar("bar", low, high, -half, half) + mark(dot, value, -half, half)
        tracks.append(Track(f"{pair.a} {columns.MINUS} {pair.b}", pair.a, said, drawn, number(value)))
    return plot(tracks, [], -half, half, step=half / 2, digits=3)


def _round_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)


def plot(tracks: Sequence[Track], lines: Sequence[Line], low: float, high: float, step: float = 0.2, digits: int = 1) -> str:
    """A grid of name, track and value; behind all tracks one layer of vertical lines."""
    ticks = [low + step * place for place in range(round((high - low) / step) + 1)]
    behind = [f'<i class="tick{" zero" if abs(tick) < 1e-9 else ""}" style="left:{_at(tick, low, high)}"></i>' for tick in ticks]
    behind += [f'<i class="line {line.kind}" style="left:{_at(line.value, low, high)}"></i>' for line in lines]
    rows = [
        f'<button type="button" class="pick name{" muted" if track.proxy in BASELINES else ""}" data-proxy="{escape(track.proxy)}" '
        f'style="grid-row:{place}">{escape(track.name)}</button>'
        f'<span class="track" data-proxy="{escape(track.proxy)}" style="grid-row:{place}" data-tip="{escape(track.said)}">'
        f"{track.marks}</span>"
        f'<span class="value" style="grid-row:{place}">{track.value}</span>'
        for place, track in enumerate(tracks, start=1)
    ]
    # Every second number goes where the screen is narrow; 0 stays.
    axis = "".join(
        f'<span{" class=odd" if round(tick / step) % 2 else ""} style="left:{_at(tick, low, high)}">{number(tick, digits)}</span>'
        for tick in ticks
    )
    layer = f'<span class="behind" style="grid-row:1/{len(rows) + 1}">{"".join(behind)}</span>'
    return f'{layer}{"".join(rows)}<span class="axis" style="grid-row:{len(rows) + 1}">{axis}</span>'


def bar(kind: str, start: float, end: float, low: float, high: float) -> str:
    """A line from `start` to `end` on a track that goes from `low` to `high`; nothing where an end is not known."""
    if math.isnan(start) or math.isnan(end):
        return ""
    return f'<i class="{kind}" style="left:{_at(start, low, high)};right:{_at(low + high - end, low, high)}"></i>'


def mark(kind: str, value: float, low: float, high: float, lane: float = 0.0) -> str:
    """A mark at a value on such a track. lane: height within the line, from -0.5 to 0.5 of it."""
    moved = f";--lane:{lane:g}" if lane else ""
    return f'<i class="{kind}" style="left:{_at(value, low, high)}{moved}"></i>'


def _at(value: float, low: float, high: float) -> str:
    return f"{100 * (value - low) / (high - low):.2f}%"


def reference_lines(evaluation: Evaluation) -> str:
    """The legend of the vertical lines."""
    lines = marks.reference_lines(evaluation)
    return "".join(f'<li><i class="key line {line.kind}"></i>{escape(line.label)} {number(line.value)}</li>' for line in lines)


def heat_map(evaluation: Evaluation) -> str:
    """Spearman between proxies as a table, similar ones side by side; the colour's strength is the correlation's."""
    picked = [k for k, line in enumerate(evaluation.correlation) if np.isfinite(np.delete(line, k)).any()]
    matrix = evaluation.correlation[np.ix_(picked, picked)]
    names = [escape(evaluation.rows[k].proxy) for k in picked]
    sequence = order.clustered(matrix)
    pick = '<button type="button" class="pick" data-proxy="{0}">{0}</button>'
    heads = "".join(f'<th scope="col" data-proxy="{names[k]}"><span>{pick.format(names[k])}</span></th>' for k in sequence)
    lines = []
    for i in sequence:
        cells = "".join(_heat_cell(float(matrix[i, j])) for j in sequence)
        lines.append(f'<tr data-proxy="{names[i]}"><th scope="row">{pick.format(names[i])}</th>{cells}</tr>')
    return f"<thead><tr><td></td>{heads}</tr></thead>\n<tbody>\n" + "\n".join(lines) + "\n</tbody>"


def _heat_cell(value: float) -> str:
    """The cell alone: the page's script names the pair from the headings, which keeps many proxies' pages small."""
    if math.isnan(value):
        return f"<td>{columns.DASH}</td>"
    kind = ("n" if value < 0 else "p") + (" s" if abs(value) > 0.6 else "")
    return f'<td class="{kind}" style="--v:{abs(value):.3f}">{number(value)}</td>'
