"""Majority voting: by hand, and against the loop of the authors' notebook."""

import importlib

import numpy as np
import pytest
from scipy import stats

from jaxzc.aggregates import PairAccuracy, pairwise_accuracy, vote, vote_ranking
from jaxzc.types import JaxzcError

aggregates = importlib.import_module("jaxzc.aggregates.vote")  # the package exports its function under the same name
NAN, INF = float("nan"), float("inf")


def scores(synflow: float, jacob_cov: float, snip: float) -> dict[str, float]:
    return {"synflow": synflow, "jacob_cov": jacob_cov, "snip": snip}


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (scores(2, 2, 0), scores(1, 1, 1), 1),
        (scores(2, 0, 0), scores(1, 1, 1), -1),
        (scores(2, 2, 2), scores(1, 1, 1), 1),
        (scores(2, 1, 0), scores(1, 1, 1), -1),  # the tie votes against
        (scores(1, 1, 1), scores(1, 1, 1), -1),
        (scores(2, NAN, 0), scores(1, 1, 1), 1),  # one abstains, and of two voters one is enough
        (scores(0, 0, NAN), scores(1, 1, 1), -1),
        (scores(2, NAN, 2), scores(NAN, 1, 1), 1),  # one voter left
        (scores(NAN, NAN, NAN), scores(1, 1, 1), 0),
        (scores(1, 1, 0), scores(-INF, -INF, 1), 1),
        (scores(-INF, -INF, 1), scores(-INF, -INF, 0), -1),
    ],
)
def test_vote_by_hand(a, b, expected):
    assert vote(a, b) == expected


def test_vote_takes_other_proxies():
    assert vote({"zen": 1.0}, {"zen": 0.0}, proxies=["zen"]) == 1


def notebook_win(table, proxies, i, j):
    """The notebook's rule for tables without NaN: at least half of the differences are positive."""
    return sum(table[name][i] - table[name][j] > 0 for name in proxies) >= len(proxies) / 2


@pytest.mark.parametrize("block", [7, 1 << 22])
@pytest.mark.parametrize("proxies", [aggregates.PROXIES, ("synflow", "snip")])
def test_ranking_and_accuracy_equal_the_notebook_loop(monkeypatch, block, proxies):
    monkeypatch.setattr(aggregates, "BLOCK_PAIRS", block * 40)
    rng, n = np.random.default_rng(0), 40
    table = {name: rng.integers(0, 12, n).astype(float) for name in aggregates.PROXIES}
    truth = rng.integers(80, 95, n) / 100
    wins = np.array([[notebook_win(table, proxies, i, j) for j in range(n)] for i in range(n)])
    np.testing.assert_array_equal(vote_ranking(table, proxies), wins.sum(1))
    pairs = [(i, j) for i in range(n) for j in range(n) if truth[i] != truth[j]]
    right = sum((1 if wins[i, j] else -1) * (truth[i] - truth[j]) > 0 for i, j in pairs)
    assert pairwise_accuracy(table, truth, proxies) == PairAccuracy(right / len(pairs), len(pairs), 0)


def test_ranking_by_hand_and_in_any_order():
    table = {"synflow": [3, 2, 1, NAN], "jacob_cov": [1, 3, 2, NAN], "snip": [1, 3, 2, NAN]}
    table = {name: np.array(values, float) for name, values in table.items()}
    np.testing.assert_array_equal(vote_ranking(table), [0, 2, 1, NAN])
    order = np.array([3, 1, 0, 2])
    np.testing.assert_array_equal(vote_ranking({name: values[order] for name, values in table.items()}), [NAN, 2, 0, 1])


def test_ranking_of_the_whole_benchmark_has_bounded_blocks():
    blocks = list(aggregates._blocks(15_625))
    assert sum(block.stop - block.start for block in blocks) == 15_625
    assert max(block.stop - block.start for block in blocks) * 15_625 <= aggregates.BLOCK_PAIRS
    assert list(aggregates._blocks(0)) == []


def test_ranking_of_nothing():
    assert vote_ranking({name: np.zeros(0) for name in aggregates.PROXIES}).shape == (0,)


def test_accuracy_of_one_proxy():
    truth = np.array([1.0, 2.0, 3.0, 4.0])
    assert pairwise_accuracy(truth, truth) == PairAccuracy(1.0, 12, 0)
    assert pairwise_accuracy(-truth, truth) == PairAccuracy(0.0, 12, 0)
    # The pair (1, 2) is wrong of six, the pair (3, 4) ties and counts one half.
    assert pairwise_accuracy(np.array([2.0, 1.0, 3.0, 3.0]), truth).accuracy == pytest.approx(4.5 / 6)


def test_accuracy_without_ties_is_a_shifted_kendall():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 50))
    assert pairwise_accuracy(a, b).accuracy == pytest.approx((1 + np.asarray(stats.kendalltau(a, b))[0]) / 2, abs=1e-12)


def test_accuracy_skips_equal_missing_and_undecided_pairs():
    assert pairwise_accuracy(np.array([1.0, 2.0, NAN, 4.0]), np.array([1.0, 1.0, 2.0, NAN])) == (pytest.approx(NAN, nan_ok=True), 0, 4)
    assert pairwise_accuracy(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, NAN])) == PairAccuracy(1.0, 2, 0)


def test_errors():
    full = scores(1, 2, 3)
    with pytest.raises(JaxzcError, match=r"proxy 'snip' has no score for one of the networks: score it, or vote with other proxies"):
        vote(full, {"synflow": 1.0, "jacob_cov": 1.0})
    with pytest.raises(JaxzcError, match=r"the table has no proxy 'snip' \(it has synflow, jacob_cov\)"):
        vote_ranking({"synflow": np.zeros(2), "jacob_cov": np.zeros(2)})
    with pytest.raises(JaxzcError, match=r"scores of shapes {'a': \[2\], 'b': \[3\]}, expected one \[n\]"):
        vote_ranking({"a": np.zeros(2), "b": np.zeros(3)}, ["a", "b"])
    with pytest.raises(JaxzcError, match=r"there is no proxy to vote: name at least one"):
        vote_ranking({}, [])
    with pytest.raises(JaxzcError, match=r"there are 2 scores but accuracies \[3\]: give one accuracy per network"):
        pairwise_accuracy(np.zeros(2), np.zeros(3))
