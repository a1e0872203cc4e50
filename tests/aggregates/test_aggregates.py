"""Rules that combine scores by ranks: by hand, against scipy, and as the CLI takes them."""

import numpy as np
import pytest
from scipy import stats

from jaxzc.aggregates import (
    AGGREGATES,
    RULES,
    Seen,
    log_rank,
    max_normalised_sum,
    median_rank,
    parse_aggregate,
    rank_sum,
    relative_rank_sum,
)
from jaxzc.proxies import PROXIES
from jaxzc.types import JaxzcError

NAN, INF = float("nan"), float("inf")
TABLE = np.array([[1.0, 5.0, 2.0], [2.0, 5.0, 1.0], [3.0, 9.0, 4.0], [4.0, 1.0, 3.0]])


def test_rules_by_hand():
    ranks = np.array([[1, 2.5, 2], [2, 2.5, 1], [3, 4, 4], [4, 1, 3]])
    np.testing.assert_allclose(log_rank(TABLE), np.log(ranks / 4).sum(1), rtol=1e-15)
    np.testing.assert_allclose(rank_sum(TABLE), ranks.mean(1) / 4, rtol=1e-15)
    np.testing.assert_allclose(median_rank(TABLE), [0.5, 0.5, 1.0, 0.75], rtol=1e-15)
    np.testing.assert_allclose(max_normalised_sum(TABLE), (TABLE / [4, 9, 4]).sum(1), rtol=1e-15)


@pytest.mark.parametrize("rule", list(RULES.values()), ids=list(RULES))
def test_nan_is_kept_or_ranks_last(rule):
    table = np.array([[NAN, 3.0], [1.0, 2.0], [2.0, 1.0], [NAN, NAN], [3.0, 4.0]])
    kept = rule(table)
    np.testing.assert_array_equal(np.isnan(kept), [True, False, False, True, False])
    np.testing.assert_array_equal(kept[[1, 2, 4]], rule(table[[1, 2, 4]]), err_msg="the others are ranked as if it were not there")
    last = rule(table, missing="last")
    np.testing.assert_array_equal(np.isnan(last), [False, False, False, True, False])
    assert np.argmax(np.where(np.isnan(last), -INF, last)) == 4
    assert np.isnan(rule(np.full((2, 2), NAN), missing="last")).all()
    assert rule(np.zeros((0, 2))).shape == (0,)


def test_a_missing_score_ranks_with_minus_infinity():
    with_nan, with_inf = np.array([[NAN, 1.0], [1.0, 2.0], [2.0, 3.0]]), np.array([[-INF, 1.0], [1.0, 2.0], [2.0, 3.0]])
    np.testing.assert_array_equal(log_rank(with_nan, missing="last"), log_rank(with_inf))


def test_max_normalised_sum_refuses_to_turn_a_proxy():
    with pytest.raises(JaxzcError, match=r"proxy number 2 has no score above zero \(largest -1\).*log_rank or rank_sum"):
        max_normalised_sum([[1.0, -1.0], [2.0, -3.0]])


def test_relative_ranks_by_hand():
    # Changes from (10, -4): (+.1, +.25), (+.1 after rounding, -.5), (-.5, 0).
    scores = [[11.0, -3.0], [11.001, -6.0], [5.0, -4.0]]
    np.testing.assert_array_equal(relative_rank_sum(scores, [10.0, -4.0]), [2.5 + 3, 2.5 + 1, 1 + 2])
    with pytest.raises(JaxzcError, match=r"reference \[0.0, 1.0\]: expected 2 finite scores other than zero"):
        relative_rank_sum(scores, [0.0, 1.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: log_rank(np.zeros(3)), r"scores of shape \[3\]: expected \[networks, proxies\]"),
        (lambda: RULES["log_rank"](TABLE, missing="worst"), r"missing='worst': expected 'keep' .* or 'last'"),
        (lambda: Seen.none(2).observe(np.zeros((3, 1))), r"scores of shape \[3, 1\]: expected \[networks, 2\]"),
        (lambda: Seen.none(1).log_rank([[1.0]]), r"nothing was observed yet"),
        (lambda: parse_aggregate("trios"), r"unknown aggregate 'trios': did you mean 'trio'"),
        (lambda: parse_aggregate("sum(zico,naswot)"), r"unknown rule to combine scores 'sum'"),
        (lambda: parse_aggregate("log_rank()"), r"aggregate 'log_rank\(\)' cannot be read: expected RULE\(A,B,...\)"),
        (lambda: parse_aggregate("=log_rank(a)"), r"cannot be read"),
        (lambda: parse_aggregate("log_rank(a"), r"cannot be read"),
        (lambda: AGGREGATES["trio"]({"sweet_ntk": np.zeros(2)}), r"the table lacks jacob_cov, snr_snip \(it has sweet_ntk\)"),
    ],
)
def test_errors(call, message):
    with pytest.raises(JaxzcError, match=message):
        call()


