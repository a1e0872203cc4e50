"""The report: a page that stands alone, says what the evaluation says, and works in a real browser."""

import json
import math
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxzc import report
from jaxzc.evaluation import STATISTICS, evaluate
from jaxzc.evaluation.results import Evaluation
from jaxzc.report import columns, order
from jaxzc.tables import ScoreTable
from jaxzc.types import JaxzcError

HOSTILE = "<script>alert(1)</script>&\"'"


def made(n: int = 60, proxies: int = 4, resamples: int = 50) -> Evaluation:
    rng = np.random.default_rng(0)
    truth = rng.normal(90, 2, n)
    columns: dict[str, Any] = {"arch": np.array([f"arch {k}" for k in range(n)], object)}
    columns |= {f"proxy{k}": truth + rng.normal(scale=1 + k, size=n) for k in range(proxies)}
    columns["proxy0"][:5] = np.nan
    columns |= {"params": rng.integers(100, 1000, n).astype(float), "flops": rng.integers(1000, 9000, n).astype(float)}
    table = ScoreTable(columns, {"proxies": [f"proxy{k}" for k in range(proxies)], "costs": {"proxy1": {"passes": 3.0}}})
    return evaluate(table, dict(zip(columns["arch"], truth.tolist(), strict=True)), metric="accuracy", resamples=resamples)


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return made()


def renamed(evaluation: Evaluation, name: str) -> Evaluation:
    """The evaluation with the first proxy, an architecture, the metric and a setting called `name`."""
    first = evaluation.rows[0]
    scores = {(name if proxy == first.proxy else proxy): values for proxy, values in evaluation.scores.items()}
    rows = [replace(first, proxy=name), *evaluation.rows[1:]]
    archs = [name, *evaluation.archs[1:]]
    return replace(evaluation, rows=rows, archs=archs, scores=scores, metric=name, settings={**evaluation.settings, name: name})


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_page_stands_alone_and_names_every_row(evaluation: Evaluation, tmp_path: Path) -> None:
    page = text_of(report.write(evaluation, tmp_path / "r", commands=["jaxzc score nasbench201 --out s.parquet"]))
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", page)
    assert not re.findall(r"@import|url\(", page)
    for row in evaluation.rows:
        assert f'data-v="{row.proxy}"' in page
    assert "jaxzc score nasbench201 --out s.parquet" in page
    assert sorted(p.name for p in (tmp_path / "r" / "figures").iterdir()) == sorted(
        f"{name}.{kind}" for name in ("intervals", "networks", "size", "proxies", "cost") for kind in ("png", "svg")
    )


def test_coverage_and_undefined_values_are_shown(evaluation: Evaluation, tmp_path: Path) -> None:
    page = text_of(report.write(evaluation, tmp_path / "r"))
    assert "55 of 60" in page
    row = next(row for row in evaluation.rows if row.proxy == "params")
    assert math.isnan(row.statistics["spearman_given_params"].value)
    line = re.search(r'<tr class="baseline"><th scope="row" data-v="params">.*?</tr>', page)
    assert line is not None
    assert 'data-v=""' in line[0]
    assert "nan" not in line[0]


def test_every_statistic_has_a_name_of_its_own(evaluation: Evaluation) -> None:
    assert [column.name for column in columns.KNOWN if column.name not in STATISTICS] == []
    assert "no description" not in {column.meaning for column in columns.columns_of(evaluation.rows)}


def test_names_are_text_wherever_they_come_from(evaluation: Evaluation, tmp_path: Path) -> None:
    page = text_of(report.write(renamed(evaluation, HOSTILE), tmp_path / "r", commands=[HOSTILE]))
    assert "<script>alert" not in page
    assert page.count("</script>") == text_of(report.write(evaluation, tmp_path / "plain")).count("</script>")


def test_same_evaluation_same_bytes(evaluation: Evaluation, tmp_path: Path) -> None:
    for name in ("a", "b"):
        report.write(evaluation, tmp_path / name, commands=["x"])
    for path in sorted((tmp_path / "a").rglob("*.*")):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes(), path.name


def test_a_whole_space_stays_a_small_page(tmp_path: Path) -> None:
    big = made(n=15625, proxies=20, resamples=0)
    assert report.write(big, tmp_path / "r").stat().st_size < 60e3 * len(big.rows)


