"""Is proxy A better than proxy B? A paired bootstrap: both are judged on the same resamples of the same networks."""

from typing import NamedTuple

import numpy as np

from jaxzc.evaluation.bootstrap import interval
from jaxzc.evaluation.leaderboard import check_resampling, draws_over_seeds, mean_over_seeds, turned, values_by_seed
from jaxzc.evaluation.results import Estimate, Evaluation
from jaxzc.evaluation.statistics import CONTROLS, REGRETS, check_statistics
from jaxzc.types import JaxzcError
from jaxzc.types.names import hint


class Comparison(NamedTuple):
    """a, b: the proxies; statistic: its name. values: the statistic of each on the common networks. difference: that of `a` less that of
    `b`, with its interval. better: share of the resamples in which `a` is better, draws counting half (NaN where undefined). networks: how
    many have a finite score of both (in any seed)."""

    a: str
    b: str
    statistic: str
    values: tuple[float, float]
    difference: Estimate
    better: float
    networks: int


def compare(
    evaluation: Evaluation,
    a: str,
    b: str,
    statistic: str = "spearman",
    *,
    resamples: int | None = None,
    seed: int | None = None,
    level: float | None = None,
) -> Comparison:
    """Compares two proxies of an evaluation on the networks where both are finite (seed by seed, then the mean over seeds).

    resamples, seed, level: those of the evaluation where None. For a regret, better means lower. Raises `JaxzcError`: unknown proxy or
    statistic, one proxy twice.
    """
    for name in (a, b):
        if name not in evaluation.scores:
            raise JaxzcError(
                f"the evaluation has no proxy {name!r}: {hint(name, evaluation.scores)}choose two of {', '.join(evaluation.scores)}"
            )
    if a == b:
        raise JaxzcError(f"{a!r} cannot be compared with itself: choose two of {', '.join(evaluation.scores)}")
    check_statistics([statistic])
    settings = evaluation.settings
    resamples = int(settings["resamples"] if resamples is None else resamples)
    seed = int(settings["seed"] if seed is None else seed)
    level = float(settings["level"] if level is None else level)
    check_resampling(resamples, seed, level)
    directions = {row.proxy: row.higher_is_better for row in evaluation.rows}
    both = np.isfinite(evaluation.scores[a]) & np.isfinite(evaluation.scores[b])
    pair = np.stack([np.where(both, turned(evaluation.scores[name], directions[name]), np.nan) for name in (a, b)])
    controls = {name: evaluation.scores[name] for name in CONTROLS.values()}
    values = mean_over_seeds(values_by_seed(statistic, pair, evaluation.truth, controls))
    draws = draws_over_seeds(pair, evaluation.truth, controls, [statistic], resamples=resamples, seed=seed)[statistic]
    differences = draws[0] - draws[1]
    known = differences[np.isfinite(differences)] * (-1 if statistic in REGRETS else 1)
    better = float(np.mean((known > 0) + 0.5 * (known == 0))) if len(known) else float("nan")
    difference = interval(float(values[0] - values[1]), differences, level)
    return Comparison(a, b, statistic, (float(values[0]), float(values[1])), difference, better, int(both.any(0).sum()))
