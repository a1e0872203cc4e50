"""Judges one benchmark of a leaderboard by `jaxzc.evaluate`, and draws Spearman's rho on the same resamples."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from jaxzc import embedded
from jaxzc.aggregates import parse_aggregate
from jaxzc.evaluation.across.description import Benchmark
from jaxzc.evaluation.across.keeping import load, save
from jaxzc.evaluation.across.results import Judgement
from jaxzc.evaluation.leaderboard import draws_over_seeds, turned
from jaxzc.evaluation.request import EvaluateRequest, digest, evaluate
from jaxzc.evaluation.results import Evaluation
from jaxzc.evaluation.statistics import CONTROLS
from jaxzc.tables import ScoreTable, read_scores
from jaxzc.types import JaxzcError

STATISTICS = ("spearman", "kendall", "precision_10", "regret_10", "spearman_given_params", "spearman_given_flops")
"""What a leaderboard has of every proxy on every benchmark."""


def judge(
    benchmark: Benchmark,
    block: str,
    proxies: Sequence[str] | None,
    aggregates: Sequence[str],
    *,
    resamples: int,
    seed: int,
    keep: Path | None,
) -> Judgement:
    """Judges one benchmark: the proxies and aggregates whose scores it has.

    keep: a directory in which the judgement is stored, and from which a later call with the same files and settings reads it. Raises
    `JaxzcError` where `jaxzc.evaluate` does, and where none of the proxies was scored.
    """
    table = _read(benchmark)
    present, absent = _defined(table, aggregates)
    chosen = None
    if proxies is not None:
        chosen = [name for name in proxies if name in table.columns]
        if not chosen and not present:
            raise JaxzcError(f"{benchmark.scores} has none of the proxies {', '.join(proxies)}: choose others, or score them first")
    request = EvaluateRequest(
        table,
        benchmark.table,
        benchmark.metric,
        proxies=chosen,
        aggregates=present,
        statistics=STATISTICS,
        resamples=resamples,
        seed=seed,
    )
    key = _key(benchmark, request)
    if keep is not None and (earlier := load(keep / f"{key}.npz")) is not None:
        return Judgement(benchmark, block, *earlier, absent)
    evaluation = evaluate(request).evaluation
    files = {"scores": str(benchmark.scores), "scores_digest": digest(benchmark.scores), "distinct": benchmark.distinct}
    evaluation = replace(evaluation, settings=files | dict(evaluation.settings))
    draws = _draws(evaluation, resamples, seed)
    if keep is not None:
        save(keep / f"{key}.npz", evaluation, draws)
    return Judgement(benchmark, block, evaluation, draws, absent)


def _read(benchmark: Benchmark) -> ScoreTable:
    """The scores, of `distinct` networks where the benchmark says so. Raises `JaxzcError` where the file does not say which these are."""
    table = read_scores(benchmark.scores)
    if not benchmark.distinct:
        return table
    if "scored" not in table.columns:
        raise JaxzcError(f"{benchmark.scores} has no column 'scored', which says whose scores a row has: leave out `distinct`")
    rows = table.columns["scored"] == table.columns["arch"]
    return replace(table, columns={name: column[rows] for name, column in table.columns.items()})


def _defined(table: ScoreTable, aggregates: Sequence[str]) -> tuple[list[str], Mapping[str, tuple[str, ...]]]:
    """The aggregates of which every proxy was scored; and of the others, the proxies that were not."""
    present, absent = [], {}
    for text in aggregates:
        label, aggregate = parse_aggregate(text)
        lacking = tuple(name for name in aggregate.proxies if name not in table.columns)
        if lacking:
            absent[label] = lacking
        else:
            present.append(text)
    return present, absent


def _draws(evaluation: Evaluation, resamples: int, seed: int) -> np.ndarray:
    """Spearman's rho in every resample, `[rows, resamples]`: the same resamples as the evaluation's."""
    columns = np.stack([turned(evaluation.scores[row.proxy], row.higher_is_better) for row in evaluation.rows])
    controls = {name: evaluation.scores[name] for name in CONTROLS.values()}
    return draws_over_seeds(columns, evaluation.truth, controls, ["spearman"], resamples=resamples, seed=seed)["spearman"]


def _key(benchmark: Benchmark, request: EvaluateRequest) -> str:
    """16 letters that name a judgement: a digest of the files' content, of the request, and of the version of jaxzc."""
    from jaxzc import __version__

    made_from = [
        __version__,
        digest(benchmark.scores),
        benchmark.distinct,
        digest(embedded.table_named(benchmark.table)),
        request.metric,
        request.proxies,
        [f"{label}: {aggregate.proxies} {aggregate.about}" for label, aggregate in map(parse_aggregate, request.aggregates)],
        request.statistics,
        request.resamples,
        request.seed,
    ]
    return digest(json.dumps(made_from).encode())
