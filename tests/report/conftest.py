"""What tests of the report's page in a browser share; they are skipped where there is no browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jaxzc.report.web.page import page as page_of
from tests.support.evaluations import HOSTILE, evaluation_of, renamed


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e '.[dev]'")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium on this machine: install Debian's package chromium")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "index.html"
    path.write_text(page_of(renamed(evaluation_of(), HOSTILE), ["jaxzc demo"]), encoding="utf-8")
    return path
