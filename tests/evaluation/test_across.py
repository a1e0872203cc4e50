"""Leaderboards over several benchmarks: ranks, tests and blocks by hand, descriptions refused in one sentence, runs that go on."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import jaxzc
from jaxzc.evaluation import Benchmark, Leaderboard, read_description
from jaxzc.evaluation.across import judging
from jaxzc.evaluation.across.ranking import cliques, friedman, mean_ranks, over_blocks, shares_of_first
from jaxzc.evaluation.across.request import LeaderboardRequest
from jaxzc.evaluation.across.text import csv_lines, ordinal, verdict
from jaxzc.tables import read_scores, write_scores
from jaxzc.types import JaxzcError
from tests.support.boards import files

ORDERS = np.array([[3.0, 2, 1], [3, 2, 1], [2, 3, 1], [3, 1, 2]])
"""Values of three proxies in four blocks: ranks 1 2 3, 1 2 3, 2 1 3, 1 3 2."""


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Leaderboard:
    return jaxzc.leaderboard(files(tmp_path_factory.mktemp("board")), resamples=40)


def test_friedman_by_hand() -> None:
    """chi2 = 12 N / (k (k + 1)) (sum of squared mean ranks - k (k + 1)^2 / 4)."""
    test = friedman(ORDERS)
    assert mean_ranks(ORDERS).tolist() == [1.25, 2.0, 2.75]
    assert (test.proxies, test.blocks) == (3, 4)
    assert test.chi2 == pytest.approx(4 * (1.25**2 + 2**2 + 2.75**2 - 12))
    assert test.p == pytest.approx(math.exp(-test.chi2 / 2))  # chi-squared with 2 degrees of freedom
    assert test.f == pytest.approx(3 * 4.5 / (8 - 4.5))
    assert test.p_f == pytest.approx(float(stats.f.sf(test.f, 2, 6)))
    assert test.critical_difference == pytest.approx(2.343 * math.sqrt(12 / 24), abs=2e-3)  # Demsar's table 5: q of 3 is 2.343


def test_critical_difference_of_the_paper() -> None:
    """Demsar's example, section 3.2.2: 4 classifiers on 14 data sets, critical difference 1.25."""
    assert friedman(np.random.default_rng(0).normal(size=(14, 4))).critical_difference == pytest.approx(1.25, abs=0.005)


def test_one_order_everywhere_and_too_few_blocks() -> None:
    test = friedman(np.array([[3.0, 2, 1]] * 3))
    assert (test.chi2, test.f, test.p_f) == (pytest.approx(6), math.inf, 0)
    for values in (ORDERS[:1], ORDERS[:, :2], np.ones((4, 3))):
        assert math.isnan(friedman(values).chi2)


def test_cliques_are_the_largest_groups() -> None:
    assert cliques([1.25, 2, 2.75], 1) == [(0, 1), (1, 2)]
    assert cliques([1.25, 2, 2.75], 1.5) == [(0, 2)]
    assert cliques([1.25, 2, 2.75], 0.5) == []


def test_ties_share_and_nan_ranks_last() -> None:
    assert mean_ranks(np.array([[1.0, 1, np.nan, 0]])).tolist() == [1.5, 1.5, 4, 3]
    assert shares_of_first(np.array([[1.0, 1], [1, 2], [3, 3]])).tolist() == [0.75, 0.25, 0]
    assert over_blocks(np.array([[1.0], [3], [7]]), ["a", "a", "b"]).tolist() == [[2], [7]]


def test_benchmarks_of_one_score_file_are_one_block(board: Leaderboard) -> None:
    assert [judgement.block for judgement in board.judgements] == ["one, first", "one, first", "two <b>"]
    assert board.blocks == ["one, first", "two <b>"]
    assert board.friedman.blocks == 2


