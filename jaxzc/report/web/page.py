"""The report's page."""

from collections.abc import Sequence
from html import escape
from string import Template

from jaxzc.evaluation.compare import Comparison
from jaxzc.evaluation.results import Evaluation
from jaxzc.report import marks
from jaxzc.report.web import charts, leaderboard, sections
from jaxzc.report.web.frame import asset, framed
from jaxzc.report.web.points import points

SCRIPTS = ("base.js", "tip.js", "select.js", "table.js", "scatter.js", "networks.js", "cost.js", "start.js")
BETWEEN = ("intervals", "networks", "size", "similarity", "cost", "coverage")
"""Sections that every report has between the leaderboard and the last."""


def page(evaluation: Evaluation, commands: Sequence[str] = (), comparisons: Sequence[Comparison] = ()) -> str:
    """The report's page as HTML; equal arguments give equal text. commands: what the reader types to repeat it. comparisons: pairs of
    proxies that get a section of their own."""
    data = points(evaluation)
    content = Template(asset("page.html")).substitute(
        leaderboard=leaderboard.leaderboard(evaluation),
        glossary=leaderboard.glossary(evaluation),
        pairs=sections.pairs(comparisons, float(evaluation.settings.get("level", 0.95))),
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
    pairs = {"pairs": "Side by side"} if comparisons else {}
    between = {name: name.capitalize() for name in BETWEEN}
    return framed(
        content,
        "report",
        title=sections.title(evaluation),
        headline=sections.headline(evaluation),
        facts=sections.facts(evaluation),
        links={"leaderboard": "Leaderboard", **pairs, **between, "reproduce": "Reproduce"},
        scripts=SCRIPTS,
        data=data,
    )
