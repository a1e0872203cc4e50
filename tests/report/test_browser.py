"""The report's page in a real browser: it sorts, selects, saves and fits; skipped where there is none."""

from pathlib import Path
from typing import Any

import pytest

import jaxzc
from jaxzc.evaluation.results import Evaluation
from jaxzc.report.across.page import page as page_of_board
from tests.support.boards import files
from tests.support.browsing import opened
from tests.support.evaluations import HOSTILE, evaluation_of


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluation_of()


def test_browser_sorts_by_a_heading(browser: Any, page_file: Path, evaluation: Evaluation) -> None:
    page, heard = opened(browser, page_file)
    names = "[...document.querySelectorAll('#board tbody th')].map(e => e.textContent)"
    assert page.evaluate(names) == [HOSTILE, *(row.proxy for row in evaluation.rows[1:])]
    for wanted in (False, True):
        page.locator("#board").get_by_role("button", name="Kendall").click()
        values = page.evaluate("[...document.querySelectorAll('#board tbody tr')].map(r => Number(r.cells[2].dataset.v))")
        assert values == sorted(values, reverse=not wanted)
    assert heard == []


def test_browser_shows_a_network_under_the_pointer(browser: Any, page_file: Path) -> None:
    page, heard = opened(browser, page_file)
    plot = page.locator("#against-metric svg")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 12, box["y"] + 30)  # the proxy's first choices are in this corner
    for step in range(60):
        page.mouse.move(box["x"] + box["width"] - 12 - 2 * step, box["y"] + 30 + 2 * step)
        if page.locator("#tip").is_visible():
            break
    assert "place" in page.locator("#tip").text_content()
    first = page.locator("#network pre").text_content()
    plot.focus()
    page.keyboard.press("ArrowLeft")
    second = page.locator("#network pre").text_content()
    assert first != second
    assert {first, second} <= {f"arch {k}" for k in range(60)} | {HOSTILE}
    assert heard == []


def test_browser_puts_the_best_first_where_lower_is_better(browser: Any, page_file: Path) -> None:
    page, heard = opened(browser, page_file)
    page.locator("#board").get_by_role("button", name="regret@10").click()
    values = page.evaluate("[...document.querySelectorAll('#board tbody tr')].map(r => r.cells[8].dataset.v).map(Number)")
    head = page.evaluate("document.querySelector('#board thead').rows[0].cells[8].textContent")
    assert head == "regret@10"
    assert values == sorted(values)
    assert heard == []


def test_browser_selects_a_proxy_everywhere(browser: Any, page_file: Path) -> None:
    page, heard = opened(browser, page_file)
    page.locator("#intervals").get_by_role("button", name="proxy2").click()
    assert page.locator("#proxy").input_value() == "proxy2"
    assert page.locator("#board tr.selected th").text_content() == "proxy2"
    assert page.locator("#heat tr.selected th").text_content() == "proxy2"
    assert page.locator(".selected-name").text_content() == "proxy2"
    assert "proxy2" in page.locator("#against-metric svg").get_attribute("aria-label")
    assert page.locator('#cost-plot text[font-weight="700"]').text_content() == "proxy2"
    page.locator("#board").get_by_role("button", name="proxy3", exact=True).click()
    assert page.locator("#size .track.selected").get_attribute("data-proxy") == "proxy3"
    assert heard == []


def test_browser_tips_cover_no_control(browser: Any, page_file: Path) -> None:
    page, heard = opened(browser, page_file)
    covered = """() => {
        const box = document.getElementById("tip").getBoundingClientRect();
        const over = (other) => Math.min(box.right, other.right) > Math.max(box.left, other.left)
            && Math.min(box.bottom, other.bottom) > Math.max(box.top, other.top);
        const controls = [...document.querySelectorAll("select, input, #theme, #board thead button")];
        return controls.filter((control) => over(control.getBoundingClientRect())).length;
    }"""
    for head in page.locator("#board thead button[data-tip]").all():
        if head.is_visible():
            head.hover()
            assert page.locator("#tip").is_visible()
            assert page.evaluate(covered) == 0
    assert heard == []


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_browser_saves_the_view_that_is_shown(browser: Any, page_file: Path, tmp_path: Path, kind: str) -> None:
    page, _ = opened(browser, page_file)
    page.locator("#proxy").select_option("proxy2")
    with page.expect_download() as download:
        page.locator(f'#networks [data-save="{kind}"]').first.click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.name == f"proxy2_against_metric.{kind}"
    content = path.read_bytes()
    if kind == "png":
        assert content.startswith(b"\x89PNG")
    else:
        text = content.decode()
        assert "place by proxy2" in text
        assert "var(--" not in text


def test_browser_saves_the_table_that_is_shown(browser: Any, page_file: Path, tmp_path: Path) -> None:
    page, _ = opened(browser, page_file)
    page.locator("#board thead").get_by_role("button", name="proxy").click()
    with page.expect_download() as download:
        page.locator("#csv").click()
    download.value.save_as(tmp_path / "board.csv")
    lines = (tmp_path / "board.csv").read_text().splitlines()
    assert lines[0].startswith("proxy,Spearman ρ,Spearman ρ low,Spearman ρ high,Kendall")
    assert lines[0].endswith("coverage,passes")
    assert [line.split(",")[0] for line in lines[2:]] == ["flops", "params", "proxy1", "proxy2", "proxy3"]


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


@pytest.mark.parametrize("width", [360, 1280])
def test_browser_never_scrolls_sideways(browser: Any, page_file: Path, width: int) -> None:
    page, heard = opened(browser, page_file, width=width, is_mobile=width < 500, has_touch=width < 500)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.get_by_role("link", name="Leaderboard").first.is_visible()
    board = "document.getElementById('board-scroll')"
    assert page.evaluate(f"{board}.scrollHeight <= {board}.clientHeight + 1")  # no box that scrolls within the page
    assert page.evaluate(f"{board}.scrollWidth <= {board}.clientWidth + 1") or width < 500
    bar, head = "document.querySelector('body > .bar')", "document.querySelector('#board thead th')"
    if width > 500:
        assert page.evaluate(f"getComputedStyle({head}).top") == f"{page.evaluate(f'{bar}.offsetHeight')}px"
    assert heard == []


def test_browser_opens_a_leaderboard_as_it_opens_a_report(browser: Any, tmp_path: Path) -> None:
    """The first proxy is selected, the button names the other theme, and the bar fits a phone."""
    path = tmp_path / "index.html"
    path.write_text(page_of_board(jaxzc.leaderboard(files(tmp_path), resamples=10)), encoding="utf-8")
    page, heard = opened(browser, path, width=390, is_mobile=True, has_touch=True, color_scheme="dark")
    assert page.locator("#board tr.selected th").text_content() == page.locator("#proxy").input_value()
    assert page.locator("#theme").text_content() == "Light"
    heights = "[...document.querySelectorAll('.brand, .bar label, #theme')].map(e => e.getBoundingClientRect().bottom)"
    assert max(page.evaluate(heights)) < 45
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert heard == []