def test_standings_by_hand(board: Leaderboard) -> None:
    rows = {row.proxy: row for row in board.standings}
    first, second = np.arange(24.0), np.roll(np.arange(24.0), 12)
    between = float(np.asarray(stats.spearmanr(first, second))[0])
    good = 1 - 12 / (24 * (24**2 - 1))  # two neighbours exchanged: 6 (1 + 1) over n (n^2 - 1)
    assert rows["only"].benchmarks == 1
    assert math.isnan(rows["only"].rank.value)
    assert [judgement.place(name) for judgement, name in zip(board.judgements, ("good", "params", "only"), strict=True)] == [1, 1, 1]
    assert board.judgements[2].place("good") == 3  # after the log-rank of both, which has more of the exact order
    on_second = float(np.asarray(stats.spearmanr(np.r_[1, 0, 2:24], second))[0])
    assert rows["good"].spearman.value == pytest.approx(((good + on_second) / 2 + good) / 2)
    assert rows["good"].over_params.value == pytest.approx(rows["good"].spearman.value - ((between + 1) / 2 + between) / 2)
    assert rows["poor"].coverage == pytest.approx(18 / 24)
    assert rows["params"].over_params.value == 0
    assert rows["good"].rank.low <= rows["good"].rank.value <= rows["good"].rank.high
    ranked = [row for row in board.standings if math.isfinite(row.rank.value)]
    assert sum(row.rank.value for row in ranked) == pytest.approx(len(ranked) * (len(ranked) + 1) / 2)
    assert sum(row.first for row in ranked) == pytest.approx(1)
    assert [row.rank.value for row in ranked] == sorted(row.rank.value for row in ranked)


def test_aggregates_are_judged_where_their_proxies_are(board: Leaderboard) -> None:
    assert [dict(judgement.absent) for judgement in board.judgements] == [{"late": ("only",)}, {"late": ("only",)}, {}]
    assert board.judgements[0].row("late") is None
    assert board.judgements[2].row("late") is not None


def test_the_text_says_where_sizes_stand(board: Leaderboard) -> None:
    text = str(board)
    assert max(map(len, text.splitlines()[: len(board.standings) + 1])) <= 100
    assert "one, first: 24 networks, 6 proxies; best good 0.999; params " in text
    assert "no late (only not scored)" in text
    assert "2 blocks of 3 benchmarks: Friedman chi2" in verdict(board.friedman, len(board.judgements))
    assert [ordinal(n) for n in (1, 2, 3, 11, 21, 112)] == ["1st", "2nd", "3rd", "11th", "21st", "112th"]


def test_the_text_says_which_scores_are_in_doubt(tmp_path: Path) -> None:
    path = files(tmp_path)
    write_scores(tmp_path / "one.parquet", read_scores(tmp_path / "one.csv").columns, {"doubts": {"good": "rounding decides"}})
    path.write_text(path.read_text().replace("one.csv", "one.parquet"))
    sentences = [line for line in str(jaxzc.leaderboard(path, resamples=0)).splitlines() if "in doubt, good: rounding decides" in line]
    assert [line.partition(":")[0] for line in sentences] == ["one, first", "one, second"]


def test_csv_has_a_line_for_each_proxy_and_benchmark(board: Leaderboard) -> None:
    lines = csv_lines(board.standings, board.judgements)
    assert len(lines) == sum(len(judgement.ranked) for judgement in board.judgements)
    good = next(line for line in lines if line["proxy"] == "good" and line["benchmark"] == "two <b>")
    assert (good["place"], good["networks"], good["block"]) == (3, 24, "two <b>")
    assert good["spearman"] == pytest.approx(1 - 12 / (24 * (24**2 - 1)))


