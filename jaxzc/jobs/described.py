"""Scores the networks of a leaderboard's benchmarks whose score files are missing, as its description says.

>>> description = jaxzc.evaluation.read_description("benchmarks/leaderboard.toml", "tables")
>>> jaxzc.jobs.described.score_missing(description)
>>> board = jaxzc.leaderboard(description)
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxzc import embedded
from jaxzc._durable.store import store
from jaxzc.definitions.facts import Proxy
from jaxzc.evaluation.across.description import Benchmark, Description
from jaxzc.evaluation.across.scoring import Scoring
from jaxzc.jobs.about import metadata
from jaxzc.jobs.merging import merge
from jaxzc.jobs.parts import Row
from jaxzc.jobs.request import ScoreRequest, check_folder, make_folder, work_of
from jaxzc.jobs.runner import run
from jaxzc.tables import check_name, read_archs, write_scores
from jaxzc.types import JaxzcError, Space

Watched = Callable[[Iterator[Row], int, dict[str, Proxy]], Iterator[Row]]
"""Rows as they come, how many there will be, and the proxies -> the rows."""


def score_missing(
    description: Description,
    *,
    note: Callable[[str], None] = lambda text: None,
    watched: Watched = lambda rows, total, proxies: rows,
) -> list[Path]:
    """Makes every score file of the description that is missing and has a scoring; returns these files. One that exists stays as it is.

    The job is kept beside the file, in `FILE.job`, until the file is written: the same call goes on where it was interrupted. note,
    watched: what the caller is told, and shows. Raises `JaxzcError` where `jaxzc.run_scoring` does, where XLA_FLAGS lacks what a scoring
    says, and where every network of a benchmark failed.
    """
    missing = [each for each in description.benchmarks if each.scoring is not None and not Path(each.scores).is_file()]
    for benchmark in missing:
        check_name(benchmark.scores)
        if benchmark.scoring is not None:
            benchmark.scoring.check_flags(benchmark.name, os.environ.get("XLA_FLAGS", ""))
        if not Path(benchmark.scores).parent.is_dir():
            raise JaxzcError(f"there is no directory {Path(benchmark.scores).parent} for {Path(benchmark.scores).name}: create it first")
    files = []
    for benchmark in missing:
        if not Path(benchmark.scores).is_file():  # benchmarks may share one
            note(f"{benchmark.name}: scoring, for there is no file {benchmark.scores}")
            files.append(_score(benchmark, note, watched))
    return files


def _score(benchmark: Benchmark, note: Callable[[str], None], watched: Watched) -> Path:
    scoring = benchmark.scoring
    assert scoring is not None
    path = Path(benchmark.scores)
    folder = path.with_name(f"{path.name}.job")
    check_folder(folder)
    request = request_of(scoring, folder)
    work = work_of(request, lambda space: _archs(scoring, space), about={"command": benchmark.command})
    make_folder(folder)
    job = store(str(folder))
    run(job, work, note=note, watched=lambda rows, total: watched(rows, total, request.chosen))
    merged = merge(job, [work.request])
    if merged.missing:
        raise JaxzcError(f"{benchmark.name}: {merged.missing} scores are missing in {folder}: call it again, which goes on")
    if len(merged.failed) == len(merged.columns["arch"]):
        arch, _, error = merged.failed[0]
        raise JaxzcError(f"{benchmark.name}: every network failed, the first {arch}: {error}; change its scoring and delete {folder}")
    flags = {"xla_flags": scoring.xla_flags} if scoring.xla_flags else {}
    write_scores(path, merged.columns, metadata(merged) | {"data": Path(scoring.data).name} | flags)
    job.remove_all()
    return path


def request_of(scoring: Scoring, folder: Path) -> ScoreRequest:
    """The scoring as a job of its own in a directory."""
    fields: dict[str, Any] = {name: getattr(scoring, name) for name in ("data", "batch_size", "batches", "init", "norm", "isomorphs")}
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in scoring.options.items()}
    return ScoreRequest(scoring.space, proxies=scoring.proxies, seeds=tuple(scoring.seeds), options=options, out=folder, **fields)


def _archs(scoring: Scoring, space: Space) -> tuple[np.ndarray, str]:
    """The architectures, int32 `[n, genes]`, and how they were chosen, in words."""
    read = read_archs(embedded.table_named(scoring.archs), space)
    name = Path(scoring.archs).name
    if scoring.sample is None:
        return read.archs, f"all {len(read.archs)} of {name}"
    if scoring.sample > len(read.archs):
        raise JaxzcError(
            f"sample = {scoring.sample}: {name} has only {len(read.archs)} different architectures: ask for fewer, or leave it out"
        )
    return read.drawn(scoring.sample, scoring.seeds[0]), f"{scoring.sample} random ones of {name}"
