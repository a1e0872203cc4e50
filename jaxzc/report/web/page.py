"""The report's page: one HTML file that holds its style, scripts and data, and asks the network for nothing."""

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

import numpy as np

from jaxzc.evaluation import BASELINES
from jaxzc.evaluation.compare import Comparison
from jaxzc.evaluation.results import Evaluation
from jaxzc.report.web import sections
from jaxzc.report.columns import compact, interval, number, spearman
from jaxzc.report.web.points import points

SCRIPTS = ("base.js", "table.js", "scatter.js", "cost.js")


def page(evaluation: Evaluation, commands: Sequence[str] = (), comparisons: Sequence[Comparison] = ()) -> str:
    """The whole page as text; the same evaluation and commands give the same text."""
    scripts = "\n".join(_asset(name) for name in SCRIPTS)
    data = points(evaluation)
    return Template(_asset("page.html")).substitute(
        # The policy lets this one script run and nothing be fetched, so that a name which slips through escaping stays text.
        script_digest=base64.b64encode(hashlib.sha256(f"\n{scripts}\n".encode()).digest()).decode(),
        style=_asset("style.css"),
        script=scripts,
        data=_json(data),
        title=escape(_title(evaluation)),
        headline=_headline(evaluation),
        facts=_facts(evaluation),
        leaderboard=sections.leaderboard(evaluation),
        glossary=sections.glossary(evaluation),
        whiskers=sections.whiskers(evaluation),
        reference_lines=_reference_lines(evaluation),
        dumbbells=sections.dumbbells(evaluation),
        heat_map=sections.heat_map(evaluation),
        coverage=sections.coverage(evaluation),
        metric=escape(evaluation.metric),
        sample=_sample(data["background"], data["networks"], data["seeds"]),
        commands=_commands(commands),
        settings=sections.settings(evaluation.settings),
        settings_json=escape(json.dumps(evaluation.settings, indent=2, default=str)),
    )


def _asset(name: str) -> str:
    return (files("jaxzc.report.web") / "assets" / name).read_text(encoding="utf-8").strip()


def _json(value: object) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def _title(evaluation: Evaluation) -> str:
    proxies = sum(row.proxy not in BASELINES for row in evaluation.rows)
    return f"{proxies} zero-cost proxies on {len(evaluation.archs):,} networks"


def _headline(evaluation: Evaluation) -> str:
    """The finding in one or two sentences."""
    ranked = [row for row in evaluation.rows if math.isfinite(spearman(row).value)]
    proxies = [row for row in ranked if row.proxy not in BASELINES]
    sizes = [row for row in ranked if row.proxy in BASELINES]
    metric = f"<em>{escape(evaluation.metric)}</em>"
    if not proxies:
        return f"No proxy has a defined rank correlation with {metric}."
    rho = spearman(proxies[0])
    said = f" ({interval(rho, 2)})" if interval(rho) else ""
    text = f"<strong>{escape(proxies[0].proxy)}</strong> orders them most like {metric}: Spearman {number(rho.value, 2)}{said}."
    if sizes:
        names = {"params": "the number of parameters", "flops": "the number of FLOPs"}
        text += f" Sorting by {names[sizes[0].proxy]} alone reaches {number(spearman(sizes[0]).value, 2)}."
    return text


def _facts(evaluation: Evaluation) -> str:
    """A few numbers for the head of the page."""
    rows = [row for row in evaluation.rows if row.proxy not in BASELINES]
    facts = [("networks", f"{len(evaluation.archs):,}"), ("proxies", str(len(rows)))]
    facts.append(("seeds", str(max((len(values) for values in evaluation.scores.values()), default=1))))
    finite = evaluation.truth[np.isfinite(evaluation.truth)]
    if len(finite):
        facts.append((f"{evaluation.metric}, lowest to highest", f"{compact(finite.min())} to {compact(finite.max())}"))
    facts += [(f"noise ceiling, {name.replace('_', ' ')}", number(value, 2)) for name, value in evaluation.ceiling.items()]
    unmatched = max((row.unmatched for row in evaluation.rows), default=0)
    if unmatched:
        facts.append(("scored rows without a metric, left out", f"{unmatched:,}"))
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)


def _reference_lines(evaluation: Evaluation) -> str:
    lines = sections.reference_lines(evaluation)
    return "".join(f'<li><i class="key line {kind}"></i>{escape(label)} {number(value)}</li>' for kind, value, label in lines)


def _sample(drawn: int, networks: int, seeds: int) -> str:
    """Which networks the scatter plots draw."""
    text = f"All {networks:,} networks are drawn."
    if drawn < networks:
        text = (
            f"A random sample of {drawn:,} of the {networks:,} networks is drawn, and the proxy's marked ones besides; "
            "places, top-k and front are those of all networks."
        )
    return text + (f" Scores are those of the first of {seeds} seeds." if seeds > 1 else "")


def _commands(commands: Sequence[str]) -> str:
    if not commands:
        return ""
    text = escape("\n".join(commands))
    return f'<div class="code"><button type="button" class="copy">Copy</button><pre tabindex="0">{text}</pre></div>'
