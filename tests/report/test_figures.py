"""Figures and tables for papers: axes that say what the evaluation says, text that stays text, names that cover nothing."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from jaxzc import report
from jaxzc.evaluation import compare
from jaxzc.evaluation.results import Evaluation
from jaxzc.report import labels, look, marks
from jaxzc.scoring.space.sweet_interval import EDGES, best_interval
from jaxzc.types import JaxzcError
from tests.support.evaluations import HOSTILE, evaluation_of, renamed


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluation_of()


def dots(axes: Axes) -> list[tuple[float, float]]:
    """The single points that were drawn as lines of one point."""
    lines = [np.asarray(line.get_xydata()) for line in axes.lines]
    return [(float(line[0, 0]), float(line[0, 1])) for line in lines if len(line) == 1]


def test_intervals_draw_the_rows(evaluation: Evaluation) -> None:
    axes = report.plot_intervals(evaluation)
    assert dots(axes) == [(row.statistics["spearman"].value, k) for k, row in enumerate(evaluation.rows)]
    assert [text.get_text() for text in axes.get_yticklabels()] == [row.proxy for row in evaluation.rows]


def test_axes_that_are_given_are_drawn_on(evaluation: Evaluation) -> None:
    given = Figure((6, 3)).add_subplot()
    assert report.plot_size(evaluation, given) is given
    assert report.plot_cost(evaluation, "passes", Figure().add_subplot()).get_xlabel() == "forward passes per score"
    assert report.plot_comparisons([compare(evaluation, "proxy1", "proxy2")], Figure().add_subplot()).lines


def test_equal_series_stand_side_by_side(evaluation: Evaluation) -> None:
    row = evaluation.rows[0]
    equal = dict.fromkeys(marks.SIZE_SERIES, row.statistics["spearman"])
    axes = report.plot_size(replace(evaluation, rows=[replace(row, statistics=equal)]))
    heights = [float(np.asarray(line.get_ydata())[0]) for line in axes.lines[:3]]
    assert heights == marks.lanes(3) == [-0.25, 0.0, 0.25]


def test_cost_names_every_proxy_and_writes_no_tex(evaluation: Evaluation) -> None:
    axes = report.plot_cost(evaluation, "passes")
    assert {text.get_text() for text in axes.texts} == {"proxy0", "proxy1", "proxy2"}
    look.figure_of(axes).canvas.draw()
    ticks = [text.get_text() for text in axes.get_xticklabels()]
    assert ticks[0] == "0"
    assert all("$" not in tick for tick in ticks)
    with pytest.raises(JaxzcError, match="the cost in 'flops' of these scores is not known: choose one of passes, seconds"):
        report.plot_cost(evaluation, "flops")


def test_rows_at_one_place_share_a_mark(evaluation: Evaluation) -> None:
    rows = [replace(row, cost={"passes": 2.0}, statistics=evaluation.rows[0].statistics) for row in evaluation.rows[:2]]
    found = marks.costs(replace(evaluation, rows=rows))["passes"]
    assert [mark.label for mark in found] == [f"{rows[0].proxy}, {rows[1].proxy}"]


def test_names_cover_no_point_and_no_other_name() -> None:
    points = np.random.default_rng(0).uniform(20, 280, (20, 2))
    sizes = [(30.0, 7.0)] * 20
    places = labels.places(points, sizes, (0, 0, 300, 300))
    boxes = []
    for (px, py), (dx, dy), (width, height) in zip(points, places, sizes, strict=True):
        left = px + dx - (width / 2 if dx == 0 else width if dx < 0 else 0)
        boxes.append((left, py + dy - height / 2, left + width, py + dy + height / 2))
    for a, b in itertools.combinations(boxes, 2):
        assert a[2] <= b[0] + 1e-6 or b[2] <= a[0] + 1e-6 or a[3] <= b[1] + 1e-6 or b[3] <= a[1] + 1e-6
    for (left, bottom, right, top), (x, y) in itertools.product(boxes, points):
        assert not (left < x < right and bottom < y < top)


@pytest.mark.parametrize("width", [report.ONE_COLUMN, report.TWO_COLUMNS])
def test_files_are_as_wide_as_a_column_and_keep_their_text(evaluation: Evaluation, tmp_path: Path, width: float) -> None:
    axes = report.plot_intervals(renamed(evaluation, "$x_1$ <b>"), width=width)
    report.save(axes, tmp_path / "a.svg")
    svg = (tmp_path / "a.svg").read_text()
    assert f'width="{72 * width:g}pt"' in svg
    assert "$x_1$ &lt;b&gt;</text>" in svg
    report.save(axes, tmp_path / "a.pdf")
    assert b"/Subtype /Type0" in (tmp_path / "a.pdf").read_bytes()  # a font, not outlines
    with pytest.raises(JaxzcError, match=r"ends in none of \.pdf, \.svg, \.png"):
        report.save(axes, tmp_path / "a.jpg")


def colour_blind(colour: str, kind: int) -> np.ndarray:
    """The colour in linear RGB as protanopes, deuteranopes and tritanopes see it (Machado et al. 2009, severity 1)."""
    matrices = [
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ]
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.clip(np.array(matrices[kind]) @ linear, 0, 1)


def lab(linear: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear sRGB, white D65."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear / [0.9505, 1, 1.089]
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_series_stay_apart_for_the_colour_blind(kind: int) -> None:
    seen = [lab(colour_blind(colour, kind)) for colour in report.SERIES]
    assert min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2)) > 20  # about 2 is just noticeable


def test_latex_escapes_and_marks_the_best(evaluation: Evaluation) -> None:
    text = report.latex_table(renamed(evaluation, "a_b & 5 %"), ["spearman", "regret_10"], intervals=False)
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert rows[0] == r"proxy & Spearman $\rho$ & regret@10 \\"
    assert rows[1].startswith(r"a\_b \& 5 \% & \textbf{" + f"{evaluation.rows[0].statistics['spearman'].value:.3f}" + "}")
    assert r"\textit{params}" in text
    assert text.startswith(r"% jaxzc evaluate: a_b & 5 % of 60 networks")
    with pytest.raises(JaxzcError, match="no statistic 'r2'"):
        report.latex_table(evaluation, ["r2"])


def test_markdown_is_one_table(evaluation: Evaluation) -> None:
    lines = report.markdown_table(renamed(evaluation, HOSTILE), rows=2).splitlines()
    assert len(lines) == 4
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
    assert "<script" not in lines[2]


def test_sweet_interval_says_and_draws_what_was_found() -> None:
    trend = np.linspace(-0.5, 0.4, len(EDGES) - 1)
    trend[12] = 0.75
    found = best_interval(trend)
    text = report.sweet_sentence(found, 100, "nasbench201")
    assert "In 100 untrained networks of nasbench201" in text
    assert "[0.0001, 0.0005) rises from one cell to the next more often than it falls, by 0.750 of the steps" in text
    axes = report.plot_sweet_interval(found)
    assert [bar.get_height() for bar in axes.patches if isinstance(bar, Rectangle)] == trend.tolist()
    none = best_interval(-np.abs(trend) - 0.1)
    assert "there is no sweet interval here" in report.sweet_sentence(none, 100, "nasbench201")
    assert to_rgba(look.ACCENT) in {bar.get_facecolor() for bar in axes.patches}
    assert to_rgba(look.ACCENT) not in {bar.get_facecolor() for bar in report.plot_sweet_interval(none).patches}
