"""The report: a page that stands alone and says what the evaluation says."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jaxzc import report
from jaxzc.evaluation import STATISTICS, compare
from jaxzc.evaluation.compare import Comparison
from jaxzc.evaluation.results import Evaluation
from jaxzc.report import columns, figures, files, marks, order, scatter
from jaxzc.report.look import FORMATS, TWO_COLUMNS, encoded
from jaxzc.report.web import sections
from jaxzc.report.web.page import page as page_of
from jaxzc.types import JaxzcError
from tests.support.evaluations import HOSTILE, evaluation_of, renamed


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluation_of()


@pytest.fixture(scope="module")
def written(evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole report, in a directory; the tests of the page alone draw no figures."""
    directory = tmp_path_factory.mktemp("report") / "r"
    report.write(evaluation, directory, commands=["jaxzc score nasbench201 --out s.parquet"], comparisons=[pair_of(evaluation)])
    return directory


def pair_of(evaluation: Evaluation) -> Comparison:
    return compare(evaluation, "proxy1", "proxy2")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_page_stands_alone_and_names_every_row(evaluation: Evaluation, written: Path) -> None:
    page = text_of(written / report.PAGE)
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", page)
    assert not re.findall(r"@import|url\(", page)
    for row in evaluation.rows:
        assert f'data-v="{row.proxy}"' in page
    assert 'jaxzc score nasbench201 <span class="option">--out</span> s.parquet' in page  # no line ends behind the hyphens
    assert sorted(p.name for p in (written / "figures").iterdir()) == sorted(
        f"{name}.{kind}"
        for name in ("intervals", "networks", "size", "similarity", "cost_passes", "cost_seconds", "comparisons")
        for kind in ("pdf", "png", "svg")
    )
    for link in re.findall(r'href="((?:figures|tables)/[^"]+)"', page):
        assert (written / link).is_file(), link


def test_coverage_and_undefined_values_are_shown(evaluation: Evaluation) -> None:
    page = page_of(evaluation)
    assert "55 of 60" in page
    row = next(row for row in evaluation.rows if row.proxy == "params")
    assert math.isnan(row.statistics["spearman_given_params"].value)
    line = re.search(r'<tr class="baseline" data-proxy="params">.*?</tr>', page)
    assert line is not None
    assert 'data-v=""' in line[0]
    assert "nan" not in line[0]


def test_every_statistic_has_a_name_of_its_own(evaluation: Evaluation) -> None:
    assert [column.name for column in columns.KNOWN if column.name not in STATISTICS] == []
    assert "no description" not in {column.meaning for column in columns.columns_of(evaluation.rows)}


def test_names_are_text_wherever_they_come_from(evaluation: Evaluation) -> None:
    page = page_of(renamed(evaluation, HOSTILE), [HOSTILE])
    assert "<script>alert" not in page
    assert page.count("</script>") == page_of(evaluation).count("</script>")


def test_same_evaluation_same_bytes(evaluation: Evaluation, written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the figures two: the plain one of them, and the one that draws a sample."""
    drawn = {"intervals": figures.plot_intervals(evaluation, width=TWO_COLUMNS), "networks": scatter.plot_networks(evaluation)[0]}
    some = {f"figures/{name}.{kind}": encoded(axes, kind) for name, axes in drawn.items() for kind in FORMATS}
    monkeypatch.setattr(files, "drawings", lambda evaluation, comparisons: some)
    report.write(evaluation, tmp_path / "again", commands=["jaxzc score nasbench201 --out s.parquet"], comparisons=[pair_of(evaluation)])
    again = [path for path in sorted((tmp_path / "again").rglob("*")) if path.is_file()]
    assert len(again) == 2 * len(FORMATS) + 3
    for path in again:
        assert path.read_bytes() == (written / path.relative_to(tmp_path / "again")).read_bytes(), path.name


def test_a_whole_space_stays_a_small_page() -> None:
    big = evaluation_of(n=15625, proxies=20, resamples=0)
    assert len(page_of(big).encode()) < 60e3 * len(big.rows)


def test_refusals(evaluation: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "drawings", lambda evaluation, comparisons: {})  # seconds, and not what is refused
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


def test_what_is_counted_is_said_in_the_same_words(evaluation: Evaluation) -> None:
    assert sections.title(evaluation).startswith("4 zero-cost proxies on 60 networks")
    assert "<dt>proxies, beside 2 sizes</dt><dd>4</dd>" in sections.facts(evaluation)
    assert "The other 3 proxies and 2 sizes have a finite value" in sections.coverage(evaluation)


def test_lines_of_one_value_are_one_line_and_two_ceilings_differ(evaluation: Evaluation) -> None:
    assert marks.reference_lines(replace(evaluation, ceiling={}))[0].kind == "params"
    two = marks.reference_lines(replace(evaluation, ceiling={"a": 0.9, "b": 0.8}))[-2:]
    assert [line.kind for line in two] == ["ceiling0", "ceiling1"]
    same = marks.reference_lines(replace(evaluation, ceiling={"seed_to_seed": 0.9, "mean_of_seeds": 0.9}))[-1]
    assert same.label == "noise ceiling, one seed to another and noise ceiling, means over seeds"


def test_a_first_click_puts_the_best_on_top(evaluation: Evaluation) -> None:
    page = page_of(evaluation)
    best = {name: first for first, name in re.findall(r'data-best="(\w+)"><button[^>]*>([^<]+)<', page)}
    assert [best[name] for name in ("Spearman ρ", "nDCG", "coverage")] == ["descending"] * 3
    assert [best[name] for name in ("regret@1", "regret@10", "passes", "seconds", "proxy")] == ["ascending"] * 5


def test_pairs_have_a_section_of_their_own(evaluation: Evaluation) -> None:
    pair = pair_of(evaluation)
    page = page_of(evaluation, comparisons=[pair])
    assert f"{pair.values[0]:.3f}</td><td" in page
    assert "proxy1 \u2212 proxy2" in page
    assert 'id="pairs"' not in page_of(evaluation)


def test_the_data_of_the_page_is_json_of_the_evaluation(evaluation: Evaluation) -> None:
    page = page_of(evaluation)
    found = re.search(r'<script[^>]*id="data"[^>]*>(.*?)</script>', page, re.S)
    assert found is not None
    data = json.loads(found[1])
    assert data["networks"] == len(evaluation.archs)
    assert [proxy["name"] for proxy in data["proxies"]] == [row.proxy for row in evaluation.rows]
    np.testing.assert_allclose(data["truth"], evaluation.truth, rtol=1e-5)
