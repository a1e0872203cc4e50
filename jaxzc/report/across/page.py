"""The leaderboard's page, in the report's look."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from string import Template

from jaxzc.evaluation.across.board import Leaderboard
from jaxzc.evaluation.across.results import Judgement, Standing
from jaxzc.evaluation.across.text import SIZES, benchmark_sentence, verdict
from jaxzc.evaluation.results import Estimate
from jaxzc.report.across.tables import Cell, cells, heads
from jaxzc.report.across.text import explanation
from jaxzc.report.columns import DASH, KNOWN, compact, number, percent
from jaxzc.report.web import charts, sections
from jaxzc.report.web.charts import Track
from jaxzc.report.web.frame import asset, framed
from jaxzc.report.web.leaderboard import head, marked, sortable, with_interval

SCRIPTS = ("base.js", "tip.js", "select.js", "table.js", "start.js")
LINKS = {"leaderboard": "Leaderboard", "ranks": "Ranks", "benchmarks": "Benchmarks", "reproduce": "Reproduce"}
MORE = ("kendall", "precision_10", "regret_10", "spearman_given_params", "spearman_given_flops")
"""Statistics of each benchmark that the board shows on demand."""
ROOMY = 6
"""Up to so many benchmarks have room for the ranges of their figures; of more, ranges are shown on demand."""


def page(board: Leaderboard, commands: Sequence[str] = ()) -> str:
    """The leaderboard's page as HTML; equal arguments give equal text. commands: what the reader types to repeat it, shown below those of
    the benchmarks."""
    scoring = [judgement.benchmark.command for judgement in board.judgements if judgement.benchmark.command]
    content = Template(asset("across.html")).substitute(
        explanation=escape(explanation(board)),
        board="board many" if len(board.judgements) > ROOMY else "board",
        leaderboard=table(board),
        verdict=escape(f"{verdict(board.friedman, len(board.judgements))}."),
        ranks=ranks(board),
        figure_files=sections.files("critical_difference"),
        benchmarks="\n".join(map(_benchmark, board.judgements)),
        commands=sections.code([*dict.fromkeys(scoring), *commands]),
        settings_json=sections.settings_json(board.settings),
    )
    return framed(
        content,
        "leaderboard",
        title=board.title,
        headline=headline(board),
        facts=facts(board),
        links=LINKS,
        scripts=SCRIPTS,
        data={"proxies": [{"name": row.proxy} for row in board.standings]},
    )


def headline(board: Leaderboard) -> str:
    """The finding in one or two sentences."""
    best = next((row for row in board.standings if row.proxy not in SIZES), None)
    if best is None or math.isnan(best.rank.value):
        return "No proxy was scored on every benchmark, so that none has a mean rank."
    text = f"<strong>{escape(best.proxy)}</strong> has the best mean rank, {number(best.rank.value, 2)}, and a mean ρ of "
    text += f"{number(best.spearman.value)} with the trained accuracies."
    sizes = [row for row in board.standings if row.proxy in SIZES and math.isfinite(row.rank.value)]
    if sizes:
        size = sizes[0]
        text += f" The best of the sizes, {escape(size.proxy)}, has {number(size.rank.value, 2)} and {number(size.spearman.value)}."
    return text


def facts(board: Leaderboard) -> str:
    """A few numbers for the head of the page."""
    networks = [len(judgement.evaluation.archs) for judgement in board.judgements]
    known = [
        ("benchmarks", str(len(board.judgements))),
        ("blocks that share no scores", str(len(board.blocks))),
        ("proxies, sizes included", str(len(board.standings))),
        ("that every benchmark has", str(board.friedman.proxies)),
        ("networks, fewest to most", f"{min(networks):,} to {max(networks):,}"),
    ]
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in known)


def table(board: Leaderboard) -> str:
    """Mean rank, mean of Spearman's rho, its difference from that of params, and every benchmark's; further statistics on demand."""
    labels = {column.name: column for column in KNOWN}
    top = [head("proxy", "proxy", "", "", text=True)]
    for place, label in enumerate(heads(board)):
        top.append(head("sorted_up" if place == 0 else label, label, "", "" if place < 2 else "wide", lower=place == 0))
    top.append(head("first", "first", "share of the resamples in which its mean rank is the best", "more"))
    top.append(head("coverage", "coverage", "smallest share of finite scores on any benchmark", "more"))
    for judgement in board.judgements:
        for column in (labels[name] for name in MORE):
            top.append(head(column.name, f"{column.label}, {judgement.name}", column.meaning, "more", lower=column.lower))
    lines = cells(board)
    body = "\n".join(
        f'<tr{" class=baseline" if row.proxy in SIZES else ""} data-proxy="{escape(row.proxy)}">{"".join(_cells(board, row, lines))}</tr>'
        for row in board.standings
    )
    return f"<thead><tr>{''.join(top)}</tr></thead>\n<tbody>\n{body}\n</tbody>"


def _cells(board: Leaderboard, row: Standing, lines: dict[str, list[Cell]]) -> Iterable[str]:
    name = escape(row.proxy)
    yield f'<th scope="row" data-v="{name}"><button type="button" class="pick" data-proxy="{name}">{name}</button></th>'
    for place, cell in enumerate(lines[row.proxy]):
        yield f"<td{marked('' if place < 2 else 'wide')}{sortable(cell.estimate.value)}>{with_interval(cell.estimate, cell.digits)}</td>"
    share = DASH if math.isnan(row.first) else f"{100 * row.first:.0f} %"
    yield f'<td class="more"{sortable(row.first)}>{share}</td>'
    yield f'<td class="more"{sortable(row.coverage)}>{percent(math.floor(1000 * row.coverage), 1000)}</td>'
    for judgement in board.judgements:
        judged = judgement.row(row.proxy)
        for statistic in MORE:
            estimate = Estimate(math.nan) if judged is None else judged.statistics[statistic]
            yield f'<td class="more"{sortable(estimate.value)}>{with_interval(estimate)}</td>'


def ranks(board: Leaderboard) -> str:
    """Dot and whisker: mean rank with its interval, the best on top, hollow for sizes."""
    rows = [row for row in board.standings if math.isfinite(row.rank.value)]
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 1000) if (len(rows) - 1) / step <= 12)
    low, high = 1.0, float(1 + step * max(1, math.ceil((len(rows) - 1) / step)))
    tracks = []
    for row in rows:
        around = "" if math.isnan(row.rank.low) else f" ({number(row.rank.low, 2)} to {number(row.rank.high, 2)})"
        dot = "dot hollow" if row.proxy in SIZES else "dot"
        drawn = charts.bar("bar", row.rank.low, row.rank.high, low, high) + charts.mark(dot, row.rank.value, low, high)
        tracks.append(Track(row.proxy, row.proxy, f"{row.proxy}: {number(row.rank.value, 2)}{around}", drawn, number(row.rank.value, 2)))
    return charts.plot(tracks, [], low, high, step=step, digits=0)


def _benchmark(judgement: Judgement) -> str:
    said = escape(benchmark_sentence(judgement).removeprefix(f"{judgement.name}: "))
    truth = judgement.evaluation.truth
    spread = f"{escape(judgement.evaluation.metric)} from {compact(truth.min())} to {compact(truth.max())}"
    note = f"<p>{escape(judgement.benchmark.note)}</p>" if judgement.benchmark.note else ""
    name = escape(judgement.name)
    return f"""<h3>{name}</h3>
<p>{said}; {spread}.</p>{note}
<figure>
<ul class="legend">{charts.reference_lines(judgement.evaluation)}</ul>
<div class="plot" role="group" aria-label="Spearman correlation of each proxy on {name}">{charts.whiskers(judgement.evaluation)}</div>
</figure>"""
