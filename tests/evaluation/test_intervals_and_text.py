"""Intervals, paired comparisons and the noise ceiling of many networks, and how they are printed."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from jaxzc.evaluation import STATISTICS, Estimate, Evaluation, Row, compare, noise_ceiling, read_ceiling
from jaxzc.evaluation.text import format_comparison, format_leaderboard, format_statistics, write_csv
from jaxzc.tables import ScoreTable, write_scores
from jaxzc.types import JaxzcError
from tests.support.scored_tables import ARCHS, NAN, by_name, evaluate, many, rank_correlation


def test_the_order_of_rows_changes_nothing() -> None:
    scores, truth = many()
    shuffled = np.random.default_rng(0).permutation(240)
    again = ScoreTable({name: values[shuffled] for name, values in scores.columns.items()})
    first, second = (evaluate(s, t, resamples=50) for s, t in ((scores, truth), (again, dict(reversed(truth.items())))))
    assert [row.proxy for row in first.rows] == [row.proxy for row in second.rows]
    for a, b in zip(first.rows, second.rows, strict=True):
        np.testing.assert_array_equal([*a.statistics.values()], [*b.statistics.values()])
    np.testing.assert_array_equal(first.correlation, second.correlation)
    third = evaluate(scores, truth, resamples=50, seed=1)
    assert third.rows[0].statistics["spearman"].low != first.rows[0].statistics["spearman"].low


def test_intervals_and_the_spread_over_seeds() -> None:
    scores, truth = many(n=400)
    row = by_name(evaluate(scores, truth, resamples=400))["good"]
    low, high = row.statistics["spearman"][1:]
    error = (1 - row.statistics["spearman"].value ** 2) * 1.06 / np.sqrt(400)  # of one seed; two seeds share the truth
    assert 0.6 * 2 * 1.96 * error < high - low < 1.1 * 2 * 1.96 * error
    accuracy = np.array([truth[arch] for arch in scores.columns["arch"]])
    each = [rank_correlation(scores.columns["good"][seed::2], accuracy[seed::2]) for seed in (0, 1)]
    assert row.statistics["spearman"].value == pytest.approx(np.mean(each))
    assert row.over_seeds["spearman"] == pytest.approx(np.std(each, ddof=1))
    wide = by_name(evaluate(scores, truth, resamples=400, level=0.99))["good"].statistics["spearman"]
    assert wide.low < low < high < wide.high
    none = by_name(evaluate(scores, truth))["good"].statistics["spearman"]
    assert np.isnan([none.low, none.high]).all()


def test_comparisons_are_paired() -> None:
    scores, truth = many()
    found = evaluate(scores, truth, resamples=300)
    better = compare(found, "good", "bad")
    accuracy = np.where(np.isnan(scores.columns["good"]), NAN, [truth[arch] for arch in scores.columns["arch"]])
    rho = {
        name: np.mean([rank_correlation(scores.columns[name][seed::2], accuracy[seed::2]) for seed in (0, 1)]) for name in ("good", "bad")
    }
    assert better.values == (pytest.approx(rho["good"]), pytest.approx(rho["bad"]))
    assert better.difference.value == pytest.approx(rho["good"] - rho["bad"])
    assert 0 < better.difference.low < better.difference.value < better.difference.high
    assert better.better > 0.99
    worse = compare(found, "bad", "good")
    assert worse.difference == pytest.approx((-better.difference.value, -better.difference.high, -better.difference.low))
    assert worse.better == pytest.approx(1 - better.better)
    assert compare(found, "bad", "good", "regret_1").better < 0.5
    assert np.isnan(compare(found, "bad", "flops").better)
    for arguments, message in (
        (("good", "none"), r"no proxy 'none': choose two of good, bad, params, flops"),
        (("good", "good"), "cannot be compared with itself"),
        (("good", "bad", "rho"), "unknown statistic 'rho'"),
    ):
        with pytest.raises(JaxzcError, match=message):
            compare(found, *arguments)


def test_noise_ceiling_of_the_evaluated_networks(tmp_path: Path) -> None:
    each = {f"acc_seed{k}": np.random.default_rng(k).normal(size=6) + np.arange(6) for k in range(3)}
    each["acc_seed1"][5] = NAN
    archs = [*ARCHS, "f"]
    write_scores(tmp_path / "t.parquet", {"arch": archs, "acc": np.arange(6.0), **each}, {})
    assert read_ceiling(tmp_path / "t.parquet", "acc") == noise_ceiling(each, "acc")
    some = read_ceiling(tmp_path / "t.parquet", "acc", ["a", "b", "c", "d"])
    assert some == noise_ceiling({name: values[:4] for name, values in each.items()}, "acc")
    rho = np.mean([rank_correlation(each[f"acc_seed{a}"][:4], each[f"acc_seed{b}"][:4]) for a, b in ((0, 1), (0, 2), (1, 2))])
    assert some == {"seed_to_seed": pytest.approx(rho), "mean_of_seeds": pytest.approx(3 * rho / (1 + 2 * rho))}
    (tmp_path / "t.csv").write_text("arch,acc\na,1\n")
    assert read_ceiling(tmp_path / "t.csv", "acc") == {}
    write_scores(tmp_path / "s.parquet", {"arch": archs, "acc": np.arange(6.0)}, {"noise_ceiling": {"acc": {"seed_to_seed": 0.9}}})
    assert read_ceiling(tmp_path / "s.parquet", "acc") == {"seed_to_seed": 0.9}
    assert read_ceiling(tmp_path / "s.parquet", "other") == {}


def test_the_printed_table_is_aligned() -> None:
    def row(name: str, value: float, *rest, **options) -> Row:
        estimates = {s: Estimate(value, value - 0.1, value + 0.1) for s in ("spearman", "kendall", "precision_10")}
        return Row(name, estimates, dict.fromkeys(estimates, 0.01), *rest, **options)

    rows = [row("synflow", 0.7685, 3000, 3001, 2, 2), row("ntk_condition", -0.5, 0, 0, 1, 2, higher_is_better=False)]
    found = Evaluation(rows, "acc", [], np.zeros(0), {}, np.zeros((2, 2)), {"seed_to_seed": 0.84}, {})
    assert format_leaderboard(found).splitlines() == [
        "proxy          spearman       [low, high]  kendall  top 10%  coverage  seeds",
        "synflow           0.768    [0.668, 0.868]    0.768    0.768    99.9 %      2",
        "ntk_condition    -0.500  [-0.600, -0.400]   -0.500   -0.500     nan %      1  flipped",
        "2 scored rows left out: the ground truth has no accuracy for their architecture",
        "noise ceiling: seed_to_seed 0.840 (Spearman)",
    ]
    assert format_statistics(found, ["kendall"]).splitlines() == [
        "proxy          kendall       [low, high]  over seeds",
        "synflow          0.768    [0.668, 0.868]       0.010",
        "ntk_condition   -0.500  [-0.600, -0.400]       0.010",
    ]


def test_the_csv_file_has_every_statistic_and_settings_are_kept(tmp_path: Path) -> None:
    scores, truth = many()
    found = evaluate(scores, truth, resamples=20, metric="acc", settings={"table": "t.csv"})
    write_csv(found, tmp_path / "l.csv")
    with open(tmp_path / "l.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["proxy"] for line in lines] == [row.proxy for row in found.rows]
    for name in STATISTICS:
        assert lines[0][f"{name}_low"] == ("" if name == "spearman_given_flops" else str(found.rows[0].statistics[name].low))
    assert (lines[-1]["proxy"], lines[-1]["spearman"], lines[-1]["finite"]) == ("flops", "", "0")
    assert json.loads(json.dumps(found.settings)) == {"resamples": 20, "seed": 0, "level": 0.95, "table": "t.csv", "scores_metadata": {}}
    assert format_comparison(compare(found, "good", "bad"), 0.95).startswith("spearman on 119 common networks: good ")
    with pytest.raises(JaxzcError, match=r"cannot be written \(Is a directory\)"):
        write_csv(found, tmp_path)
