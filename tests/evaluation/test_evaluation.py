"""Scores against accuracies by hand and on published scores: coverage, seeds, baselines, and what is refused."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from jaxzc.tables import ScoreTable, read_truth
from jaxzc.types import JaxzcError
from tests.support.scored_tables import INF, NAN, TRUTH, by_name, evaluate, of, table

SHARED = Path(os.environ.get("JAXZC_SHARED", Path(__file__).parents[2] / "../shared"))


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


def test_what_cannot_be_evaluated_is_refused():
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
