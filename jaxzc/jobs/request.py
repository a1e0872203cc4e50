"""A scoring job asked for by name: what `jaxzc score` and a notebook call."""

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from jaxzc import embedded
from jaxzc._compile.platforms import here
from jaxzc._durable.files import check_parent
from jaxzc._durable.store import is_remote, store
from jaxzc.catalogue.selection import ProxySpec, identity, select
from jaxzc.definitions.facts import Proxy
from jaxzc.jobs.manifest import MANIFEST, Request
from jaxzc.jobs.merging import Merged, merge
from jaxzc.jobs.parts import Row
from jaxzc.jobs.recorder import EVERY
from jaxzc.jobs.runner import WHOLE, Work, run
from jaxzc.jobs.work import Stripe, representatives, units
from jaxzc.scoring.network.doubts import doubts_of_space
from jaxzc.scoring.space import SpaceScorer
from jaxzc.scoring.space.setting import Setting
from jaxzc.spacekit import genes_of
from jaxzc.tables import kind_of, read_archs
from jaxzc.types import JaxzcError, Space

ALWAYS = ("params", "flops")
"""Scored whatever is asked for: a proxy that does not beat them measures size."""


@dataclass(frozen=True)
class ScoreRequest(Setting):
    """Which architectures are scored with what; further fields: see `jaxzc.scoring.space.setting.Setting`.

    space: a name, made for the images with `options`, or a space. archs: strings, genes `[n, genes]`, or a file of them ("embedded": those
    of the benchmark that ships with jaxzc); None: `sample` random ones. proxies: as for `jaxzc.score`, to which params and flops are added.
    seeds: of images, weights and sample (the first). isomorphs: "each", or "once": of those that are the same network one is scored, and
    all get its scores. out: directory or URL of the job, new or to be added to; without one, nothing is kept. retry_failures: score those
    again whose failure the job has recorded. every: seconds between two writes.
    """

    space: str | Space
    archs: str | Path | Sequence[str] | np.ndarray | None = None
    proxies: ProxySpec = "founding"
    sample: int = field(default=100, kw_only=True)
    seeds: Sequence[int] = field(default=(0,), kw_only=True)
    isomorphs: str = field(default="each", kw_only=True)
    out: str | Path | None = field(default=None, kw_only=True)
    retry_failures: bool = field(default=False, kw_only=True)
    every: float = field(default=EVERY, kw_only=True)

    @property
    def chosen(self) -> dict[str, Proxy]:
        """Label -> function of all that is scored."""
        named = select(self.proxies)
        return named | {label: proxy for label, proxy in select(ALWAYS).items() if label not in named}

    def architectures(self, space: Space) -> tuple[np.ndarray, str]:
        """The architectures, int32 `[n, genes]`, and how they were chosen, in words."""
        if self.archs is None:
            return space.sample(np.random.default_rng(self.seeds[0]), self.sample), f"{self.sample} random ones"
        if isinstance(self.archs, str | Path):
            archs = read_archs(embedded.table_named(self.archs), space).archs
            return archs, f"all {len(archs)} of {self.archs}"
        archs = genes_of(space, self.archs)
        return archs, f"all {len(archs)} of a list"


