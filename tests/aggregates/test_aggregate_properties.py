"""What rank rules may not depend on: the order of networks, the scale of a proxy, networks that are ranked by nobody."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from jaxzc.aggregates import RULES, Seen, log_rank
from jaxzc.aggregates.vote import PROXIES, pairwise_accuracy, vote, vote_ranking

values = st.one_of(st.integers(-3, 3).map(float), st.sampled_from([np.nan, np.inf, -np.inf]))
tables = arrays.arrays(np.float64, st.tuples(st.integers(1, 9), st.integers(1, 3)), elements=values)
positive = arrays.arrays(np.float64, st.tuples(st.integers(1, 9), st.integers(1, 3)), elements=st.integers(1, 5).map(float))
BY_RANK = {name: rule for name, rule in RULES.items() if name != "max_normalised_sum"}
by_rank = pytest.mark.parametrize("rule", list(BY_RANK.values()), ids=list(BY_RANK))
both = pytest.mark.parametrize("missing", ["keep", "last"])


@by_rank
@both
@given(table=tables, seed=st.integers(0, 99))
def test_ranks_follow_the_networks(rule, missing, table, seed):
    """A permutation of the networks permutes the ranks; NaN stays where it was."""
    order = np.random.default_rng(seed).permutation(len(table))
    np.testing.assert_allclose(rule(table[order], missing=missing), rule(table, missing=missing)[order], rtol=1e-12)


@by_rank
@both
@given(table=tables)
def test_ranks_see_no_scale(rule, missing, table):
    """A rising function of a proxy, other for each, changes nothing: not ties, not infinities, not NaN."""
    bent = np.stack([np.where(np.isfinite(x), np.arctan(x) * 10.0 ** (3 * k) + k, x) for k, x in enumerate(table.T)], axis=1)
    np.testing.assert_array_equal(rule(bent, missing=missing), rule(table, missing=missing))


@by_rank
@both
@given(table=tables)
def test_who_is_better_by_all_is_ranked_above(rule, missing, table):
    total = rule(table, missing=missing)
    above = (table[:, None] > table[None]).all(2)  # false where one is NaN
    better, worse = np.nonzero(above & ~np.isnan(total)[:, None] & ~np.isnan(total)[None])
    assert (total[better] > total[worse]).all()


@by_rank
@given(table=tables)
def test_networks_without_a_score_change_no_rank(rule, table):
    gone = np.isnan(table).any(1)
    total = rule(table)
    np.testing.assert_array_equal(np.isnan(total), gone)
    np.testing.assert_array_equal(total[~gone], rule(table[~gone]))


@given(table=positive, seed=st.integers(0, 99))
def test_sums_by_the_largest_see_no_factor(table, seed):
    rule, rng = RULES["max_normalised_sum"], np.random.default_rng(seed)
    np.testing.assert_allclose(rule(table * 2.0 ** rng.integers(-9, 9, table.shape[1])), rule(table), rtol=1e-12)
    order = rng.permutation(len(table))
    np.testing.assert_allclose(rule(table[order]), rule(table)[order], rtol=1e-12)


@given(table=tables, parts=st.integers(1, 4))
def test_ranks_among_what_was_seen_are_those_of_the_whole(table, parts):
    """Observed in any number of parts, the ranks are those of `scipy.stats.rankdata`."""
    seen = Seen.none(table.shape[1])
    for part in np.array_split(table, parts):
        seen = seen.observe(part)
    known = ~np.isnan(table).any(1)
    assert len(seen) == known.sum()
    if known.any():
        np.testing.assert_array_equal(seen.ranks(table[known]), stats.rankdata(table[known], axis=0))
        np.testing.assert_allclose(seen.log_rank(table)[known], log_rank(table)[known], rtol=1e-12, atol=1e-12)


@given(table=arrays.arrays(np.float64, st.tuples(st.integers(2, 7), st.just(3)), elements=values), seed=st.integers(0, 99))
def test_votes_are_counted_pair_by_pair(table, seed):
    """The ranking is the number of won pairs, one by one; the accuracy that of all ordered pairs of different truth."""
    rng = np.random.default_rng(seed)
    truth = np.where(rng.random(len(table)) < 0.2, np.nan, rng.integers(0, 4, len(table)))
    rows: list[dict[str, float]] = [dict(zip(PROXIES, row, strict=True)) for row in table]
    columns: dict[str, np.ndarray] = dict(zip(PROXIES, table.T, strict=True))
    n = len(rows)
    votes = np.array([[vote(rows[a], rows[b]) if a != b else 0 for b in range(n)] for a in range(n)])
    wanted = np.where(np.isnan(table).all(1), np.nan, (votes == 1).sum(1))
    np.testing.assert_array_equal(vote_ranking(columns), wanted)
    counted = [(a, b) for a in range(n) for b in range(n) if (truth[a] > truth[b] or truth[a] < truth[b]) and votes[a, b]]
    right = sum((votes[a, b] == 1) == (truth[a] > truth[b]) for a, b in counted)
    found = pairwise_accuracy(columns, truth)
    assert found.pairs == len(counted)
    assert found.accuracy == pytest.approx(right / len(counted)) if counted else np.isnan(found.accuracy)
