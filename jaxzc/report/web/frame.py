"""The frame of every page: one HTML file that holds its style, scripts and data, and asks the network for nothing."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template

STYLES = ("style.css", "charts.css", "print.css")


def framed(
    sections: str, kind: str, *, title: str, headline: str, facts: str, links: Mapping[str, str], scripts: Sequence[str], data: object
) -> str:
    """The whole page as text; the same arguments give the same text.

    sections: HTML between head and foot. kind: what the page is, one word beside the name of jaxzc. title: plain text. headline, facts:
        HTML under it. links: name of a section -> the text of its link in the bar. scripts: files of `assets`, in the order in which they
        run. data: what they read, as JSON.
    """
    script = "\n".join(map(asset, scripts))
    return Template(asset("frame.html")).substitute(
        # The policy lets this one script run and nothing be fetched, so that a name which slips through escaping stays text.
        script_digest=base64.b64encode(hashlib.sha256(f"\n{script}\n".encode()).digest()).decode(),
        style="\n".join(map(asset, STYLES)),
        script=script,
        data=json_text(data),
        kind=kind,
        title=escape(title),
        headline=headline,
        facts=facts,
        links="".join(f'<a href="#{name}">{text}</a>' for name, text in links.items()),
        sections=sections,
    )


def asset(name: str) -> str:
    """The text of a file of `assets`, which the page holds."""
    return (files("jaxzc.report.web") / "assets" / name).read_text(encoding="utf-8").strip()


def json_text(value: object) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")
