"""Every statistic against scipy and scikit-learn, or by enumeration; ties, order, NaN, undefined."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.metrics import ndcg_score

from jaxzc.evaluation import STATISTICS
from jaxzc.evaluation.statistics import check_statistics, correlations, retrieval, value
from jaxzc.evaluation.statistics.concordance import agreement, untied
from jaxzc.types import JaxzcError

NAN, INF = float("nan"), float("inf")
RNG = np.random.default_rng(11)
PAIRED = {
    "spearman": lambda x, y: stats.spearmanr(x, y)[0],
    "kendall": lambda x, y: stats.kendalltau(x, y, variant="b")[0],
    "weighted_kendall": lambda x, y: stats.weightedtau(x, y)[0],
    "pearson": lambda x, y: stats.pearsonr(x, y)[0],
    "ndcg": lambda x, y: ndcg_score([y - y.min()], [x]),
}


def tied(n: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Score, truth and controls with many ties each."""
    truth = np.round(RNG.normal(90, 3, n))
    params = np.round(truth + RNG.normal(size=n))
    return np.round(truth + 2 * RNG.normal(size=n)), truth, {"params": params, "flops": params + RNG.normal(size=n)}


@pytest.mark.parametrize("name", PAIRED)
@pytest.mark.parametrize("n", [3, 10, 300])
def test_equal_to_the_libraries(name: str, n: int) -> None:
    for _ in range(5):
        score, truth, controls = tied(n)
        if len(set(score)) > 1 and len(set(truth)) > 1:
            assert value(name, score, truth, controls) == pytest.approx(float(PAIRED[name](score, truth)), rel=1e-12, abs=1e-12)
        smooth = truth + RNG.normal(size=n)
        assert value(name, score + smooth, smooth, controls) == pytest.approx(float(PAIRED[name](score + smooth, smooth)), abs=1e-12)


def test_partial_is_the_correlation_of_the_residuals_of_ranks() -> None:
    score, truth, controls = tied(200)
    x, y, z = (stats.rankdata(values) for values in (score, truth, controls["params"]))
    rest = [v - LinearRegression().fit(z[:, None], v).predict(z[:, None]) for v in (x, y)]
    assert value("spearman_given_params", score, truth, controls) == pytest.approx(stats.pearsonr(*rest)[0], abs=1e-12)
    # A function of size alone has nothing left; a control that is unknown somewhere counts where it is known.
    assert np.isnan(value("spearman_given_params", -np.exp(controls["params"] / 10), truth, controls))
    known = np.arange(200) % 3 > 0
    there = value("spearman_given_flops", score[known], truth[known], {"flops": controls["flops"][known]})
    partly = {"flops": np.where(known, controls["flops"], NAN)}
    assert value("spearman_given_flops", score, truth, partly) == there
    assert np.isnan(value("spearman_given_flops", score, truth, {"flops": np.full(200, NAN)}))


def orders(score: np.ndarray) -> list[np.ndarray]:
    """Every order, best first, that agrees with the score: all ways to break its ties."""
    return [np.array(order) for order in permutations(range(len(score))) if np.all(np.diff(score[list(order)]) <= 0)]


def test_ties_are_the_expectation_over_all_orders() -> None:
    score, truth = np.array([3.0, 2, 2, 2, 1, 1, 0]), np.array([5.0, 5, 7, 1, 6, 7, 2])
    first, best = orders(score), orders(truth)
    for percent, k in ((10, 1), (30, 3), (60, 5)):
        shares = [len(set(a[:k]) & set(b[:k])) / k for a in first for b in best]
        assert retrieval.precision(score, truth, percent) == pytest.approx(np.mean(shares), abs=1e-12)
    shares = [len(set(a[:3]) & set(b[:2])) / 2 for a in first for b in best]
    assert retrieval.top_retrieval(score, truth, 3, 20) == pytest.approx(np.mean(shares), abs=1e-12)
    for k in range(1, 8):
        assert retrieval.regret(score, truth, k) == pytest.approx(7 - np.mean([truth[a[:k]].max() for a in first]), abs=1e-12)


