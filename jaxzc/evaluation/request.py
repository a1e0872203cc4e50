"""Score files judged by trained accuracies: what `jaxzc evaluate` and a notebook call."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from jaxzc import embedded
from jaxzc.aggregates import Aggregate, parse_aggregate
from jaxzc.catalogue import cards
from jaxzc.evaluation import joining
from jaxzc.evaluation.alignment import BASELINES, KEYS
from jaxzc.evaluation.ceiling import read_ceiling
from jaxzc.evaluation.compare import Comparison, compare
from jaxzc.evaluation.leaderboard import evaluate as evaluate_table
from jaxzc.evaluation.results import Evaluation
from jaxzc.evaluation.text import format_leaderboard
from jaxzc.tables import ScoreTable, read_scores, read_truth
from jaxzc.types import JaxzcError
from jaxzc.types.names import some_of, split_names

REMARKS = ("scored", "error")
"""Columns of a score table that say how a row came about."""


@dataclass(frozen=True)
class EvaluateRequest:
    """Which scores are judged by what.

    scores: a file that a scoring wrote, several of them, which are judged on the networks that all of them have, or columns
    `arch`, optionally `seed`, and one per proxy. truth: a file with a column `arch` and the metric, "embedded" (the benchmark that ships
    with jaxzc), or architecture string -> metric. metric: its name, higher is better. proxies: columns to judge (default: all).
    aggregates: combinations of scores within the scores, such as "trio" or "log_rank(zico,naswot)", judged beside them. compare: pairs of
    proxies to be compared on the same resamples. statistics, resamples, seed: as in `jaxzc.evaluation.evaluate`.
    """

    scores: str | Path | Sequence[str | Path] | Mapping[str, Any] | ScoreTable
    truth: str | Path | Mapping[str, float]
    metric: str
    proxies: Sequence[str] | None = field(default=None, kw_only=True)
    aggregates: Sequence[str] = field(default=(), kw_only=True)
    compare: Sequence[tuple[str, str]] = field(default=(), kw_only=True)
    statistics: Sequence[str] | None = field(default=None, kw_only=True)
    resamples: int = field(default=2000, kw_only=True)
    seed: int = field(default=0, kw_only=True)


@dataclass(frozen=True)
class Judged:
    """evaluation: the statistics of every proxy. comparisons: of the pairs that were asked for, and of each proxy in several files. scores:
    the table that was judged, aggregates included. networks: how many the truth knows. commands: that made the score files. Its text is
    the leaderboard."""

    evaluation: Evaluation
    comparisons: list[Comparison]
    scores: ScoreTable
    networks: int
    commands: list[str]

    def __str__(self) -> str:
        board = format_leaderboard(self.evaluation)
        return f"{board}\nwithout an accuracy: {some_of(self.unmatched)}" if self.unmatched else board

    @property
    def unmatched(self) -> list[str]:
        """Architectures that have scores, and no accuracy in the truth."""
        known = set(self.evaluation.archs)
        return [arch for arch in dict.fromkeys(self.scores.columns["arch"].tolist()) if arch not in known]

    @property
    def ignored(self) -> list[str]:
        """Columns of the scores that were not judged: they are not listed as proxies, or hold no numbers."""
        return [name for name in self.scores.columns if name not in (*KEYS, *REMARKS, *self.evaluation.scores)]


def evaluate(request: EvaluateRequest | Any, *truth: Any, **settings: Any) -> Judged:
    """Judges scores by the accuracies of trained networks: as an `EvaluateRequest` says, or what one is made of.

    >>> judged = jaxzc.evaluate("scores.parquet", "embedded", metric="test_accuracy")
    >>> print(judged)
    >>> jaxzc.write_report(judged, "report")

    Raises `JaxzcError`: files that cannot be read, an unknown metric or aggregate, and where `jaxzc.evaluation.evaluate` does.
    """
    if not isinstance(request, EvaluateRequest):
        request = EvaluateRequest(request, *truth, **settings)
    elif truth or settings:
        raise JaxzcError(
            f"evaluate was given an EvaluateRequest and also {', '.join(map(str, [*truth, *settings]))}: put that into the request"
        )
    aggregates = _aggregates(request.aggregates)
    files, each = _tables(request.scores)
    each = {name: with_aggregates(table, aggregates) for name, table in each.items()}
    several = len(each) > 1
    scores = joining.join(each) if several else next(iter(each.values()))
    facts: dict[str, Any] = {}
    if files:
        digests = [digest(file) for file in files]
        facts |= {"scores": files, "scores_digest": digests} if several else {"scores": files[0], "scores_digest": digests[0]}
    if isinstance(request.truth, Mapping):
        truths, ceiling = request.truth, None
    else:
        path = embedded.table_named(request.truth)
        truths = read_truth(path, request.metric)
        ceiling = read_ceiling(path, request.metric, scores.columns.get("arch", np.array([])).tolist())
        facts |= {"table": str(request.truth), "table_digest": digest(path)}
    evaluation = evaluate_table(
        scores,
        truths,
        _columns(request.proxies, aggregates, list(each) if several else []),
        metric=request.metric,
        statistics=request.statistics,
        resamples=request.resamples,
        seed=request.seed,
        ceiling=ceiling,
        settings=facts,
    )
    place = {row.proxy: number for number, row in enumerate(evaluation.rows)}
    couples = [couple for couple in joining.pairs(each, scores) if {*couple} <= {*place}] if several else []
    couples = [*request.compare, *sorted(couples, key=lambda couple: place[couple[0]])]
    comparisons = [compare(evaluation, a, b) for a, b in couples]
    commands = [table.metadata["command"] for table in each.values() if "command" in table.metadata]
    return Judged(evaluation, comparisons, scores, len(truths), commands)


def _tables(scores: Any) -> tuple[list[str], dict[str, ScoreTable]]:
    """The files, none for columns in memory, and a name for each table with what it holds."""
    if isinstance(scores, ScoreTable):
        return [], {"scores": scores}
    if isinstance(scores, Mapping):
        return [], {"scores": ScoreTable({name: np.asarray(column) for name, column in scores.items()})}
    files = [str(scores)] if isinstance(scores, str | Path) else [str(file) for file in scores]
    if not files:
        raise JaxzcError("no score file was named: give one at least")
    return files, {name: read_scores(file) for name, file in zip(joining.names_of(files), files, strict=True)}


def _columns(proxies: Sequence[str] | None, aggregates: Mapping[str, Aggregate], files: Sequence[str]) -> list[str] | None:
    """The columns to be judged; of several files, a proxy's name stands for it in each of them."""
    if proxies is None:
        return None
    names = list(dict.fromkeys([*(split_names(proxies) if isinstance(proxies, str) else proxies), *aggregates]))
    if not files:
        return names
    return [column for name in names for column in ([name] if name in BASELINES else [joining.label(name, file) for file in files])]


