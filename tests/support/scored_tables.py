"""Tables of scores with accuracies to hold them against: five networks by hand, and many at random."""

import numpy as np
from scipy import stats

from jaxzc import evaluation
from jaxzc.evaluation import Evaluation, Row
from jaxzc.tables import ScoreTable

NAN = float("nan")
INF = float("inf")
ARCHS = np.array(["a", "b", "c", "d", "e"], object)
TRUTH = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0, "e": 5.0}


def table(metadata=None, **columns) -> ScoreTable:
    return ScoreTable({"arch": ARCHS, **{name: np.asarray(values) for name, values in columns.items()}}, metadata or {})


def evaluate(*arguments, resamples: int = 0, **options) -> Evaluation:
    return evaluation.evaluate(*arguments, resamples=resamples, **options)


def by_name(found: Evaluation) -> dict[str, Row]:
    return {row.proxy: row for row in found.rows}


def of(row: Row, *names: str) -> tuple[float, ...]:
    return tuple(row.statistics[name].value for name in names)


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    both = np.isfinite(x) & np.isfinite(y)
    return float(np.asarray(stats.spearmanr(x[both], y[both]))[0])


def many(n: int = 120, seeds: int = 2, holes: int = 10) -> tuple[ScoreTable, dict[str, float]]:
    rng = np.random.default_rng(4)
    truth = {f"arch{k}": float(v) for k, v in enumerate(np.round(rng.normal(size=n), 2))}
    archs = np.repeat(np.array(list(truth), object), seeds)
    accuracy = np.repeat(list(truth.values()), seeds)
    good, bad = accuracy + rng.normal(size=n * seeds), np.round(accuracy + 3 * rng.normal(size=n * seeds))
    good[rng.choice(n * seeds, holes, replace=False)] = NAN
    params = np.repeat(np.round(rng.normal(size=n)), seeds)
    return ScoreTable({"arch": archs, "seed": np.tile(np.arange(seeds), n), "good": good, "bad": bad, "params": params}), truth
