"""The report's page on paper: what sticks on the screen stays in its place, and no page is half empty."""

from pathlib import Path
from typing import Any

import pytest

from jaxzc.report.web.page import page as page_of
from tests.support.browsing import opened
from tests.support.evaluations import evaluation_of
from tests.support.printed import filled

MARGIN_MM = 14  # of `@page` in print.css


def test_nothing_is_printed_over_another_page(browser: Any, page_file: Path) -> None:
    """What sticks on the screen stays in its place on paper, and names are whole."""
    page, heard = opened(browser, page_file)
    page.emulate_media(media="print")
    held = "[...document.querySelectorAll('#board th, #heat th')].filter(e => getComputedStyle(e).position !== 'static').length"
    cut = "[...document.querySelectorAll('.pick')].filter(e => getComputedStyle(e).overflow !== 'visible').length"
    assert (page.evaluate(held), page.evaluate(cut)) == (0, 0)
    assert heard == []


@pytest.mark.parametrize("proxies", [4, 12, 20, 40])
def test_no_printed_page_but_the_last_is_half_empty(browser: Any, tmp_path: Path, proxies: int) -> None:
    """Sections stay whole: one that is taller than what is left of a page goes to the next. 20 proxies and two counts are as many as
    `jaxzc demo` scores."""
    path = tmp_path / "index.html"
    path.write_text(page_of(evaluation_of(proxies=proxies, resamples=2), ["jaxzc demo"]), encoding="utf-8")
    page, _ = opened(browser, path)
    shares = filled(page.pdf(format="A4"), MARGIN_MM)
    assert len(shares) > 2
    assert min(shares[:-1]) > 0.5
    assert max(shares) < 1
