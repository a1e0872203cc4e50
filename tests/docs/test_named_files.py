"""Tests, benchmarks and pages that texts, comments and docstrings name are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"(?<![\w./-])(?:tests|benchmarks|docs|colab|scripts)/[\w./-]*\w\.(?:py|md|toml|ipynb|sh|svg)\b")
PAST = {"CHANGELOG.md", "docs/changelog.md"}
"""What they tell of may be gone."""


def test_named_files_exist() -> None:
    gone: dict[str, set[str]] = {}
    for path in ROOT.rglob("*"):
        within = path.relative_to(ROOT)
        ours = len(within.parts) == 1 or within.parts[0] in {"jaxzc", "spaces", "tests", "benchmarks", "docs", "colab"}
        if ours and path.suffix in {".py", ".md", ".toml", ".ipynb"} and "_build" not in within.parts and str(within) not in PAST:
            named = NAMED.findall(path.read_text(encoding="utf-8"))
            if missing := {name for name in named if not (ROOT / name).exists() and not (ROOT / "tests" / name).exists()}:
                gone[str(within)] = missing
    assert not gone
