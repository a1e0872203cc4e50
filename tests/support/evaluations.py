"""Evaluations for tests of the report: small, with gaps, and with a name that tries to be markup."""

from dataclasses import replace
from typing import Any

import numpy as np

from jaxzc.evaluation import evaluate
from jaxzc.evaluation.results import Evaluation
from jaxzc.tables import ScoreTable

HOSTILE = "<script>alert(1)</script>&\"'"


def evaluation_of(n: int = 60, proxies: int = 4, resamples: int = 50) -> Evaluation:
    """`n` networks under so many noisy proxies; the first has 5 NaN, the second a cost."""
    rng = np.random.default_rng(0)
    truth = rng.normal(90, 2, n)
    columns: dict[str, Any] = {"arch": np.array([f"arch {k}" for k in range(n)], object)}
    columns |= {f"proxy{k}": truth + rng.normal(scale=1 + k, size=n) for k in range(proxies)}
    columns["proxy0"][:5] = np.nan
    columns |= {"params": rng.integers(100, 1000, n).astype(float), "flops": rng.integers(1000, 9000, n).astype(float)}
    table = ScoreTable(columns, {"proxies": [f"proxy{k}" for k in range(proxies)]})
    evaluation = evaluate(table, dict(zip(columns["arch"], truth.tolist(), strict=True)), metric="accuracy", resamples=resamples)
    costs = {"proxy0": {"passes": 0.0, "seconds": 0.25}, "proxy1": {"passes": 3.0}, "proxy2": {"passes": 0.03125}}
    return replace(evaluation, rows=[replace(row, cost=costs.get(row.proxy, {})) for row in evaluation.rows])


def renamed(evaluation: Evaluation, name: str) -> Evaluation:
    """The evaluation with the first proxy, an architecture, the metric and a setting called `name`."""
    first = evaluation.rows[0]
    scores = {(name if proxy == first.proxy else proxy): values for proxy, values in evaluation.scores.items()}
    rows = [replace(first, proxy=name), *evaluation.rows[1:]]
    archs = [name, *evaluation.archs[1:]]
    return replace(evaluation, rows=rows, archs=archs, scores=scores, metric=name, settings={**evaluation.settings, name: name})
