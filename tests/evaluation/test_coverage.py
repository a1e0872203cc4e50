"""Do 95 % intervals hold the truth 95 times in a hundred? Simulated: the population's value is known in closed form."""

import numpy as np
import pytest

from jaxzc.evaluation.bootstrap import bootstrap, interval, resampling
from jaxzc.evaluation.statistics.correlations import partial

DRAWS, NETWORKS, RESAMPLES = 1000, 200, 1000


def population(r: float) -> dict[str, float]:
    """Of the normal distribution that `draw` draws from: Spearman's rho is 6/pi asin(r/2), Kendall's tau 2/pi asin(r)."""
    size = np.sqrt(0.36 + 0.09 + 0.49 + 0.36 * r)
    rho, score_size, truth_size = (6 / np.pi * np.arcsin(x / 2) for x in (r, (0.6 * r + 0.3) / size, (0.6 + 0.3 * r) / size))
    given = float(partial(np.array(rho), np.array(score_size), np.array(truth_size)))
    return {"spearman": rho, "kendall": 2 / np.pi * np.arcsin(r), "pearson": r, "spearman_given_params": given}


def draw(rng: np.random.Generator, r: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A score of correlation r with the truth, the truth, and a size that depends on both."""
    truth = rng.normal(size=NETWORKS)
    score = r * truth + np.sqrt(1 - r**2) * rng.normal(size=NETWORKS)
    return score, truth, 0.6 * truth + 0.3 * score + 0.7 * rng.normal(size=NETWORKS)


@pytest.mark.slow
@pytest.mark.parametrize("r", [0.3, 0.8])
def test_intervals_cover(r: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "THREADS", 1)
    wanted = population(r)
    held = dict.fromkeys(wanted, 0)
    for number in range(DRAWS):
        score, truth, size = draw(np.random.default_rng([number, 1]), r)
        found = bootstrap(score[None], truth, {"params": size[None], "flops": size[None]}, list(wanted), resamples=RESAMPLES, seed=number)
        for name, value in wanted.items():
            _, low, high = interval(0.0, found[name][0], 0.95)
            held[name] += low <= value <= high
    covered = {name: count / DRAWS for name, count in held.items()}
    print(f"n {NETWORKS}, r {r}: {covered}")
    assert all(0.93 <= share <= 0.97 for share in covered.values()), covered
