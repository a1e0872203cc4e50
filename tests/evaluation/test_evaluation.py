"""Whole tables: coverage, seeds, directions, baselines, comparison, ceiling, text; by hand and on published scores."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from jaxzc import evaluation
from jaxzc.evaluation import STATISTICS, Estimate, Evaluation, Row, compare, noise_ceiling, read_ceiling
from jaxzc.evaluation.text import format_comparison, format_leaderboard, format_statistics, write_csv
from jaxzc.tables import ScoreTable, read_truth, write_scores
from jaxzc.types import JaxzcError

SHARED = Path(os.environ.get("JAXZC_SHARED", Path(__file__).parents[2] / "../shared"))
NAN, INF = float("nan"), float("inf")
ARCHS = np.array(["a", "b", "c", "d", "e"], object)
TRUTH = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0, "e": 5.0}


def table(metadata=None, **columns) -> ScoreTable:
    return ScoreTable({"arch": ARCHS, **{name: np.asarray(values) for name, values in columns.items()}}, metadata or {})


def evaluate(*arguments, resamples: int = 0, **options) -> Evaluation:
    return evaluation.evaluate(*arguments, resamples=resamples, **options)


def by_name(found: Evaluation) -> dict[str, Row]:
    return {row.proxy: row for row in found.rows}


def of(row: Row, *names: str) -> tuple[float, ...]:
    return tuple(row.statistics[name].value for name in names)


def test_correlations_by_hand():
    # One swap of neighbours: rho = 1 - 6 * 2 / (5 * 24), tau = (9 - 1) / 10.
    rows = by_name(evaluate(table(params=[1, 2, 3, 4, 5], flops=[5, 4, 3, 2, 1], zen=[1.0, 3.0, 2.0, 4.0, 5.0]), TRUTH))
    assert of(rows["zen"], "spearman")[0] == pytest.approx(0.9)
    assert of(rows["zen"], "kendall")[0] == pytest.approx(0.8)
    assert (of(rows["params"], "spearman")[0], of(rows["flops"], "kendall")[0]) == (pytest.approx(1), pytest.approx(-1))
    assert (rows["zen"].finite, rows["zen"].total, rows["zen"].seeds, rows["zen"].unmatched) == (5, 5, 1, 0)


def test_ties_use_average_ranks_and_tau_b():
    values = [1.0, 1.0, 2.0, 2.0, 3.0]
    row = by_name(evaluate(table(zen=values), TRUTH))["zen"]
    assert of(row, "spearman")[0] == pytest.approx(np.asarray(stats.spearmanr(values, [1, 2, 3, 4, 5]))[0])
    assert of(row, "kendall")[0] == pytest.approx(8 / np.sqrt(8 * 10))


def test_not_finite_is_left_out_and_counted():
    rows = by_name(evaluate(table(naswot=[-INF, 1.0, 2.0, 3.0, NAN], few=[1.0, 2.0, INF, INF, NAN]), TRUTH))
    assert (of(rows["naswot"], "spearman")[0], rows["naswot"].finite, rows["naswot"].total, rows["naswot"].coverage) == (
        pytest.approx(1),
        3,
        5,
        0.6,
    )
    assert np.isnan(of(rows["few"], "spearman")[0])
    assert np.isnan(of(rows["few"], "kendall")[0])
    assert (rows["few"].finite, rows["few"].coverage, rows["few"].seeds) == (2, 0.4, 0)


def test_a_constant_column_is_undefined_without_a_warning():
    row = by_name(evaluate(table(zen=[2.0] * 5), TRUTH))["zen"]
    assert np.isnan(of(row, "spearman")[0])
    assert (row.finite, row.coverage) == (5, 1.0)
    assert np.isnan(of(by_name(evaluate(table(zen=[1, 2, 3, 4, 5]), dict.fromkeys(TRUTH, 1.0)))["zen"], "kendall")[0])


def test_the_baselines_are_always_there_and_order_is_by_spearman():
    rows = evaluate(table(up=[1, 2, 3, 4, 5], down=[5, 4, 3, 2, 1], middle=[2, 1, 3, 5, 4], params=[1, 2, 4, 3, 5]), TRUTH).rows
    assert [row.proxy for row in rows] == ["up", "params", "middle", "down", "flops"]
    assert (rows[-1].finite, rows[-1].total, rows[-1].coverage) == (0, 5, 0.0)


def test_columns_are_chosen_by_argument_or_metadata_or_type():
    scores = table({"proxies": ["zen"]}, zen=[1, 2, 3, 4, 5], seconds=[1, 2, 3, 4, 5], note=list("vwxyz"), seed=[0] * 5)
    assert {row.proxy for row in evaluate(scores, TRUTH).rows} == {"zen", "params", "flops"}
    assert {row.proxy for row in evaluate(scores, TRUTH, proxies=["seconds"]).rows} == {"seconds", "params", "flops"}
    assert {row.proxy for row in evaluate(ScoreTable(scores.columns), TRUTH).rows} == {"zen", "seconds", "params", "flops"}


def test_seeds_are_correlated_one_by_one_and_averaged():
    archs = np.array([*"abcde", *"abcde", *"abc"], object)
    seeds = np.repeat([0, 1, 2], [5, 5, 3])
    zen = np.array([1, 2, 3, 4, 5, 1, 3, 2, 4, 5, 7, NAN, 7], float)
    row = by_name(evaluate(ScoreTable({"arch": archs, "seed": seeds, "zen": zen}), TRUTH))["zen"]
    assert (of(row, "spearman")[0], of(row, "kendall")[0]) == (pytest.approx((1 + 0.9) / 2), pytest.approx((1 + 0.8) / 2))
    assert (row.seeds, row.finite, row.total) == (2, 12, 13)


def test_rows_without_ground_truth_are_counted():
    truth = {"a": 1.0, "b": 2.0, "c": 3.0, "d": NAN}
    row = by_name(evaluate(table(zen=[1, 2, 3, 0, 0]), truth))["zen"]
    assert (of(row, "spearman")[0], row.total, row.unmatched) == (pytest.approx(1), 3, 2)


def test_directions_turn_the_score() -> None:
    columns = {"ntk": [5, 4, 3, 1, 2], "zen": [1, 2, 3, 4, 5], "naswot(once=True)": [1, 2, 3, 4, 5]}
    found = evaluate(table(**columns), TRUTH, directions={"ntk": False, "zen": True})
    rows = by_name(found)
    assert (of(rows["ntk"], "spearman", "regret_1"), rows["ntk"].higher_is_better) == ((pytest.approx(0.9), 1.0), False)
    assert (rows["zen"].higher_is_better, rows["params"].higher_is_better) == (True, None)
    assert found.scores["ntk"].tolist() == [[5, 4, 3, 1, 2]]  # as scored
    names = [row.proxy for row in found.rows]
    assert found.correlation[names.index("ntk"), names.index("zen")] == pytest.approx(0.9)  # both turned
    from_cards = by_name(evaluate(table(**columns), TRUTH))
    assert [from_cards[name].higher_is_better for name in ("naswot(once=True)", "params", "ntk")] == [True, True, None]
    assert from_cards["naswot(once=True)"].cost == {"passes": 1}


def test_cost_in_passes() -> None:
    metadata = {"batch_size": 64, "batches": 2, "proxy_seconds": {"zico": 0.5}}
    names = ("l2_norm", "naswot", "grasp", "zico", "sweet_gradsign", "tcet_synflow", "mine")
    rows = by_name(evaluate(table(metadata, **{name: [1, 2, 3, 4, 5] for name in names}), TRUTH))
    passes = [rows[name].cost.get("passes") for name in names]
    assert passes == [0, 1, 10, 6, 6, 3 / 64 + 1, None]  # a backward pass is worth two
    assert rows["zico"].cost["seconds"] == 0.5


def test_costs_and_directions_that_the_table_records_are_taken() -> None:
    mine = "my_module:mine(k=2)"
    recorded = {"costs": {"zico": {"passes": 4.5, "flops": 7e9}, mine: {"passes": 2}}, "directions": {mine: "lower", "zico": "higher"}}
    columns = {"zico": [1, 2, 3, 4, 5], mine: [5, 4, 3, 2, 1], "ntk_condition": [5, 4, 3, 2, 1]}
    rows = by_name(evaluate(table(recorded, **columns), TRUTH))
    assert (rows["zico"].cost, rows[mine].cost) == ({"passes": 4.5, "flops": 7e9}, {"passes": 2})
    assert [rows[name].higher_is_better for name in columns] == [True, False, False]
    assert of(rows[mine], "spearman")[0] == of(rows["zico"], "spearman")[0]


def test_passes_that_depend_on_sizes_nobody_recorded_are_not_known() -> None:
    columns = {name: [1, 2, 3, 4, 5] for name in ("snip", "synflow", "zico", "vkdnw", "swap(nothing=3)")}
    rows = by_name(evaluate(table({"batches": 2}, **columns), TRUTH))
    assert [rows[name].cost for name in columns] == [{"passes": 3}, {}, {"passes": 6}, {}, {}]


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    both = np.isfinite(x) & np.isfinite(y)
    return float(np.asarray(stats.spearmanr(x[both], y[both]))[0])


def many(n: int = 120, seeds: int = 2, holes: int = 10) -> tuple[ScoreTable, dict[str, float]]:
    rng = np.random.default_rng(4)
    truth = {f"arch{k}": float(v) for k, v in enumerate(np.round(rng.normal(size=n), 2))}
    archs = np.repeat(np.array(list(truth), object), seeds)
    accuracy = np.repeat(list(truth.values()), seeds)
    good, bad = accuracy + rng.normal(size=n * seeds), np.round(accuracy + 3 * rng.normal(size=n * seeds))
    good[rng.choice(n * seeds, holes, replace=False)] = NAN
    params = np.repeat(np.round(rng.normal(size=n)), seeds)
    return ScoreTable({"arch": archs, "seed": np.tile(np.arange(seeds), n), "good": good, "bad": bad, "params": params}), truth


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


def test_compare_is_paired() -> None:
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


def test_csv_and_settings(tmp_path: Path) -> None:
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


def test_errors():
    with pytest.raises(JaxzcError, match=r"the score table has no column 'arch' \(it has zen\): give a table that jaxzc wrote"):
        evaluate(ScoreTable({"zen": np.zeros(2)}), TRUTH)
    with pytest.raises(JaxzcError, match=r"none of the 5 scored rows .* \(1 architectures\): .* \(the first scored is 'a'\)"):
        evaluate(table(zen=[1, 2, 3, 4, 5]), {"z": 1.0})
    with pytest.raises(JaxzcError, match=r"no proxy 'zico' \(it has zen, note\): choose one of these, or score it first"):
        evaluate(table(zen=[1, 2, 3, 4, 5], note=list("vwxyz")), TRUTH, proxies=["zico"])
    with pytest.raises(JaxzcError, match=r"column 'note' of the score table holds .* and not numbers: choose columns of scores"):
        evaluate(table(note=list("vwxyz")), TRUTH, proxies=["note"])
    with pytest.raises(JaxzcError, match=r"architecture a stands twice in the score table with seed 0: keep one row per architecture and"):
        evaluate(ScoreTable({"arch": np.array(["a", "b", "a"], object), "zen": np.zeros(3)}), TRUTH)
    with pytest.raises(JaxzcError, match=r"-1 resamples with seed 0 and level 0.95: expected resamples and seed of at least 0"):
        evaluate(table(zen=[1, 2, 3, 4, 5]), TRUTH, resamples=-1)
    with pytest.raises(JaxzcError, match="level 95: expected"):
        evaluate(table(zen=[1, 2, 3, 4, 5]), TRUTH, level=95)
    with pytest.raises(JaxzcError, match="unknown statistic 'rho'"):
        evaluate(table(zen=[1, 2, 3, 4, 5]), TRUTH, statistics=["rho"])


@pytest.mark.skipif(not (SHARED / "data/nb201.csv.gz").is_file(), reason="reference data absent: set JAXZC_SHARED")
def test_published_scores_of_the_whole_benchmark():
    files = SHARED / "data/nb201_proxy_scores.csv.gz", SHARED / "data/nb201.csv.gz"
    columns = {name: read_truth(files[0], name, "ops") for name in ("c10_synflow", "c10_naswot", "c10_zen")}
    columns["params"] = read_truth(files[1], "c10_params_M", "ops")
    archs = list(columns["params"])
    scores = {name: np.array([values[arch] for arch in archs]) for name, values in columns.items()}
    rows = by_name(evaluate(ScoreTable({"arch": np.array(archs, object), **scores}), read_truth(files[1], "c10_test", "ops")))
    assert {name: round(of(rows[name], "spearman")[0], 3) for name in ("c10_synflow", "c10_zen", "params")} == {
        "c10_synflow": 0.769,
        "c10_zen": 0.386,
        "params": 0.753,
    }
    assert (rows["c10_naswot"].finite, rows["c10_naswot"].total) == (15_424, 15_625)
