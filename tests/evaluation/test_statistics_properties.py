"""Statistics against scipy, scikit-learn and their definitions, on random columns with ties, NaN and infinities."""

import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats
from sklearn.metrics import ndcg_score

from jaxzc.evaluation.statistics import CONTROLS, REGRETS, STATISTICS, correlations, retrieval, value

values = st.one_of(st.integers(-4, 4).map(float), st.floats(-100, 100, width=32), st.sampled_from([np.nan, np.inf, -np.inf]))
triples = arrays.arrays(np.float64, st.tuples(st.just(3), st.integers(0, 14)), elements=values)


def pairs(score: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    kept = np.isfinite(score) & np.isfinite(truth)
    return score[kept], truth[kept]


# Indexed, since not all of scipy's stubs name the fields.
SCIPY = {
    "spearman": lambda x, y: stats.spearmanr(x, y)[0],
    "kendall": lambda x, y: stats.kendalltau(x, y)[0],
    "weighted_kendall": lambda x, y: stats.weightedtau(x, y)[0],
    "pearson": lambda x, y: np.corrcoef(x, y)[0, 1],
}


@pytest.mark.parametrize("name", list(SCIPY))
@given(columns=triples)
def test_correlations_are_those_of_scipy(name, columns):
    score, truth, _ = columns
    x, y = pairs(score, truth)
    found = getattr(correlations, name)(score, truth)
    if len(x) < 3 or len(set(x)) < 2 or len(set(y)) < 2:
        assert np.isnan(found)
        return
    assume(name != "pearson" or min(np.ptp(x), np.ptp(y)) > 1e-3)  # sums of squares of smaller ones are rounding
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert found == pytest.approx(SCIPY[name](x, y), rel=1e-6, abs=1e-9)
    assert -1 - 1e-12 <= found <= 1 + 1e-12


@given(columns=triples)
def test_the_partial_correlation_is_that_of_residuals(columns):
    """Pearson of what is left of the ranks after a straight line in the control's ranks is taken away."""
    kept = np.isfinite(columns).all(0)
    x, y, z = (stats.rankdata(column[kept]) for column in columns)
    found = correlations.partial_spearman(*columns)
    if kept.sum() < 3 or min(len(set(column)) for column in (x, y, z)) < 2:
        assert np.isnan(found)
        return
    left = [column - np.polyval(np.polyfit(z, column, 1), z) for column in (x, y)]
    if min(map(np.ptp, left)) < 1e-5:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(np.corrcoef(*left)[0, 1], abs=1e-6)


@given(columns=triples)
def test_the_gain_is_that_of_scikit_learn(columns):
    x, y = pairs(*columns[:2])
    found = retrieval.ndcg(*columns[:2])
    if len(x) < 3 or len(set(x)) < 2 or len(set(y)) < 2:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(ndcg_score([y - y.min()], [x]), rel=1e-6)


@given(columns=triples, k=st.sampled_from(list(REGRETS.values())))
def test_the_regret_is_the_mean_over_the_orders_of_ties(columns, k):
    """Without ties at the border: the best of all that are known less the best among the first k."""
    score, truth, _ = columns
    x, y = pairs(score, truth)
    found = retrieval.regret(score, truth, k)
    if len(x) < 3 or len(set(x)) < 2 or len(set(y)) < 2:
        assert np.isnan(found)
        return
    best = truth[np.isfinite(truth)].max()
    border = np.sort(x)[::-1][min(k, len(x)) - 1]
    sure, perhaps = y[x > border], y[x >= border]
    low = best - perhaps.max()
    high = best - max([y[x == border].min(), *sure])
    assert low - 1e-9 <= found <= high + 1e-9


@pytest.mark.parametrize("name", list(STATISTICS))
@given(columns=triples, seed=st.integers(0, 99))
def test_no_statistic_depends_on_the_order_of_the_rows_nor_on_rows_without_a_score(name, columns, seed):
    score, truth, control = columns
    controls: dict[str, np.ndarray] = {key: control for key in CONTROLS.values()}  # noqa: C420
    order = np.random.default_rng(seed).permutation(len(score))
    found = value(name, score, truth, controls)
    again = value(name, score[order], truth[order], {key: column[order] for key, column in controls.items()})
    assert again == pytest.approx(found, rel=1e-9, abs=1e-9, nan_ok=True)
    if name not in REGRETS:  # whose best of all counts every known truth
        more = {key: np.append(column, 1.0) for key, column in controls.items()}
        assert value(name, np.append(score, np.nan), np.append(truth, 7.0), more) == pytest.approx(found, rel=1e-9, abs=1e-9, nan_ok=True)
    with np.errstate(invalid="ignore"):
        bent = np.where(np.isfinite(score), np.round(score * 8) ** 3, score)
        if name != "pearson" and np.array_equal(
            stats.rankdata(bent, nan_policy="omit"), stats.rankdata(score, nan_policy="omit"), equal_nan=True
        ):
            assert value(name, bent, truth, controls) == pytest.approx(found, rel=1e-9, abs=1e-9, nan_ok=True)
