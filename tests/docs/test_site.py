"""The site's own parts: every public name is explained, every proxy, space and command has its place. `.ci/run` builds it."""

import ast
import importlib.util
import inspect
import itertools
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import jaxzc
from jaxzc.catalogue import spaces
from jaxzc.proxies import PROXIES

ROOT = Path(__file__).parents[2]


def loaded(name: str) -> Any:
    """A file of docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE = loaded("generate")
MODULES = [f"jaxzc.{name}" for name in jaxzc.__all__ if isinstance(getattr(jaxzc, name), ModuleType)]


def explained(module: str, name: str) -> bool:
    """Whether a public name has a docstring, its own; or, of a constant, a string after the assignment."""
    value = getattr(importlib.import_module(module), name)
    if inspect.isclass(value):
        return bool(value.__doc__) and not value.__doc__.startswith(f"{value.__name__}(")  # which a dataclass says of itself
    if inspect.isroutine(value) or inspect.ismodule(value):
        return bool(inspect.getdoc(value))
    homes = [importlib.import_module(module)]
    homes += [importlib.import_module(m) for m in _imported_from(homes[0], name)]
    return any(_string_follows(home, name) for home in homes)


def _imported_from(module: ModuleType, name: str) -> list[str]:
    tree = ast.parse(inspect.getsource(module))
    return [
        node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module and name in [a.name for a in node.names]
    ]


def _string_follows(module: ModuleType, name: str) -> bool:
    body = ast.parse(inspect.getsource(module)).body
    for statement, following in itertools.pairwise(body):
        targets = (
            statement.targets if isinstance(statement, ast.Assign) else [statement.target] if isinstance(statement, ast.AnnAssign) else []
        )
        names = {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}
        if name in names:
            return isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant) and isinstance(following.value.value, str)
    return False


@pytest.mark.parametrize("module", ["jaxzc", *MODULES])
def test_every_public_name_of_a_module_is_explained(module: str) -> None:
    assert inspect.getdoc(importlib.import_module(module))
    assert [name for name in GENERATE.public_names(module) if not explained(module, name)] == []


def test_a_name_without_explanation_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [
        "from dataclasses import dataclass",
        "def bare(): ...",
        "@dataclass\nclass Bare:\n    x: int",
        'BARE = 1\nSAID = 2\n"""Two."""',
    ]
    (tmp_path / "unexplained.py").write_text("\n\n\n".join(parts))
    monkeypatch.syspath_prepend(tmp_path)
    assert [name for name in ("bare", "Bare", "BARE", "SAID") if not explained("unexplained", name)] == ["bare", "Bare", "BARE"]


def test_every_proxy_space_and_command_has_its_place() -> None:
    pages = dict(GENERATE._pages())
    for name in PROXIES:
        page = pages[f"reference/proxies/{name}.md"]
        assert page.startswith(f"# {name}\n")
        assert "```math\n" in page
        assert f"| [{name}]({name}.md) |" in pages["reference/proxies/index.md"]
    described = (ROOT / "docs/spaces.md").read_text(encoding="utf-8")
    for name in spaces.spaces():
        anchor = re.search(rf"\[`{name}`\]\(\.\./spaces\.md#([\w-]+)\)", pages["reference/spaces.md"])
        assert anchor is not None
        assert re.search(rf"^## .*\b{name}\b", described, re.MULTILINE)
    for name in ("demo", "score", "evaluate", "search", "train", "export", "status", "import"):
        assert f"## jaxzc {name}\n\n```text\nusage: jaxzc {name} " in pages["reference/commands.md"]
    for name, (title, file) in GENERATE.NOTES.items():
        page = pages[f"reference/notes/{name}.md"]
        assert page.startswith("# ")
        assert len(page.split()) > 100, (title, file)


def test_pages_that_are_as_they_were_keep_their_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"reference/a.md": "one", "notebooks/b.ipynb": "two"}
    monkeypatch.setattr(GENERATE, "_pages", lambda: iter(texts.items()))
    GENERATE.write(tmp_path)
    before = (tmp_path / "reference/a.md").stat().st_mtime_ns
    texts["notebooks/b.ipynb"] = "three"
    (tmp_path / "reference/old.md").write_text("gone")
    GENERATE.write(tmp_path)
    assert (tmp_path / "reference/a.md").stat().st_mtime_ns == before
    assert (tmp_path / "notebooks/b.ipynb").read_text() == "three"
    assert not (tmp_path / "reference/old.md").exists()


def test_the_picture_of_the_readme_is_drawn_from_real_scores() -> None:
    picture = loaded("picture")
    judged = picture.evaluation()
    assert len(judged.archs) == 500
    drawn = (ROOT / "docs/_static/leaderboard.svg").read_text(encoding="utf-8")
    for row in judged.rows:
        assert f">{row.proxy}<" in drawn
    best = next(row for row in judged.rows if row.proxy == "sweet_ntk")
    assert f"sweet_ntk  {best.statistics['spearman'].value:.3f}" in drawn.replace("\xa0", " ")