def test_the_top_by_hand() -> None:
    truth = np.arange(2000.0)
    assert (retrieval.precision(truth, truth), retrieval.top_retrieval(truth, truth), retrieval.ndcg(truth, truth)) == (1, 1, 1)
    assert (retrieval.precision(-truth, truth), retrieval.top_retrieval(-truth, truth)) == (0, 0)
    # The best 150 are scored lowest, the others in order: 50 of the true top 200 are in the top 200, none of the top 100 in the top 64.
    score = np.where(truth >= 1850, -1, truth)
    assert retrieval.precision(score, truth) == 50 / 200
    assert retrieval.top_retrieval(score, truth) == 0
    assert [retrieval.regret(score, truth, k) for k in (1, 10, 64)] == [150, 150, 150]
    # In a small table no more than the true top 5 % can be found.
    assert retrieval.top_retrieval(truth[:100], truth[:100]) == 1
    assert retrieval.precision(truth[:15], truth[:15]) == 1  # of two networks: 1.5, the next whole number up


def test_a_missed_best_network_is_regretted() -> None:
    score, truth = np.array([1.0, 2, 3, NAN]), np.array([1.0, 2, 3, 9])
    assert retrieval.regret(score, truth) == 6
    assert retrieval.precision(score, truth) == 1


@pytest.mark.parametrize("name", STATISTICS)
def test_not_finite_pairs_are_left_out_and_order_is_nothing(name: str) -> None:
    score, truth, controls = tied(60)
    truth[np.argmax(truth)] += 1  # the best of all stays in
    holes = {1: NAN, 7: INF, 30: -INF}
    kept = np.setdiff1d(np.arange(60), [*holes, 40])
    kept_value = value(name, score[kept], truth[kept], {c: v[kept] for c, v in controls.items()})
    for place, hole in holes.items():
        score[place], truth[place] = hole, 80
    truth[40] = NAN
    assert value(name, score, truth, controls) == pytest.approx(kept_value, abs=1e-12)
    shuffled = RNG.permutation(60)
    again = value(name, score[shuffled], truth[shuffled], {c: v[shuffled] for c, v in controls.items()})
    assert again == pytest.approx(kept_value, abs=1e-12)


@pytest.mark.parametrize("name", STATISTICS)
def test_undefined_is_nan(name: str) -> None:
    truth = np.array([1.0, 2, 3, 4])
    controls = {"params": np.array([2.0, 1, 4, 3]), "flops": np.array([2.0, 1, 4, 3])}
    for score in (np.ones(4), np.array([1, 2, NAN, INF]), np.full(4, NAN)):
        assert np.isnan(value(name, score, truth, controls))
    assert np.isnan(value(name, truth, np.ones(4), controls))


def test_pearson_survives_scores_that_span_decades() -> None:
    truth, huge = RNG.normal(size=50), 10.0 ** RNG.uniform(-300, 300, 50)
    assert correlations.pearson(huge, truth) == pytest.approx(stats.pearsonr(huge / huge.max(), truth)[0], abs=1e-12)


def test_agreement_of_pairs() -> None:
    x, y, weights = np.round(RNG.normal(size=77)), np.round(RNG.normal(size=77)), RNG.random(77)
    sign_x, sign_y = np.sign(x[:, None] - x), np.sign(y[:, None] - y)
    np.testing.assert_allclose(agreement(x, y, weights), (sign_x * sign_y) @ weights, atol=1e-12)
    np.testing.assert_allclose(untied(x, weights), np.abs(sign_x) @ weights, atol=1e-12)


def test_unknown_statistics() -> None:
    with pytest.raises(JaxzcError, match=r"unknown statistic 'rho': choose some of spearman, kendall"):
        check_statistics(["rho"])
    assert check_statistics(["ndcg", "kendall", "ndcg"]) == ["kendall", "ndcg"]
