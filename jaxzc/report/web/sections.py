"""The page's other parts as markup: its headline, facts, coverage, pairs, and how to repeat it."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from html import escape
from string import Template
from typing import Any

import numpy as np

from jaxzc.evaluation import BASELINES
from jaxzc.evaluation.compare import Comparison
from jaxzc.evaluation.results import Evaluation
from jaxzc.evaluation.text import counted
from jaxzc.report import columns, marks
from jaxzc.report.columns import compact, interval, number, spearman
from jaxzc.report.web import charts

SETTINGS = {
    "scores": "scores",
    "scores_digest": "their digest",
    "table": "table",
    "table_digest": "its digest",
    "resamples": "resamples of the bootstrap",
    "seed": "its seed",
    "level": "level of the intervals",
    "scores_metadata.space": "space",
    "scores_metadata.data": "data",
    "scores_metadata.batch_size": "batch size",
    "scores_metadata.batches": "batches",
    "scores_metadata.weights": "weights",
    "scores_metadata.init": "initialiser",
    "scores_metadata.norm": "normalisation",
    "scores_metadata.seeds": "seeds",
    "scores_metadata.doubts": "doubts",
    "scores_metadata.unavailable": "not computed",
    "scores_metadata.platform": "platform",
    "scores_metadata.versions": "versions",
}
"""What a reader wants to know first of the settings, and its name; all of them stand below as JSON."""

OPTION = re.compile(r"(?<=\s)--[\w-]+")
"""An option of a command: browsers would break a line behind its hyphens."""


PAIRS = """<section id="pairs" aria-labelledby="h-pairs">
<h2 id="h-pairs">Side by side</h2>
<p>Differences of $statistic with $level&nbsp;% intervals, both judged on the same resamples of the networks that both have. Filled: the
interval leaves out 0, so these networks tell the two apart.</p>
<figure>
<div class="plot" role="group" aria-label="Differences of the pairs; the values stand in the table below">$plot</div>
<figcaption>As a file: $files</figcaption>
</figure>
<div class="scroll" tabindex="0" role="region" aria-labelledby="h-pairs">
<table class="board"><caption class="hidden">Pairs of proxies</caption><thead><tr>$heads</tr></thead><tbody>$body</tbody></table>
</div>
</section>
"""


def title(evaluation: Evaluation) -> str:
    proxies = sum(row.proxy not in BASELINES for row in evaluation.rows)
    files = len(evaluation.settings.get("scores_metadata", {}).get("files", ()))
    what = f"scores from {files} files" if files else f"prox{'y' if proxies == 1 else 'ies'}"
    return f"{proxies} zero-cost {what} on {len(evaluation.archs):,} networks"


def headline(evaluation: Evaluation) -> str:
    """The finding in one or two sentences."""
    rows = marks.ranked(evaluation)
    proxies = [row for row in rows if row.proxy not in BASELINES]
    sizes = [row for row in rows if row.proxy in BASELINES]
    metric = f"<em>{escape(evaluation.metric)}</em>"
    if not proxies:
        return f"No proxy has a defined rank correlation with {metric}."
    rho = spearman(proxies[0])
    said = f" ({interval(rho)})" if interval(rho) else ""
    text = f"<strong>{escape(proxies[0].proxy)}</strong> orders them most like {metric}: Spearman {number(rho.value)}{said}."
    if sizes:
        names = {"params": "the number of parameters", "flops": "the number of FLOPs"}
        text += f" Sorting by {names[sizes[0].proxy]} alone reaches {number(spearman(sizes[0]).value)}."
    return text


def facts(evaluation: Evaluation) -> str:
    """A few numbers for the head of the page."""
    sizes = [row.proxy for row in evaluation.rows if row.proxy in BASELINES]
    known = [("networks", f"{len(evaluation.archs):,}")]
    known.append((f"proxies, beside {len(sizes)} sizes" if sizes else "proxies", str(len(evaluation.rows) - len(sizes))))
    seeds = max((len(values) for values in evaluation.scores.values()), default=1)
    known.append(("seed" if seeds == 1 else "seeds", str(seeds)))
    finite = evaluation.truth[np.isfinite(evaluation.truth)]
    if len(finite):
        known.append((f"{evaluation.metric}, lowest to highest", f"{compact(finite.min())} to {compact(finite.max())}"))
    known += [(marks.CEILINGS.get(name, f"noise ceiling, {name}"), number(value)) for name, value in evaluation.ceiling.items()]
    unmatched = max((row.unmatched for row in evaluation.rows), default=0)
    if unmatched:
        known.append(("scored rows without a metric, left out", f"{unmatched:,}"))
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in known)


def sample(drawn: int, networks: int, seeds: int) -> str:
    """Which networks the scatter plots draw."""
    text = f"All {networks:,} networks are drawn."
    if drawn < networks:
        text = (
            f"A random sample of {drawn:,} of the {networks:,} networks is drawn, and the proxy's marked ones besides; "
            "places, top-k and front are those of all networks."
        )
    return text + (f" Scores are those of the first of {seeds} seeds." if seeds > 1 else "")


def coverage(evaluation: Evaluation) -> str:
    """A bar per proxy of the share of finite scores; one sentence where every score is finite."""
    partial = [row for row in evaluation.rows if row.finite < row.total]
    complete = [row for row in evaluation.rows if row.finite == row.total]
    if not partial:
        return f"<p>All {counted(complete)} have a finite value for every network.</p>"
    bars = "".join(
        f'<button type="button" class="pick name" data-proxy="{escape(row.proxy)}">{escape(row.proxy)}</button>'
        f'<span class="meter"><i style="width:{100 * row.coverage:.2f}%"></i></span>'
        f'<span class="value">{row.finite:,} of {row.total:,}</span>'
        for row in sorted(partial, key=lambda row: (row.coverage, row.proxy))
    )
    rest = f"<p>The other {counted(complete)} have a finite value for every network.</p>" if complete else ""
    return f'<div class="meters">{bars}</div>{rest}'


def pairs(comparisons: Sequence[Comparison], level: float) -> str:
    """The section of paired proxies; nothing where there are none."""
    if not comparisons:
        return ""
    heads = "".join(
        f'<th scope="col"{kind}>{name}</th>'
        for name, kind in (
            ("A", ""),
            ("B", ' class="text"'),
            ("A \u2212 B", ""),
            ("A better", ""),
            ("value of A", ' class="wide"'),
            ("value of B", ' class="wide"'),
            ("networks", ' class="wide"'),
        )
    )
    body = "".join(
        f'<tr data-proxy="{escape(pair.a)}"><th scope="row">{escape(pair.a)}</th><td class="text">{escape(pair.b)}</td>'
        f"<td>{number(pair.difference.value)}<small>{interval(pair.difference)}</small></td><td>{_share(pair.better)}</td>"
        f'<td class="wide">{number(pair.values[0])}</td><td class="wide">{number(pair.values[1])}</td>'
        f'<td class="wide">{pair.networks:,}</td></tr>'
        for pair in comparisons
    )
    statistic = ", ".join(dict.fromkeys(columns.label(pair.statistic) for pair in comparisons))
    return Template(PAIRS).substitute(
        statistic=escape(statistic),
        level=f"{100 * level:g}",
        plot=charts.differences(comparisons),
        files=files("comparisons"),
        heads=heads,
        body=body,
    )


def _share(value: float) -> str:
    return columns.DASH if math.isnan(value) else f"{100 * value:.1f} %"


def files(name: str) -> str:
    """Links to a figure's files."""
    return " ".join(f'<a href="figures/{name}.{kind}">{kind.upper()}</a>' for kind in ("pdf", "svg", "png"))


def code(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    text = OPTION.sub(r'<span class="option">\g<0></span>', escape("\n".join(lines)))
    return f'<div class="code"><button type="button" class="copy">Copy</button><pre tabindex="0">{text}</pre></div>'


def settings(values: Mapping[str, Any]) -> str:
    """The settings of `SETTINGS` as terms and definitions."""
    files = values.get("scores_metadata", {}).get("files", {})
    items = []
    for path, name in SETTINGS.items():
        group, _, entry = path.partition(".")
        value = values.get(group)
        if entry:
            # Where score files differ in a setting, each one's own is what the reader looks for.
            own = {file: metadata[entry] for file, metadata in files.items() if entry in metadata}
            value = value.get(entry, {f"{file}:": _words(held) for file, held in own.items()} or None) if value else None
        if value is not None:
            items.append(f"<dt>{escape(name)}</dt><dd>{escape(_words(value))}</dd>")
    return "".join(items)


def _words(value: object) -> str:
    """A setting as a reader says it."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def settings_json(values: Mapping[str, Any]) -> str:
    return escape(json.dumps(values, indent=2, default=str))