def run_scoring(
    request: ScoreRequest | str | Space,
    *archs: Any,
    note: Callable[[str], None] = lambda text: None,
    watched: Callable[[Iterator[Row], int], Iterator[Row]] = lambda rows, total: rows,
    **settings: Any,
) -> Merged:
    """Scores architectures as a `ScoreRequest` says, or what one is made of; returns the table of scores.

    >>> jaxzc.run_scoring("nasbench201", ["|nor_conv_3x3~0|+|none~0|...", ...], proxies="naswot").columns["naswot"]
    >>> jaxzc.run_scoring("nasbench201", sample=20, proxies="naswot", out="job")
    >>> jaxzc.run_scoring("nasbench201", "embedded", proxies="naswot", options={"channels": 4, "cells": 1})

    With `out`, the same call goes on where it was interrupted. note, watched: as in `jaxzc.jobs.run`. With a space and batches of your own
    there is `jaxzc.score_space`. Raises `JaxzcError`: unknown names, a directory that holds other things or a job of other settings.
    """
    if not isinstance(request, ScoreRequest):
        request = ScoreRequest(request, *archs, **settings)
    elif archs or settings:
        raise JaxzcError("run_scoring was given a ScoreRequest and more: put all of it into the request")
    local = request.out is not None and not is_remote(str(request.out))
    if local:
        check_folder(Path(str(request.out)))
    job = work_of(request)
    with contextlib.ExitStack() as stack:
        where = stack.enter_context(tempfile.TemporaryDirectory()) if request.out is None else str(request.out)
        if local:
            make_folder(Path(where))
        place = store(where)
        run(place, job, note=note, watched=watched)
        return merge(place, [job.request])


def work_of(
    request: ScoreRequest,
    choose: Callable[[Space], tuple[np.ndarray, str]] | None = None,
    *,
    stripe: Stripe = WHOLE,
    about: Mapping[str, object] = {},
) -> Work:
    """Everything that a job needs to do what the request asks: the space, the images of every seed, the architectures and their scorer.

    choose: space -> architectures int32 `[n, genes]`, and how they were chosen, for the record; None: those of the request. about: further
    facts for the record. Raises `JaxzcError` for names and settings that cannot be used.
    """
    if request.isomorphs not in ("each", "once"):
        raise JaxzcError(f"isomorphs is {request.isomorphs!r}, expected 'each' or 'once'")
    proxies = request.chosen
    request.check_sizes(proxies)
    space, draws = request.prepared(request.space, request.seeds)
    archs, which = (choose or request.architectures)(space)
    facts = {
        "space": repr(space),
        **request.facts,
        "versions": {name: version(name) for name in ("jaxzc", "jax", "flax")},
        "platform": here(),
    }
    scored = representatives(space, archs) if request.isomorphs == "once" else archs
    asked = Request(
        [space.to_string(arch) for arch in archs],
        [space.to_string(arch) for arch in scored],
        {label: identity(proxy) for label, proxy in proxies.items()},
        {seed: drawn.digest for seed, drawn in zip(request.seeds, draws, strict=True)},
        {**request.record(proxies, draws), "doubts": doubts_of_space(space, proxies, archs), "archs": which, **about},
        time.time(),
    )

    def scorer(labels: Sequence[str]) -> SpaceScorer:
        made = request.scorer(space, draws[0].batches, {label: proxies[label] for label in labels}, "nan")
        made.warn_of(scored)  # before hours of work rather than within
        return made

    batches = {seed: drawn.batches for seed, drawn in zip(request.seeds, draws, strict=True)}
    todo = units(space, scored, request.seeds)
    return Work(facts, asked, todo, batches, scorer, stripe, request.retry_failures, float(request.every))


def check_folder(out: Path) -> None:
    """Raises `JaxzcError` where this directory, which need not exist, cannot be that of a job."""
    if kind_of(out) != "text":
        raise JaxzcError(f"{out} names a table: name a directory for the job, and write its columns with jaxzc.tables.write_scores")
    check_parent(out)
    if out.exists() and not out.is_dir():
        raise JaxzcError(f"{out} is a file: name a directory for the job")
    if out.is_dir() and not (out / MANIFEST).exists() and any(not path.name.startswith(f".{MANIFEST}") for path in out.iterdir()):
        raise JaxzcError(f"the directory {out} holds other files: name a new one for the job")


def make_folder(out: Path) -> None:
    """Makes the directory if it does not exist. Raises `JaxzcError` where the operating system refuses."""
    try:
        out.mkdir(exist_ok=True)
    except OSError as error:
        raise JaxzcError(f"the directory {out} cannot be made ({error.strerror}): choose another place") from error