def digest(content: str | Path | bytes) -> str:
    """The first 16 letters of SHA-256 of a file, or of bytes. Raises `JaxzcError` for a file that is not there."""
    try:
        held = content if isinstance(content, bytes) else Path(content).read_bytes()
    except OSError as error:
        raise JaxzcError(f"{content} cannot be read ({error.strerror or error}): check the path") from error
    return hashlib.sha256(held).hexdigest()[:16]


def _aggregates(texts: Sequence[str]) -> dict[str, Aggregate]:
    chosen: dict[str, Aggregate] = {}
    for label, aggregate in map(parse_aggregate, split_names(texts) if isinstance(texts, str) else texts):
        if label in chosen:
            raise JaxzcError(f"aggregate {label!r} is named twice: give each one once, or LABEL=RULE(...) with a label of your own")
        chosen[label] = aggregate
    return chosen


def with_aggregates(scores: ScoreTable, aggregates: Mapping[str, Aggregate]) -> ScoreTable:
    """The table with a column for each aggregate, computed within each seed."""
    columns = dict(scores.columns)
    seeds = columns.get("seed", np.zeros(len(next(iter(columns.values())))))
    directions = cards.directions(scores.metadata)
    for label, aggregate in aggregates.items():
        if label in columns:
            raise JaxzcError(f"the table has a column {label!r} already: give the aggregate another name, LABEL=RULE(...)")
        values = np.full(len(seeds), np.nan)
        for seed in np.unique(seeds):
            rows = seeds == seed
            values[rows] = aggregate(
                {name: column[rows] for name, column in scores.columns.items() if name not in ("arch", "seed")}, directions
            )
        columns[label] = values
    listed = scores.metadata.get("proxies", [c for c, v in scores.columns.items() if c not in ("arch", "seed") and v.dtype.kind in "iuf"])
    return replace(scores, columns=columns, metadata={**scores.metadata, "proxies": [*listed, *aggregates]})
