"""The report's page: one HTML file that holds its style, scripts and data, and asks the network for nothing."""

import base64
import hashlib
import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

from jaxzc.evaluation.compare import Comparison
from jaxzc.evaluation.results import Evaluation
from jaxzc.report import marks
from jaxzc.report.web import charts, leaderboard, sections
from jaxzc.report.web.points import points

SCRIPTS = ("base.js", "tip.js", "select.js", "table.js", "scatter.js", "networks.js", "cost.js")
STYLES = ("style.css", "charts.css", "print.css")


def page(evaluation: Evaluation, commands: Sequence[str] = (), comparisons: Sequence[Comparison] = ()) -> str:
    """The whole page as text; the same arguments give the same text."""
    scripts = "\n".join(map(asset, SCRIPTS))
    data = points(evaluation)
    return Template(asset("page.html")).substitute(
        # The policy lets this one script run and nothing be fetched, so that a name which slips through escaping stays text.
        script_digest=script_digest(scripts),
        style="\n".join(map(asset, STYLES)),
        script=scripts,
        data=json_text(data),
        title=escape(sections.title(evaluation)),
        headline=sections.headline(evaluation),
        facts=sections.facts(evaluation),
        leaderboard=leaderboard.leaderboard(evaluation),
        glossary=leaderboard.glossary(evaluation),
        pairs=sections.pairs(comparisons, float(evaluation.settings.get("level", 0.95))),
        pairs_link='<a href="#pairs">Side by side</a>' if comparisons else "",
        whiskers=charts.whiskers(evaluation),
        reference_lines=charts.reference_lines(evaluation),
        dumbbells=charts.dumbbells(evaluation),
        heat_map=charts.heat_map(evaluation),
        coverage=sections.coverage(evaluation),
        metric=escape(evaluation.metric),
        sample=sections.sample(data["background"], data["networks"], data["seeds"]),
        commands=sections.code(commands),
        settings=sections.settings(evaluation.settings),
        settings_json=sections.settings_json(evaluation.settings),
        intervals_files=sections.files("intervals"),
        networks_files=sections.files("networks"),
        size_files=sections.files("size"),
        similarity_files=sections.files("similarity"),
        cost_files=" ".join(f'<span data-kind="{kind}">{sections.files(f"cost_{kind}")}</span>' for kind in marks.costs(evaluation)),
    )


def script_digest(scripts: str) -> str:
    """What the page's policy allows to run: the digest of these scripts between two ends of a line."""
    return base64.b64encode(hashlib.sha256(f"\n{scripts}\n".encode()).digest()).decode()


def asset(name: str) -> str:
    """The text of a file of `assets`, which the page holds."""
    return (files("jaxzc.report.web") / "assets" / name).read_text(encoding="utf-8").strip()


def json_text(value: object) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")
