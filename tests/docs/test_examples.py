"""What the documentation says is so: its examples run when pasted, its figures have one form, its links lead somewhere."""

import re
from pathlib import Path

import pytest

import jaxzc

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
RUN = ("README.md", "getting_started.md", "images.md", "searching.md", "taking_away.md", "your_proxy.md")
"""Pages whose Python is run, block after block, as a reader would paste it."""
LATER = "run_scoring("
"""Stands in the one block of the README that lists calls, and takes minutes."""


def blocks(path: Path) -> list[str]:
    """The Python of a page."""
    return re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", RUN)
def test_the_examples_run(name: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if name == "taking_away.md":
        pytest.importorskip("flatbuffers", reason="jax.export needs `pip install flatbuffers`")
    names: dict[str, object] = {}
    for block in blocks(next(page for page in PAGES if page.name == name)):
        if LATER not in block:
            exec(block, names)
    assert name == "taking_away.md" or capsys.readouterr().out


def test_the_readme_is_short() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) < 900
    assert text.count("```python") == 2
    commands = [block for block in re.findall(r"^```\n(.*?)\n```", text, re.MULTILINE | re.DOTALL) if "python3 -m venv" in block]
    assert [command.rpartition(" && ")[2] for command in commands] == ["jaxzc demo", "pytest -n 2"]
    assert "pytest -n 2" in (ROOT / ".ci/run").read_text(encoding="utf-8")


def test_the_calls_that_the_readme_lists_exist() -> None:
    (block,) = [block for block in blocks(ROOT / "README.md") if LATER in block]
    assert set(re.findall(r"jaxzc\.(\w+)\(", block)) <= set(jaxzc.__all__)


@pytest.mark.parametrize("path", [*PAGES, DOCS / "published.csv", ROOT / "benchmarks/spaces.md"], ids=lambda path: path.name)
def test_numbers_have_one_form(path: Path) -> None:
    """0.917, and not .917; code is left alone."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert re.findall(r".{0,20}(?<![\w.\])/*:])-?\.\d+.{0,20}", text) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """Those between files; what the site's build writes is looked at there."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith(("http", "reference/", "notebooks/")) and not (path.name == "contributing.md" and target == "docs"):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"
