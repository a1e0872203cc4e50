"""Rank correlations, coverage and seeds: by hand, against scipy, and on published scores."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from jaxzc.evaluation import Row, evaluate, format_rows
from jaxzc.tables import ScoreTable, read_truth
from jaxzc.types import JaxzcError

SHARED = Path(os.environ.get("JAXZC_SHARED", Path(__file__).parents[1] / "../shared"))
NAN, INF = float("nan"), float("inf")
ARCHS = np.array(["a", "b", "c", "d", "e"], object)
TRUTH = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0, "e": 5.0}


def table(metadata=None, **columns) -> ScoreTable:
    return ScoreTable({"arch": ARCHS, **{name: np.asarray(values) for name, values in columns.items()}}, metadata or {})


def by_name(rows) -> dict[str, Row]:
    return {row.proxy: row for row in rows}


def test_correlations_by_hand():
    # One swap of neighbours: rho = 1 - 6 * 2 / (5 * 24), tau = (9 - 1) / 10.
    rows = by_name(evaluate(table(params=[1, 2, 3, 4, 5], flops=[5, 4, 3, 2, 1], zen=[1.0, 3.0, 2.0, 4.0, 5.0]), TRUTH))
    assert rows["zen"].spearman == pytest.approx(0.9)
    assert rows["zen"].kendall == pytest.approx(0.8)
    assert (rows["params"].spearman, rows["flops"].kendall) == (pytest.approx(1), pytest.approx(-1))
    assert (rows["zen"].finite, rows["zen"].total, rows["zen"].seeds, rows["zen"].unmatched) == (5, 5, 1, 0)


def test_ties_use_average_ranks_and_tau_b():
    values = [1.0, 1.0, 2.0, 2.0, 3.0]
    row = by_name(evaluate(table(zen=values), TRUTH))["zen"]
    assert row.spearman == pytest.approx(np.asarray(stats.spearmanr(values, [1, 2, 3, 4, 5]))[0])
    assert row.kendall == pytest.approx(8 / np.sqrt(8 * 10))


def test_not_finite_is_left_out_and_counted():
    rows = by_name(evaluate(table(naswot=[-INF, 1.0, 2.0, 3.0, NAN], few=[1.0, 2.0, INF, INF, NAN]), TRUTH))
    assert (rows["naswot"].spearman, rows["naswot"].finite, rows["naswot"].total, rows["naswot"].coverage) == (pytest.approx(1), 3, 5, 0.6)
    assert np.isnan(rows["few"].spearman)
    assert np.isnan(rows["few"].kendall)
    assert (rows["few"].finite, rows["few"].coverage, rows["few"].seeds) == (2, 0.4, 0)


def test_a_constant_column_is_undefined_without_a_warning():
    row = by_name(evaluate(table(zen=[2.0] * 5), TRUTH))["zen"]
    assert np.isnan(row.spearman)
    assert (row.finite, row.coverage) == (5, 1.0)
    assert np.isnan(by_name(evaluate(table(zen=[1, 2, 3, 4, 5]), dict.fromkeys(TRUTH, 1.0)))["zen"].kendall)


def test_the_baselines_are_always_there_and_order_is_by_spearman():
    rows = evaluate(table(up=[1, 2, 3, 4, 5], down=[5, 4, 3, 2, 1], middle=[2, 1, 3, 5, 4], params=[1, 2, 4, 3, 5]), TRUTH)
    assert [row.proxy for row in rows] == ["up", "params", "middle", "down", "flops"]
    assert (rows[-1].finite, rows[-1].total, rows[-1].coverage) == (0, 5, 0.0)


def test_columns_are_chosen_by_argument_or_metadata_or_type():
    scores = table({"proxies": ["zen"]}, zen=[1, 2, 3, 4, 5], seconds=[1, 2, 3, 4, 5], note=list("vwxyz"), seed=[0] * 5)
    assert {row.proxy for row in evaluate(scores, TRUTH)} == {"zen", "params", "flops"}
    assert {row.proxy for row in evaluate(scores, TRUTH, proxies=["seconds"])} == {"seconds", "params", "flops"}
    assert {row.proxy for row in evaluate(ScoreTable(scores.columns), TRUTH)} == {"zen", "seconds", "params", "flops"}


def test_seeds_are_correlated_one_by_one_and_averaged():
    archs = np.array([*"abcde", *"abcde", *"abc"], object)
    seeds = np.repeat([0, 1, 2], [5, 5, 3])
    zen = np.array([1, 2, 3, 4, 5, 1, 3, 2, 4, 5, 7, NAN, 7], float)
    row = by_name(evaluate(ScoreTable({"arch": archs, "seed": seeds, "zen": zen}), TRUTH))["zen"]
    assert (row.spearman, row.kendall) == (pytest.approx((1 + 0.9) / 2), pytest.approx((1 + 0.8) / 2))
    assert (row.seeds, row.finite, row.total) == (2, 12, 13)


def test_rows_without_ground_truth_are_counted():
    truth = {"a": 1.0, "b": 2.0, "c": 3.0, "d": NAN}
    row = by_name(evaluate(table(zen=[1, 2, 3, 0, 0]), truth))["zen"]
    assert (row.spearman, row.total, row.unmatched) == (pytest.approx(1), 3, 2)


def test_directions_are_noted_and_never_applied():
    rows = by_name(evaluate(table(ntk=[5, 4, 3, 2, 1], zen=[1, 2, 3, 4, 5]), TRUTH, directions={"ntk": False, "zen": True}))
    assert (rows["ntk"].spearman, rows["ntk"].higher_is_better) == (pytest.approx(-1), False)
    assert (rows["zen"].higher_is_better, rows["params"].higher_is_better) == (True, None)


def test_the_printed_table_is_aligned():
    rows = [Row("synflow", 0.7685, 0.5, 3000, 3001, 1, 2), Row("ntk_condition", -0.5, -0.25, 0, 0, 3, 2, False)]
    assert format_rows(rows).splitlines() == [
        "proxy          spearman  kendall     finite  coverage  seeds",
        "synflow           0.768    0.500  3000/3001    99.9 %      1",
        "ntk_condition    -0.500   -0.250        0/0     nan %      3  lower is better",
        "2 scored rows left out: the ground truth has no accuracy for their architecture",
    ]
    assert format_rows([Row("zen", NAN, NAN, 1, 1, 0)]).splitlines()[1] == "zen         nan      nan     1/1   100.0 %      0"


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


@pytest.mark.skipif(not (SHARED / "data/nb201.csv.gz").is_file(), reason="reference data absent: set JAXZC_SHARED")
def test_published_scores_of_the_whole_benchmark():
    files = SHARED / "data/nb201_proxy_scores.csv.gz", SHARED / "data/nb201.csv.gz"
    columns = {name: read_truth(files[0], name, "ops") for name in ("c10_synflow", "c10_naswot", "c10_zen")}
    columns["params"] = read_truth(files[1], "c10_params_M", "ops")
    archs = list(columns["params"])
    scores = {name: np.array([values[arch] for arch in archs]) for name, values in columns.items()}
    rows = by_name(evaluate(ScoreTable({"arch": np.array(archs, object), **scores}), read_truth(files[1], "c10_test", "ops")))
    assert {name: round(rows[name].spearman, 3) for name in ("c10_synflow", "c10_zen", "params")} == {
        "c10_synflow": 0.769,
        "c10_zen": 0.386,
        "params": 0.753,
    }
    assert (rows["c10_naswot"].finite, rows["c10_naswot"].total) == (15_424, 15_625)