def test_a_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, keep = files(tmp_path), tmp_path / "judged"
    request = LeaderboardRequest(path, resamples=12, keep=keep)
    before = jaxzc.leaderboard(request)
    kept = sorted(keep.glob("*.npz"))
    assert len(kept) == 3
    evaluate = judging.evaluate
    monkeypatch.setattr(judging, "evaluate", lambda request: pytest.fail("judged again"))
    again = jaxzc.leaderboard(request)
    assert str(again) == str(before)
    assert again.judgements[2].evaluation.archs == before.judgements[2].evaluation.archs
    monkeypatch.setattr(judging, "evaluate", evaluate)
    kept[0].write_bytes(b"torn")
    assert str(jaxzc.leaderboard(request)) == str(before)
    assert len(sorted(keep.glob("*.npz"))) == 3
    jaxzc.leaderboard(replace(request, seed=1))
    assert len(sorted(keep.glob("*.npz"))) == 6


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('metric = "second"', "", "benchmark 'one, second': metric is missing: add metric = ..."),
        ('metric = "second"', 'metrik = "second"', "unknown entry 'metrik': did you mean 'metric'?"),
        ('metric = "second"', "metric = 2", "metric = 2: expected a text"),
        ('name = "one, second"', 'name = "one, first"', "two benchmarks called 'one, first'"),
        ('scores = "two.csv"', 'scores = "three.csv"', "there is no score file .*three.csv: make it with `jaxzc score somewhere`"),
        ('title = "A & B"', 'proxies = "good"', "proxies = 'good': expected a list of texts"),
        ('title = "A & B"', "title", "cannot be read as TOML"),
    ],
)
def test_descriptions_that_cannot_be_used(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = files(tmp_path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(JaxzcError, match=said):
        read_description(path)


def test_tables_are_looked_for_in_a_directory(tmp_path: Path) -> None:
    path = files(tmp_path)
    (tmp_path / "tables").mkdir()
    (tmp_path / "truth.csv").rename(tmp_path / "tables/truth.csv")
    with pytest.raises(JaxzcError, match=r"there is no table of accuracies .*truth.csv: give its directory \(--tables\)"):
        read_description(path)
    assert read_description(path, tmp_path / "tables").benchmarks[0].table == tmp_path / "tables/truth.csv"


def test_benchmarks_in_python(tmp_path: Path) -> None:
    files(tmp_path)
    benchmark = Benchmark("one", tmp_path / "one.csv", tmp_path / "truth.csv", "first")
    board = jaxzc.leaderboard([benchmark], proxies="good", resamples=0)
    assert [row.proxy for row in board.standings] == ["good", "params", "flops"] or board.standings[0].proxy == "good"
    assert math.isnan(board.standings[0].rank.low)
    assert "too few for Friedman's test" in str(board)
    with pytest.raises(JaxzcError, match="two benchmarks are called 'one'"):
        jaxzc.leaderboard([benchmark, benchmark])
    with pytest.raises(JaxzcError, match="has none of the proxies nothing"):
        jaxzc.leaderboard([benchmark], proxies=["nothing"])
    with pytest.raises(JaxzcError, match="a LeaderboardRequest and also seed"):
        jaxzc.leaderboard(LeaderboardRequest([benchmark]), seed=1)


def test_distinct_networks_only(tmp_path: Path) -> None:
    files(tmp_path)
    benchmark = Benchmark("one", tmp_path / "one.csv", tmp_path / "truth.csv", "first", distinct=True)
    with pytest.raises(JaxzcError, match=r"one.csv has no column 'scored', which says whose scores a row has: leave out `distinct`"):
        jaxzc.leaderboard([benchmark], resamples=0)
    archs = [f"net{k:02}" for k in range(24)]
    members = [f"net{k - k % 2:02}" for k in range(24)]  # every two are one network
    write_scores(tmp_path / "one.csv", {"arch": archs, "scored": members, "good": np.repeat(np.arange(12.0), 2)}, {}, overwrite=True)
    board = jaxzc.leaderboard([benchmark], resamples=0)
    assert board.judgements[0].evaluation.archs == archs[::2]
    assert board.standings[0].spearman.value == 1
