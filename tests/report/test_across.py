"""The leaderboard as a page, tables and a figure: they say what the board says, and text stays text."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import jaxzc
from jaxzc import report
from jaxzc.evaluation import Leaderboard
from jaxzc.report.across.page import page
from tests.support.boards import files
from tests.support.commands import refused, run


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Leaderboard:
    return jaxzc.leaderboard(files(tmp_path_factory.mktemp("board")), resamples=40)


def test_the_figure_draws_mean_ranks_and_bars(board: Leaderboard) -> None:
    rows = [row for row in board.standings if math.isfinite(row.rank.value)]
    axes = report.plot_critical_difference(board)
    drawn = [np.asarray(line.get_xydata()) for line in axes.lines]
    dots = sorted(float(line[0, 0]) for line in drawn if len(line) == 1)
    ranks = np.array([row.rank.value for row in rows])
    np.testing.assert_allclose(np.diff(dots) / (dots[-1] - dots[0]), np.diff(ranks) / (ranks[-1] - ranks[0]))  # one linear scale
    texts = [text.get_text() for text in axes.texts]
    assert {text.partition("  ")[0] for text in texts} >= {row.proxy for row in rows[: math.ceil(len(rows) / 2)]}
    assert any(text.startswith("critical difference") for text in texts)
    assert report.plot_critical_difference(board, axes) is axes
    one = replace(board, friedman=board.friedman._replace(critical_difference=math.nan, blocks=1))
    assert "no test: 1 block of benchmarks" in [text.get_text() for text in report.plot_critical_difference(one).texts]


def test_tables_mark_the_best_and_escape(board: Leaderboard) -> None:
    latex, markdown = report.latex_board(board), report.markdown_board(board)
    assert r"two \textless{}b\textgreater{}" in latex
    assert r"\textit{params}" in latex
    assert latex.count(r"\\") == len(board.standings) + 1
    assert "two &lt;b&gt;" in markdown
    assert "**" in markdown
    only = next(line for line in markdown.splitlines() if line.startswith("| only |"))
    assert only.split("|")[2:5] == [" – "] * 3  # a mean over fewer benchmarks does not compare
    assert len(markdown.splitlines()) == len(board.standings) + 2
    text = report.markdown_page(board, ["jaxzc leaderboard x"])
    assert text.startswith("# A & B\n\nWords *of ours*.\n")
    assert "\n## two &lt;b&gt;\n" in text
    assert "```\njaxzc score somewhere\n```" in text
    assert re.findall(r"(?<![\w.\])/*:])-?\.\d+", text) == []


def test_the_page_is_whole_and_loads_nothing(board: Leaderboard) -> None:
    text = page(board, ["jaxzc leaderboard x"])
    assert page(board, ["jaxzc leaderboard x"]) == text
    assert "<title>A &amp; B · jaxzc</title>" in text
    assert "two &lt;b&gt;" in text
    assert "<b>" not in text
    assert not re.search(r"\$\w", text.partition("<script>")[0].partition("</style>")[2])
    assert text.count('data-proxy="good"') >= 5
    assert "src=" not in text


def test_the_command_writes_everything(here: Path) -> None:
    path = files(here)
    result = run("leaderboard", path, "--resamples", "20", "--out", "out")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[0].split()[:2] == ["proxy", "rank"]
    assert result.out.endswith("out/index.html: the leaderboard; open it in a browser\n")
    names = {p.relative_to("out").as_posix() for p in Path("out").rglob("*") if p.is_file() and p.suffix != ".npz"}
    figures = {f"figures/critical_difference.{kind}" for kind in ("pdf", "svg", "png")}
    assert names == {"index.html", "leaderboard.csv", "leaderboard.md", "leaderboard.tex", *figures}
    assert "--resamples 20 --out out" in Path("out/leaderboard.md").read_text()
    refused(run("leaderboard", path, "--out", "out"), "out has a leaderboard already")
    assert run("leaderboard", path, "--resamples", "20", "--out", "out", "--overwrite").out == result.out
    refused(run("leaderboard", "nowhere.toml"), "there is no file nowhere.toml")
    refused(run("leaderboard", path, "--proxies", ","), "names none")
