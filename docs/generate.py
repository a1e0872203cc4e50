"""Writes the pages of the site that follow from the code: proxies, spaces' options, commands, notes beside hard code, API, notebooks.

`docs/conf.py` calls `write` before each build. The pages go to `docs/reference` and `docs/notebooks`, which git ignores.
"""

import argparse
import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jaxzc
from jaxzc.catalogue import reference, spaces
from jaxzc.cli import parser
from jaxzc.proxies import PROXIES

DOCS = Path(__file__).parent
ROOT = DOCS.parent

NOTES = {
    "cutting": ("Programs in pieces", "jaxzc/_compile/cutting.py"),
    "depthwise": ("Depthwise convolutions on CPUs", "jaxzc/_compile/convolutions/depthwise.py"),
    "products": ("Convolutions that are matrix products", "jaxzc/_compile/convolutions/products.py"),
    "widening": ("Programs in float64", "jaxzc/_compile/widening.py"),
    "cells": ("Cells whose operations are data", "spaces/jaxzc_spaces/cells/loop.py"),
    "side_by_side": ("Architectures side by side on a GPU", "spaces/jaxzc_spaces/cells/side_by_side.py"),
    "normalisation": ("Norm modes of anybody's network", "jaxzc/networks/normalisation/DESIGN.md"),
}
"""Name of the page -> title, and the file whose docstring (or text) it shows."""


def write(docs: Path = DOCS) -> None:
    """Writes all pages; those whose text is as it was keep their time, so that Sphinx reads only the others."""
    pages = dict(_pages())
    for folder in ("reference", "notebooks"):
        for path in (docs / folder).rglob("*"):
            if path.is_file() and path.relative_to(docs).as_posix() not in pages:
                path.unlink()
    for name, text in pages.items():
        path = docs / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def _pages() -> Iterator[tuple[str, str]]:
    correlations, published = reference.read_correlations(DOCS / "correlations.csv"), reference.read_published(DOCS / "published.csv")
    table = reference.table(correlations, published, link="{}.md")
    tree = _tree(list(PROXIES), hidden=True)
    yield "reference/proxies/index.md", f"# Proxies\n\n{reference.INTRODUCTION}\n{table}\n\n{tree}"
    for name in PROXIES:
        yield f"reference/proxies/{name}.md", f"# {reference.section(name, correlations, published)}\n"
    yield "reference/spaces.md", _spaces()
    yield "reference/commands.md", _commands()
    yield from _notes()
    yield from _api()
    for path in sorted((ROOT / "colab").glob("*.ipynb")):
        yield f"notebooks/{path.name}", path.read_text(encoding="utf-8")


def _tree(names: list[str], *, hidden: bool = False, depth: int = 1) -> str:
    return "\n".join(["```{toctree}", f":maxdepth: {depth}", *([":hidden:"] if hidden else []), "", *names, "```", ""])


def _spaces() -> str:
    """The spaces and their options, as the catalogue has them."""
    rows = ["| space | what it is | options and their defaults | class |", "|---|---|---|---|"]
    headings = re.findall(r"^## (.+)$", (DOCS / "spaces.md").read_text(encoding="utf-8"), re.MULTILINE)
    anchors = {name: heading.lower().replace(",", "").replace(" ", "-") for heading in headings for name in heading.split(", ")}
    for name in sorted(spaces.spaces()):
        make = spaces.maker(name)
        options = ", ".join(f"`{key}={value!r}`" for key, value in spaces.options(make).items()) or "none"
        summary = (make.__doc__ or "").strip().partition("\n")[0].partition(". ")[0].rstrip(".")
        rows.append(f"| [`{name}`](../spaces.md#{anchors[name]}) | {summary} | {options} | `{spaces.spaces()[name].value}` |")
    return "\n".join(["# Spaces and their options", "", "Options go behind `--set`, or to `jaxzc.space(name, ...)`.", "", *rows, ""])


def _commands() -> str:
    """What `jaxzc COMMAND --help` prints, of every command."""
    (commands,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    lines = ["# Commands", "", "What `jaxzc COMMAND --help` prints.", ""]
    for name, command in commands.choices.items():
        lines += [f"## jaxzc {name}", "", "```text", command.format_help().rstrip(), "```", ""]
    return "\n".join(lines)


def _notes() -> Iterator[tuple[str, str]]:
    """The design notes that stand beside hard code."""
    for name, (title, file) in NOTES.items():
        text = (ROOT / file).read_text(encoding="utf-8")
        if file.endswith(".py"):
            text = f"# {title}\n\nFrom `{file}`.\n\n{inspect.cleandoc(ast.get_docstring(ast.parse(text)) or '')}\n"
        yield f"reference/notes/{name}.md", text


def _api() -> Iterator[tuple[str, str]]:
    """A page for the root's own names, and one for each public module, from their `__all__`."""
    modules = [name for name in jaxzc.__all__ if isinstance(getattr(jaxzc, name), ModuleType)]
    own = [name for name in jaxzc.__all__ if name not in modules]
    tree = _tree(["jaxzc", *modules])
    yield (
        "reference/api/index.md",
        f"# API\n\nEverything that is public. `import jaxzc` takes no time: names are imported when used.\n\n{tree}",
    )
    yield "reference/api/jaxzc.md", _module("jaxzc", own)
    for name in modules:
        yield f"reference/api/{name}.md", _module(f"jaxzc.{name}", public_names(f"jaxzc.{name}"))


def public_names(module: str) -> list[str]:
    """What a public module offers: its `__all__`, or the functions and classes that are defined in it."""
    value = importlib.import_module(module)
    if names := getattr(value, "__all__", None):
        return list(names)
    return [name for name, member in vars(value).items() if name[0] != "_" and getattr(member, "__module__", None) == module]


def _module(module: str, names: list[str]) -> str:
    value = importlib.import_module(module)
    lines = [f"# {module}", "", "```{eval-rst}", f".. automodule:: {module}", "   :no-members:", ""]
    elsewhere = set() if module == "jaxzc" else {id(getattr(jaxzc, name)) for name in jaxzc.__all__}
    for name in names:
        listed = ["   :no-index:"] if id(getattr(value, name)) in elsewhere else []  # the root's page is its place in the index
        lines += [f".. {_directive(getattr(value, name))}:: {module}.{name}", *listed, ""]
    return "\n".join([*lines, "```", ""])


def _directive(value: Any) -> str:
    if inspect.isclass(value):
        return "autoexception" if issubclass(value, BaseException) else "autoclass"
    return "autofunction" if inspect.isroutine(value) else "autodata"


if __name__ == "__main__":
    write()
