"""A leaderboard asked for: what `jaxzc leaderboard` and a notebook call."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jaxzc.evaluation.across.board import Leaderboard
from jaxzc.evaluation.across.description import Benchmark, Description, read_description
from jaxzc.evaluation.across.judging import judge
from jaxzc.evaluation.across.ranking import standings
from jaxzc.evaluation.request import digest
from jaxzc.types import JaxzcError
from jaxzc.types.names import split_names

LEVEL = 0.95
"""Of the intervals, as `jaxzc.evaluate` has it."""


@dataclass(frozen=True)
class LeaderboardRequest:
    """Which proxies are judged on which benchmarks.

    benchmarks: a TOML file (its form: `jaxzc.evaluation.across.description`), a `Description`, or a sequence of `Benchmark`s.
    tables: a directory of accuracies, looked at before that of the file. proxies: the columns that are judged; None: as described.
    aggregates: further ones, beside those described. resamples, seed: of the bootstrap; the k-th block has the seed `seed` + k.
    keep: a directory in which each benchmark's judgement is kept, and found again by a later call.
    """

    benchmarks: str | Path | Description | Sequence[Benchmark]
    tables: str | Path | None = field(default=None, kw_only=True)
    proxies: Sequence[str] | str | None = field(default=None, kw_only=True)
    aggregates: Sequence[str] | str = field(default=(), kw_only=True)
    resamples: int = field(default=2000, kw_only=True)
    seed: int = field(default=0, kw_only=True)
    keep: str | Path | None = field(default=None, kw_only=True)


def leaderboard(request: LeaderboardRequest | Any, **settings: Any) -> Leaderboard:
    """Judges proxies on several benchmarks: as a `LeaderboardRequest` says, or what one is made of.

    >>> board = jaxzc.leaderboard([Benchmark("digits", "scores.parquet", "embedded", "test_accuracy")], aggregates="trio,vote")
    >>> print(board)

    Raises `JaxzcError`: files that cannot be read, unknown entries, metrics or aggregates, and where `jaxzc.evaluate` does.
    """
    if not isinstance(request, LeaderboardRequest):
        request = LeaderboardRequest(request, **settings)
    elif settings:
        raise JaxzcError(f"leaderboard was given a LeaderboardRequest and also {', '.join(settings)}: put that into the request")
    description = _described(request)
    _check_scores(description)
    proxies = description.proxies if request.proxies is None else _names(request.proxies)
    aggregates = list(dict.fromkeys([*description.aggregates, *_names(request.aggregates)]))
    blocks = _blocks(description.benchmarks)
    numbers = {block: number for number, block in enumerate(dict.fromkeys(blocks))}
    keep = None if request.keep is None else Path(request.keep)
    judgements = [
        judge(
            benchmark,
            block,
            proxies,
            aggregates,
            resamples=request.resamples,
            seed=request.seed + numbers[block],
            keep=keep,
        )
        for benchmark, block in zip(description.benchmarks, blocks, strict=True)
    ]
    rows, test = standings(judgements, LEVEL)
    if not rows:
        raise JaxzcError("no proxy has a defined rank correlation on any benchmark: give tables with at least 3 scored networks")
    about = {"resamples": request.resamples, "seed": request.seed, "level": LEVEL, "aggregates": aggregates}
    about |= {"benchmarks": {judgement.name: dict(judgement.evaluation.settings) for judgement in judgements}}
    return Leaderboard(judgements, rows, test, description.title, description.introduction, description.notes, about)


def _described(request: LeaderboardRequest) -> Description:
    benchmarks = request.benchmarks
    if isinstance(benchmarks, Description):
        return benchmarks
    if isinstance(benchmarks, str | os.PathLike):
        return read_description(benchmarks, request.tables)
    if not benchmarks:
        raise JaxzcError("no benchmark was named: give one at least")
    names = [benchmark.name for benchmark in benchmarks]
    if twice := [name for name in names if names.count(name) > 1]:
        raise JaxzcError(f"two benchmarks are called {twice[0]!r}: give each a name of its own")
    return Description(benchmarks)


def _check_scores(description: Description) -> None:
    """Raises `JaxzcError` for a score file that is still to be made: before the first benchmark is judged."""
    for benchmark in description.benchmarks:
        if benchmark.scoring is not None and not Path(benchmark.scores).is_file():
            raise JaxzcError(
                f"{benchmark.name}: there is no score file {benchmark.scores} yet: `jaxzc leaderboard` makes it, as does "
                "jaxzc.jobs.described.score_missing(description)"
            )


def _blocks(benchmarks: Sequence[Benchmark]) -> list[str]:
    """The block of each benchmark: as it says, or that of its score file, by content, called as the first that has it."""
    files = [benchmark.block or digest(benchmark.scores) for benchmark in benchmarks]
    first: dict[str, str] = {}
    for benchmark, file in zip(benchmarks, files, strict=True):
        first.setdefault(file, benchmark.block or benchmark.name)
    return [first[file] for file in files]


def _names(names: Sequence[str] | str) -> list[str]:
    return split_names(names) if isinstance(names, str) else list(names)