def test_refusals(evaluation: Evaluation, tmp_path: Path) -> None:
    report.write(evaluation, tmp_path / "r")
    with pytest.raises(JaxzcError, match="has a report already"):
        report.write(evaluation, tmp_path / "r")
    report.write(evaluation, tmp_path / "r", overwrite=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(JaxzcError, match="is a file, and a report is a directory"):
        report.write(evaluation, tmp_path / "file")
    with pytest.raises(JaxzcError, match="create it first"):
        report.write(evaluation, tmp_path / "none" / "r")


def test_pareto_front_and_places() -> None:
    score, size = np.array([3.0, 1.0, 2.0, np.nan, 5.0, 5.0]), np.array([2.0, 1.0, 2.0, 0.5, 4.0, 3.0])
    assert order.pareto(score, size).tolist() == [1, 0, 5]
    np.testing.assert_array_equal(order.places(np.array([2.0, 7.0, np.nan, 2.0])), [2.5, 1.0, np.nan, 2.5])
    assert order.first(np.array([2.0, np.nan, 7.0, 2.0]), 3).tolist() == [2, 0, 3]
    assert order.first(np.array([np.nan, 1.0]), 3).tolist() == [1]


def test_similar_proxies_stand_side_by_side() -> None:
    blocks = np.kron(np.eye(2), np.full((2, 2), 0.9)) + 0.1 * np.eye(4)
    mixed = blocks[np.ix_([0, 2, 1, 3], [0, 2, 1, 3])]
    sequence = order.clustered(mixed)
    assert sorted(sequence) == [0, 1, 2, 3]
    assert {frozenset(sequence[:2]), frozenset(sequence[2:])} == {frozenset({0, 2}), frozenset({1, 3})}


# In a browser.


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
def page_file(evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report.write(renamed(evaluation, HOSTILE), tmp_path_factory.mktemp("report") / "r", commands=["jaxzc demo"])


def opened(browser: Any, path: Path, width: int = 1280, **options: Any) -> tuple[Any, list[str]]:
    """The page, and a list that grows with every console message, error, dialog and request."""
    page = browser.new_context(viewport={"width": width, "height": 800}, **options).new_page()
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("dialog", lambda dialog: (heard.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: heard.append(request.url) if request.url != path.as_uri() else None)
    page.goto(path.as_uri())
    return page, heard


def test_browser_sorts_by_a_heading(browser: Any, page_file: Path, evaluation: Evaluation) -> None:
    page, heard = opened(browser, page_file)
    names = "[...document.querySelectorAll('#board tbody th')].map(e => e.textContent)"
    assert page.evaluate(names) == [HOSTILE, *(row.proxy for row in evaluation.rows[1:])]
    for wanted in (False, True):
        page.get_by_role("button", name="Kendall").click()
        values = page.evaluate("[...document.querySelectorAll('#board tbody tr')].map(r => Number(r.cells[2].dataset.v))")
        assert values == sorted(values, reverse=not wanted)
    assert heard == []


def test_browser_shows_a_network_under_the_pointer(browser: Any, page_file: Path) -> None:
    page, heard = opened(browser, page_file)
    canvas = page.locator("#against-metric")
    canvas.scroll_into_view_if_needed()
    canvas.focus()
    page.keyboard.press("ArrowRight")
    assert "arch" in page.locator("#tip").text_content() or HOSTILE in page.locator("#tip").text_content()
    assert heard == []


def test_browser_dark_and_light_differ(browser: Any, page_file: Path) -> None:
    colours = []
    for scheme in ("light", "dark"):
        page, heard = opened(browser, page_file, color_scheme=scheme)
        background = "getComputedStyle(document.documentElement).backgroundColor + getComputedStyle(document.body).color"
        colours.append(page.evaluate(background))
        page.locator("#theme").click()
        colours.append(page.evaluate(background))
        assert heard == []
    assert colours[0] == colours[3] != colours[1] == colours[2]


def test_browser_on_a_phone_never_scrolls_sideways(browser: Any, page_file: Path) -> None:
    page, heard = opened(browser, page_file, width=360, is_mobile=True, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert heard == []


def test_the_data_of_the_page_is_json_of_the_evaluation(evaluation: Evaluation, tmp_path: Path) -> None:
    page = text_of(report.write(evaluation, tmp_path / "r"))
    found = re.search(r'<script[^>]*id="data"[^>]*>(.*?)</script>', page, re.S)
    assert found is not None
    data = json.loads(found[1])
    assert data["networks"] == len(evaluation.archs)
    assert [proxy["name"] for proxy in data["proxies"]] == [row.proxy for row in evaluation.rows]
    np.testing.assert_allclose(data["truth"], evaluation.truth, rtol=1e-5)