def test_ranks_among_the_seen_are_those_of_the_whole():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 6, (40, 3)).astype(float)
    scores[7, 1], scores[9, 0] = NAN, -INF
    seen = Seen.none(3)
    for start in range(0, 40, 7):
        seen = seen.observe(scores[start : start + 7])
    valid = ~np.isnan(scores).any(1)
    assert len(seen) == 39
    np.testing.assert_array_equal(seen.ranks(scores[valid]), stats.rankdata(scores[valid], axis=0))
    np.testing.assert_allclose(seen.log_rank(scores), log_rank(scores), rtol=1e-12)


def test_observing_leaves_the_former_value_as_it_was():
    first = Seen.none(1).observe([[1.0], [3.0]])
    first.observe([[2.0]])
    assert len(first) == 2
    np.testing.assert_array_equal(first.ranks([[2.0]]), [[1.5]])  # between the two


def test_texts():
    assert parse_aggregate("trio") == ("trio", AGGREGATES["trio"])
    assert parse_aggregate("mine=vote")[0] == "mine"
    label, aggregate = parse_aggregate("mine = rank_sum(zico(std_of='abs'), naswot)")
    assert (label, aggregate.proxies) == ("mine", ("zico(std_of='abs')", "naswot"))
    assert parse_aggregate("log_rank(zico,naswot)")[0] == "log_rank(zico,naswot)"


def test_directions_turn_scores_of_which_lower_is_better():
    _, aggregate = parse_aggregate("log_rank(good,bad)")
    table = {"good": np.array([1.0, 2.0, 3.0]), "bad": np.array([3.0, 2.0, 1.0])}
    np.testing.assert_array_equal(np.argsort(aggregate(table, {"bad": False})), [0, 1, 2])
    assert len(set(aggregate(table).tolist())) < 3, "unturned, the two contradict each other"


def test_trio_is_a_log_rank_that_ranks_the_missing_last():
    rng = np.random.default_rng(1)
    table = {name: rng.normal(size=9) for name in AGGREGATES["trio"].proxies}
    table["jacob_cov"][4] = NAN
    ranks = stats.rankdata(np.stack([np.where(np.isnan(v), -INF, v) for v in table.values()], 1), axis=0)
    np.testing.assert_allclose(AGGREGATES["trio"](table), np.log(ranks / 9).sum(1), rtol=1e-12)


def test_every_named_aggregate_is_of_proxies_that_exist():
    rng = np.random.default_rng(2)
    for name, aggregate in AGGREGATES.items():
        assert set(aggregate.proxies) <= set(PROXIES), name
        value = aggregate({proxy: rng.uniform(1, 2, 7) for proxy in aggregate.proxies})
        assert np.isfinite(value).all()
        assert aggregate.about


def test_a_search_may_follow_those_that_are_log_ranks():
    assert {name for name, aggregate in AGGREGATES.items() if aggregate.is_log_rank} == {"trio", "duo", "az_nas", "vkdnw_agg"}
    assert parse_aggregate("log_rank(a,b)")[1].is_log_rank
