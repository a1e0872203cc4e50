"""The site: `python -m sphinx -W -b html docs build/docs`."""

import os
import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("COLUMNS", "110")  # the width of the commands' help
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import generate
from docutils.nodes import SkipNode
from latex2mathml.converter import convert
from sphinx.util.logging import getLogger

project, author, copyright = "jaxzc", "the jaxzc authors", "the jaxzc authors, Apache-2.0"
version = release = version_of("jaxzc")
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
templates_path: list[str] = []
html_theme = "furo"
html_title = "jaxzc"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = html_copy_source = html_show_sourcelink = False
html_math_renderer = "mathml"
highlight_language = "text"

nb_execution_mode = "off"  # the notebooks run in tests
myst_enable_extensions = ["deflist"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 3
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True
suppress_warnings = ["myst.header", "mystnb.unknown_mime_type"]

ITEM = re.compile(r"(\w+(?:, \w+)*): (?=\S)")
"""The beginning of what a docstring says of an argument or a field."""


def as_rest(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Our docstrings are plain English with `code` between single backticks; this writes them as reStructuredText.

    Paragraphs lose the indentation of their further lines, `name: what it is` becomes an item of a list, and signs of arithmetic lose the
    meaning that markup gives them. Examples (`>>>`) stay as they are.
    """
    paragraphs: list[list[str]] = [[]]
    for line in [line.rstrip() for line in lines]:
        if line and (paragraphs[-1] or not line.startswith("    ")):
            paragraphs[-1].append(line)
        elif line:
            paragraphs[-1] = [line]
        else:
            paragraphs.append([])
    lines[:] = [line for paragraph in paragraphs if paragraph for line in [*_paragraph(paragraph), ""]]


def _paragraph(lines: list[str]) -> list[str]:
    first = lines[0].strip()
    if first.startswith(">>>"):
        return [line.removeprefix("    ") if lines[0].startswith("    ") else line for line in lines]
    if first.startswith("- "):
        return [("  " if not line.strip().startswith("- ") else "") + _escaped(line.strip()) for line in lines]
    if lines[0].startswith("    "):  # a table or a formula, as it stands
        return ["::", "", *lines]
    if all(ITEM.match(line) for line in lines if not line.startswith(" ")) and ITEM.match(lines[0]):
        shown = [
            f"- **{ITEM.match(line)[1]}**: {_escaped(line[ITEM.match(line).end() :])}" if line[0] != " " else f"  {_escaped(line.strip())}"
            for line in lines
        ]  # type: ignore[index, union-attr]
        return shown
    return [_escaped(line.strip()) for line in lines]


def _escaped(text: str) -> str:
    parts = text.split("`")
    if len(parts) % 2 == 0:  # code that goes on in the next line
        return text.replace("`", "'").replace("*", r"\*").replace("|", r"\|")
    shown = []
    for k, part in enumerate(parts):
        shown.append(f"``{part}``" if k % 2 else re.sub(r"([*|])", r"\\\1", re.sub(r"(\w)_(?!\w)", r"\1\\_", part)))
    return re.sub(r"``(?=\w)", r"``\\ ", "".join(shown)) if len(parts) > 1 else shown[0]


def skipped(app: Any, what: str, name: str, value: Any, skip: bool, options: Any) -> bool | None:
    """Leaves out the fields of named tuples, which say nothing of themselves: the class's docstring does."""
    return True if (getattr(value, "__doc__", None) or "").startswith("Alias for field number") else None


def mathml(translator: Any, node: Any) -> None:
    """Equations as MathML, which browsers draw by themselves: no script from elsewhere, and pages that open from disk have them."""
    block = node.tagname == "math_block"
    math = convert(node.astext(), display="block" if block else "inline")
    if unread := re.findall(r"\\\w+|\\\W", re.sub("<[^>]*>", " ", math)):
        getLogger(__name__).warning("the equation %s holds %s, which MathML has no word for", node.astext(), unread, location=node)
    translator.body.append(f'<div class="math">{math}</div>\n' if block else math)
    raise SkipNode


def setup(app: Any) -> None:
    app.add_html_math_renderer("mathml", (mathml, None), (mathml, None))
    app.connect("builder-inited", lambda app: generate.write())
    app.connect("autodoc-process-docstring", as_rest)
    app.connect("autodoc-skip-member", skipped)
