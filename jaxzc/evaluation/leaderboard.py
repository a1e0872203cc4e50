"""Judges a whole score table by ground truth: every proxy, every statistic, every seed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxzc.catalogue import cards
from jaxzc.evaluation.alignment import align
from jaxzc.evaluation.bootstrap import bootstrap, interval
from jaxzc.evaluation.cost import cost
from jaxzc.evaluation.results import Evaluation, Row
from jaxzc.evaluation.statistics import CONTROLS, STATISTICS, check_statistics, value
from jaxzc.evaluation.statistics.correlations import spearman
from jaxzc.tables import ScoreTable
from jaxzc.types import JaxzcError
from jaxzc.types.names import direction_of


def evaluate(
    scores: ScoreTable,
    truth: Mapping[str, float],
    proxies: Sequence[str] | None = None,
    directions: Mapping[str, bool] | None = None,
    *,
    metric: str = "metric",
    statistics: Sequence[str] | None = None,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    ceiling: Mapping[str, float] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Judges each proxy of a score table by the ground truth; NaN and infinite scores are left out of its statistics and counted.

    scores: a column `arch` of strings, optionally `seed`, and one column per proxy `[rows]`, one row per architecture and seed.
    truth: architecture string -> the metric, higher is better; architectures without a finite one are counted as unmatched.
    proxies: columns to evaluate; None: those that the metadata list under `proxies`, or else every numeric column but `seed`. `params` and
        `flops` are always added, with nothing covered where the table lacks them.
    directions: proxy -> higher is better; None: as the proxies, or the table's metadata, state it. A score of which lower is better is
        turned first, one of unknown direction is taken as it is.
    metric: the name of the truth. statistics: names of `STATISTICS`, None for all; Spearman's rho is always there, the rows' order.
    resamples: bootstrap resamples of the architectures, 0 for no intervals (fewer than `LEAST` networks have none,
        either); seed: of the resamples; level: of the intervals.
    ceiling: passed through (see `read_ceiling`). settings: further entries of the result's settings, such as files and digests.

    With several seeds each statistic is computed for each, and the mean over those where it is defined is reported; all seeds share the
    resamples. Fewer than 3 finite pairs, or a constant column, give NaN. The order of the rows changes nothing.
    Raises `JaxzcError`: no column `arch`, unknown proxy or statistic, text in a proxy column, one architecture twice with one seed, nothing
    matched, a negative number of resamples, a level outside 0..1.
    """
    names = check_statistics(["spearman", *(STATISTICS if statistics is None else statistics)])
    check_resampling(resamples, seed, level)
    table = align(scores, truth, proxies)
    if directions is None:
        stated = cards.directions(scores.metadata)
        known = {label: direction_of(label, stated) for label in table.scores}
        directions = {label: higher for label, higher in known.items() if higher is not None}
    columns = np.stack([turned(values, directions.get(name)) for name, values in table.scores.items()])
    controls = {name: table.scores[name] for name in CONTROLS.values()}
    by_seed = {name: values_by_seed(name, columns, table.truth, controls) for name in names}
    draws = draws_over_seeds(columns, table.truth, controls, names, resamples=resamples, seed=seed)
    rows = [
        Row(
            name,
            statistics={s: interval(float(mean_over_seeds(by_seed[s])[number]), draws[s][number], level) for s in names},
            over_seeds={s: _deviation(by_seed[s][number]) for s in names},
            finite=int(np.isfinite(values).sum()),
            total=table.rows,
            seeds=int(np.isfinite(by_seed["spearman"][number]).sum()),
            unmatched=table.unmatched,
            higher_is_better=directions.get(name),
            cost=cost(name, scores.metadata),
        )
        for number, (name, values) in enumerate(table.scores.items())
    ]
    order = sorted(range(len(rows)), key=lambda k: (-np.nan_to_num(rows[k].statistics["spearman"].value, nan=-2.0), rows[k].proxy))
    about = {"resamples": resamples, "seed": seed, "level": level, **(settings or {}), "scores_metadata": dict(scores.metadata)}
    between = _between(columns[order])
    return Evaluation([rows[k] for k in order], metric, table.archs, table.truth, table.scores, between, dict(ceiling or {}), about)


def check_resampling(resamples: int, seed: int, level: float) -> None:
    """Raises `JaxzcError` where these cannot be had."""
    if resamples < 0 or seed < 0 or not 0 < level < 1:
        raise JaxzcError(
            f"{resamples} resamples with seed {seed} and level {level}: expected resamples and seed of at least 0, and a level "
            "between 0 and 1, such as 2000, 0 and 0.95"
        )


def turned(values: np.ndarray, higher_is_better: bool | None) -> np.ndarray:
    """The score with its sign such that higher is better."""
    return -values if higher_is_better is False else values


def values_by_seed(name: str, columns: np.ndarray, truth: np.ndarray, controls: Mapping[str, np.ndarray]) -> np.ndarray:
    """The statistic, float64 `[proxies, seeds]`, of scores `[proxies, seeds, n]` that are turned; controls `[seeds, n]`."""
    seeds = [{control: values[k] for control, values in controls.items()} for k in range(columns.shape[1])]
    return np.array([[value(name, score, truth, fixed) for score, fixed in zip(scores, seeds, strict=True)] for scores in columns])


def draws_over_seeds(
    columns: np.ndarray, truth: np.ndarray, controls: Mapping[str, np.ndarray], names: Sequence[str], *, resamples: int, seed: int
) -> dict[str, np.ndarray]:
    """Statistic -> float64 `[proxies, resamples]`: mean over seeds in each resample of architectures; arguments as in `values_by_seed`."""
    proxies, seeds, _ = columns.shape
    tiled = {control: np.tile(values, (proxies, 1)) for control, values in controls.items()}
    draws = bootstrap(columns.reshape(proxies * seeds, -1), truth, tiled, names, resamples=resamples, seed=seed)
    return {name: mean_over_seeds(values.reshape(proxies, seeds, resamples)) for name, values in draws.items()}


def mean_over_seeds(values: np.ndarray) -> np.ndarray:
    """Mean over axis 1 of what is finite; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(1)
    return np.where(known, values, 0).sum(1) / np.where(count, count, np.nan)


def _deviation(values: np.ndarray) -> float:
    """Standard deviation over the seeds (n - 1 below the fraction), NaN with fewer than two defined."""
    known = values[np.isfinite(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")


def _between(columns: np.ndarray) -> np.ndarray:
    """Spearman's rho of every two proxies, mean over seeds, float64 `[proxies, proxies]`, from scores `[proxies, seeds, n]`."""
    count, seeds, _ = columns.shape
    correlations = np.full((count, count, seeds), np.nan)
    for a in range(count):
        for b in range(a, count):
            correlations[a, b] = correlations[b, a] = [spearman(columns[a, k], columns[b, k]) for k in range(seeds)]
    return mean_over_seeds(correlations.reshape(count * count, seeds)).reshape(count, count)
