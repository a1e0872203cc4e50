"""Files of tests, benchmarks and pages are where docs, docstrings and lists say that they are."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import LONGEST
from tests.support.processes import ROOT
from tests.support.promoting import DTYPES, RANKS

CITED = re.compile(r"(?<![\w./-])(?:tests|benchmarks|docs|colab|scripts)/[\w./-]*\w\.(?:py|md|toml|ipynb|sh|svg)\b")
PLACES = ("jaxzc", "spaces", "tests", "docs", "colab", "benchmarks", ".ci", "README.md", "CONTRIBUTING.md", "noxfile.py")
KINDS = {".py", ".md", ".toml", ".ipynb", ""}


def texts() -> Iterator[Path]:
    for place in map(ROOT.joinpath, PLACES):
        found = [place] if place.is_file() else sorted(place.rglob("*"))
        yield from (path for path in found if path.is_file() and path.suffix in KINDS)


def test_files_that_are_cited_exist() -> None:
    """Some are cited by their place below tests/. What the changelog tells of may be gone."""
    cited = {(name, path.relative_to(ROOT)) for path in texts() for name in CITED.findall(path.read_text(encoding="utf-8"))}
    assert len(cited) > 10
    assert [f"{path}: {name}" for name, path in cited if not (ROOT / name).exists() and not (ROOT / "tests" / name).exists()] == []


def test_files_of_tests_that_are_listed_exist() -> None:
    let_off = [name for kinds in (RANKS, DTYPES) for names in kinds.values() for name in names]
    for name in (*LONGEST, *(name.partition("::")[0] for name in let_off)):
        assert (ROOT / "tests" / name).exists(), name
