"""Statistics from cumulative counts equal those of the resampled rows; intervals; what the draws depend on."""

import numpy as np
import pytest

from jaxzc.evaluation import evaluate
from jaxzc.evaluation.bootstrap import bootstrap, interval
from jaxzc.evaluation.bootstrap import resampling as engine
from jaxzc.evaluation.statistics import STATISTICS, value
from jaxzc.tables import ScoreTable

EXACT = [name for name in STATISTICS if "kendall" not in name]
RNG = np.random.default_rng(5)


def draw(n: int, proxies: int = 4) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Scores with ties (one of three values only, one with NaN and infinities), a truth with ties, controls of which one has NaN."""
    truth = np.round(RNG.normal(size=n), 1)
    scores = truth + RNG.normal(size=(proxies, n))
    scores[1] = np.round(scores[1])
    scores[2] = np.clip(np.round(scores[2]), -1, 1)
    scores[3, RNG.choice(n, n // 5, replace=False)] = [np.nan, np.inf, -np.inf, np.nan] * (n // 20)
    params = np.tile(np.round(truth + RNG.normal(size=n), 1), (proxies, 1))
    flops = np.where(RNG.random((proxies, n)) < 0.1, np.nan, params + np.round(RNG.normal(size=n)))
    return scores, truth, {"params": params, "flops": flops}


def literally(name: str, scores, truth, controls, resample: np.ndarray) -> np.ndarray:
    """The statistic of the resampled rows, by the functions of two arrays; the truth of every row counts for the best of all."""
    rows = np.repeat(np.arange(len(truth)), resample)
    return np.array([value(name, s[rows], truth[rows], {c: v[k][rows] for c, v in controls.items()}) for k, s in enumerate(scores)])


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("n", [20, 200])
def test_cumulative_counts_give_the_statistic_of_the_resample(name: str, n: int) -> None:
    scores, truth, controls = draw(n)
    found = bootstrap(scores, truth, controls, [name], resamples=30, seed=3)[name]
    wanted = [literally(name, scores, truth, controls, engine._counts(n, 3, number)) for number in range(30)]
    np.testing.assert_allclose(found, np.transpose(wanted), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("name", "slack"), [("kendall", 0.004), ("weighted_kendall", 0.01)])
def test_linear_kendalls_follow_the_exact_ones(name: str, slack: float) -> None:
    """Against tau of 300 resamples: the same spread within 3 %, and resample by resample closer than 0.15 of it (rms)."""
    n = 400
    scores, truth, controls = draw(n)
    found = bootstrap(scores, truth, controls, [name], resamples=300, seed=1)[name]
    exact = np.transpose([literally(name, scores, truth, controls, engine._counts(n, 1, number)) for number in range(300)])
    spread = exact.std(1)
    print(name, found.std(1) / spread, np.sqrt(np.mean((found - exact) ** 2, 1)) / spread, (found - exact).mean(1) / spread)
    assert np.abs(found.std(1) / spread - 1).max() < 0.03
    assert np.max(np.sqrt(np.mean((found - exact) ** 2, 1)) / spread) < 0.15
    assert np.abs((found - exact).mean(1)).max() < slack


def test_draws_depend_on_seed_and_number_only(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, truth, controls = draw(100)
    whole = bootstrap(scores, truth, controls, ["spearman", "kendall", "ndcg"], resamples=50, seed=2)
    monkeypatch.setattr(engine, "BLOCK", 700)
    monkeypatch.setattr(engine, "THREADS", 3)
    for name, values in bootstrap(scores, truth, controls, ["spearman", "kendall", "ndcg"], resamples=30, seed=2).items():
        np.testing.assert_allclose(values, whole[name][:, :30], rtol=1e-12)
    alone = bootstrap(scores[3:], truth, {name: values[3:] for name, values in controls.items()}, ["spearman"], resamples=50, seed=2)
    np.testing.assert_array_equal(alone["spearman"][0], whole["spearman"][3])
    other = bootstrap(scores, truth, controls, ["spearman"], resamples=50, seed=3)["spearman"]
    assert not np.any(other == whole["spearman"])


def test_few_networks_have_no_interval() -> None:
    """Four networks in the right order: rho is 1, and what it may be of others is not known. A partial correlation may rest on fewer."""
    archs = [f"a{k}" for k in range(12)]
    values = np.random.default_rng(0).permutation(12) * 1.0
    truth = dict(zip(archs, values, strict=True))
    for known in (4, engine.LEAST - 1, engine.LEAST):
        columns = {
            "arch": np.array(archs, object),
            "zen": np.where(np.arange(12) < known, values, np.nan),
            "params": np.random.default_rng(1).random(12),
        }
        columns["params"][0] = np.nan
        (row,) = [row for row in evaluate(ScoreTable(columns), truth, ["zen"], resamples=50).rows if row.proxy == "zen"]
        estimate = row.statistics["spearman"]
        assert estimate.value == pytest.approx(1)
        assert (np.isnan(estimate.low), np.isnan(estimate.high)) == ((known < engine.LEAST),) * 2
        held = row.statistics["spearman_given_params"]
        assert np.isfinite(held.value) or known == 4
        assert np.isnan(held.low)


def test_scores_that_few_resamples_define(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three finite scores of twenty: most resamples hold fewer than 3 of them; none warns, all are those of the rows."""
    monkeypatch.setattr(engine, "LEAST", 3)
    scores, truth, controls = draw(20, 4)
    scores[0, 3:] = np.nan
    scores[1] = 7
    found = bootstrap(scores, truth, controls, list(STATISTICS), resamples=200, seed=0)
    for name in EXACT:
        wanted = np.transpose([literally(name, scores, truth, controls, engine._counts(20, 0, number)) for number in range(200)])
        np.testing.assert_allclose(found[name], wanted, rtol=1e-10, atol=1e-12)
        assert np.isnan(found[name][1]).all()
    assert 0 < np.isnan(found["spearman"][0]).sum() < 200


def test_interval_is_of_percentiles() -> None:
    draws = np.append(np.arange(101.0), [np.nan] * 20)
    assert interval(50.0, draws, 0.9) == pytest.approx((50, 5, 95))
    assert np.isnan(interval(50.0, np.append(np.arange(10.0), [np.nan] * 20), 0.9).low)  # undefined in most resamples
    assert np.isnan(interval(float("nan"), draws, 0.9)[1:]).all()
