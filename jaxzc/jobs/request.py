"""A scoring job asked for by name: what `jaxzc score` and a notebook call."""

import contextlib
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from jaxzc._compile.platforms import here
from jaxzc._durable.store import is_remote, store
from jaxzc.catalogue.costs import forward_passes
from jaxzc.catalogue.selection import ProxySpec, select
from jaxzc.data import Data
from jaxzc.facts import Proxy, Sizes, proxy_facts
from jaxzc.jobs.manifest import Request, identity
from jaxzc.jobs.merging import Merged, merge
from jaxzc.jobs.parts import Row
from jaxzc.jobs.recorder import EVERY
from jaxzc.jobs.runner import Work, run
from jaxzc.jobs.work import Stripe, representatives, units
from jaxzc.proxies import PROXIES
from jaxzc.scoring.space import SpaceScorer
from jaxzc.scoring.space.setting import Setting
from jaxzc.spacekit import genes_of
from jaxzc.tables import kind_of
from jaxzc.types import JaxzcError, Space

ALWAYS = ("params", "flops")
"""Scored whatever is asked for: a proxy that does not beat them measures size."""


@dataclass(frozen=True)
class ScoreRequest(Setting):
    """Which architectures are scored with what; further fields: see `jaxzc.scoring.space.setting.Setting`.

    space: a name, made for the images with `options`, or a space. archs: strings, or genes `[n, genes]`; None: `sample` random ones.
    proxies: as for `jaxzc.score`, to which params and flops are added. seeds: of images, weights and sample (the first). isomorphs:
    "each", or "once": of those that are the same network one is scored, and all get its scores. out: directory or URL of the job, new or
    to be added to; without one, nothing is kept. retry_failures: score those again whose failure the job has recorded. every: seconds
    between two writes.
    """

    space: str | Space
    archs: Sequence[str] | np.ndarray | None = None
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
        return named | {name: PROXIES[name] for name in ALWAYS if name not in named}


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

    With `out`, the same call goes on where it was interrupted. note, watched: as in `jaxzc.jobs.run`. With a space and batches of your own
    there is `jaxzc.score_space`. Raises `JaxzcError`: unknown names, a directory that holds other things or a job of other settings.
    """
    if not isinstance(request, ScoreRequest):
        request = ScoreRequest(request, *archs, **settings)
    elif archs or settings:
        raise JaxzcError("run_scoring was given a ScoreRequest and more: put all of it into the request")
    if request.isomorphs not in ("each", "once"):
        raise JaxzcError(f"isomorphs is {request.isomorphs!r}, expected 'each' or 'once'")
    chosen = request.chosen
    request.check_sizes(chosen)
    with contextlib.ExitStack() as stack:
        where = stack.enter_context(tempfile.TemporaryDirectory()) if request.out is None else str(request.out)
        if not is_remote(where):
            _make_directory(Path(where))
        space, draws = request.prepared(request.space, request.seeds)
        if request.archs is None:
            genes, which = space.sample(np.random.default_rng(request.seeds[0]), request.sample), f"{request.sample} random ones"
        else:
            genes = genes_of(space, request.archs)
            which = f"all {len(genes)} of a list"
        job, place = work(request, space, genes, chosen, draws, about={"archs": which}), store(where)
        run(place, job, note=note, watched=watched)
        return merge(place, [job.request])


def work(
    request: ScoreRequest,
    space: Space,
    archs: np.ndarray,
    chosen: Mapping[str, Proxy],
    draws: Sequence[Data],
    *,
    stripe: Stripe | None = None,
    about: Mapping[str, Any],
) -> Work:
    """What a job needs to score architectures `[n, genes]` with these proxies and the images of every seed. about: further facts for the
    record: how the architectures were chosen, and the command."""
    names = ("batch_size", "batches", "weights", "init", "norm")
    facts = {
        "space": repr(space),
        **{name: getattr(request, name) for name in names},
        "versions": {name: version(name) for name in ("jaxzc", "jax", "flax")},
        "platform": here(),
    }
    inputs = draws[0].batches[0].inputs
    sizes = Sizes(request.batch_size, request.batches, outputs=draws[0].classes, pixels=math.prod(inputs.shape[1:-1]))
    directions = {label: proxy_facts(proxy).direction for label, proxy in chosen.items()}
    record = {
        "data": draws[0].name,
        "data_notes": [drawn.notes for drawn in draws],
        "passes": {label: forward_passes(f, sizes=sizes) for label, f in chosen.items()},
        "directions": {label: direction for label, direction in directions.items() if direction is not None},
        **about,
    }
    scored = representatives(space, archs) if request.isomorphs == "once" else archs
    asked = Request(
        [space.to_string(arch) for arch in archs],
        [space.to_string(arch) for arch in scored],
        {label: identity(proxy) for label, proxy in chosen.items()},
        {seed: drawn.digest for seed, drawn in zip(request.seeds, draws, strict=True)},
        record,
        time.time(),
    )

    def scorer(labels: Sequence[str]) -> SpaceScorer:
        return request.scorer(space, draws[0].batches, {label: chosen[label] for label in labels})

    batches = {seed: drawn.batches for seed, drawn in zip(request.seeds, draws, strict=True)}
    todo = units(space, scored, request.seeds)
    return Work(facts, asked, todo, batches, scorer, stripe or Stripe(), request.retry_failures, float(request.every))


def _make_directory(out: Path) -> None:
    """Raises `JaxzcError` where the directory cannot be that of a job."""
    if kind_of(out) != "text":
        raise JaxzcError(f"{out} names a table: name a directory for the job, and write its columns with jaxzc.tables.write_scores")
    if out.exists() and not out.is_dir():
        raise JaxzcError(f"{out} is a file: name a directory for the job")
    if not out.absolute().parent.is_dir():
        raise JaxzcError(f"there is no directory {out.absolute().parent} for {out.name}: create it first")
    if out.is_dir() and not (out / "job.json").exists() and any(not path.name.startswith(".job.json") for path in out.iterdir()):
        raise JaxzcError(f"the directory {out} holds other files: name a new one for the job")
    try:
        out.mkdir(exist_ok=True)
    except OSError as error:
        raise JaxzcError(f"the directory {out} cannot be made ({error.strerror}): choose another place") from error
