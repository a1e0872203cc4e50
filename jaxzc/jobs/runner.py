"""A scoring job on one stripe: takes the lease, finds out what is missing, scores it, and leaves parts."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from jaxzc._durable.keeper import Keeper
from jaxzc._durable.lease import Lease
from jaxzc._durable.store import Store
from jaxzc.jobs import crashes, manifest, parts, work
from jaxzc.jobs.attempts import Attempts
from jaxzc.jobs.crashes import Crash
from jaxzc.jobs.manifest import Request
from jaxzc.jobs.parts import Key, Row
from jaxzc.jobs.recorder import EVERY, Recorder
from jaxzc.jobs.work import Stripe, Unit
from jaxzc.scoring.batches import Batches
from jaxzc.scoring.space import SpaceScorer
from jaxzc.types import JaxzcError

WHOLE = Stripe()
ROUNDS = 3
"""How often parts that were taken away while the job ran are scored again before it gives up."""


@dataclass
class Outcome:
    """total: rows of the stripe; existing: those that were there before; done, failed: of this run. first: seconds until the first row,
    compilation included; seconds: of all scoring. memory: bytes that the largest compiled program plans (see `SpaceScorer.memory`)."""

    total: int
    existing: int
    done: int = 0
    failed: int = 0
    first: float = 0.0
    seconds: float = 0.0
    memory: int = 0
    errors: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Work:
    """All that a stripe needs to be scored.

    facts: the settings (see `jaxzc.jobs.manifest`). units: all that the request asks for, of every stripe. batches: seed -> images.
    scorer: makes the scorer of some of the request's labels. retry: score those again that failed before.
    """

    facts: Mapping[str, object]
    request: Request
    units: Sequence[Unit]
    batches: Mapping[int, Batches]
    scorer: Callable[[Sequence[str]], SpaceScorer]
    stripe: Stripe = WHOLE
    retry: bool = False
    every: float = EVERY


def run(
    store: Store,
    job: Work,
    *,
    note: Callable[[str], None] = lambda text: None,
    watched: Callable[[Iterator[Row], int], Iterator[Row]] = lambda rows, total: rows,
) -> Outcome:
    """Scores what is missing of the stripe. note: told what is out of the ordinary. watched: hands the rows on, and shows progress.

    Raises `JaxzcError`: other settings, a stripe that is being scored, a directory that cannot be written to; and what `SpaceScorer`
    raises.
    """
    manifest.begin(store, job.facts, job.request)
    digest = manifest.settings_digest(manifest.read_settings(store) or {})
    lease = Lease(store, str(job.stripe))
    with Keeper(lease) as keeper:  # before the lease is taken, so that no signal finds it without somebody to give it back
        lease.take(note)
        existing = _existing(store, digest, job, note)
        lacking = _lacking(job, existing)
        total, missing = len(job.units[job.stripe.index :: job.stripe.count]), _count(lacking)
        keeper.recorder = recorder = Recorder(store, digest, job.stripe, total=total, existing=total - missing, every=job.every)
        recorder.heartbeat("scoring")
        outcome = Outcome(total, total - missing)
        crash = crashes.crash_of(store, job.stripe)
        for _ in range(ROUNDS):
            if not lacking:
                return outcome
            started = parts.names(store)
            alone = _blame(crash, lacking, recorder, outcome, note) if crash else ()
            with crashes.Report(store, job.stripe).written() as report:
                rows = _rows(job, lacking, report, alone, note, outcome)
                _record(watched(rows, _count(lacking)), recorder, keeper, outcome)
            crash = None
            if {*started, *recorder.written} <= {*parts.names(store)}:
                return outcome
            lacking = _lacking(job, _existing(store, digest, job, note))
            missing = _count(lacking)
            recorder.existing = total - missing - recorder.done
            if missing:
                note(f"{missing} rows have gone from {store.where} while the job ran: scoring them again")
        if lacking:
            raise JaxzcError(
                f"parts of {store.where} keep going away while they are written: see who deletes them, then run the same command"
            )
    return outcome


def _existing(store: Store, digest: str, job: Work, note: Callable[[str], None]) -> dict[parts.Key, frozenset[str]]:
    troubles: list[tuple[str, str]] = []
    existing = work.known(store, digest, troubles, failures=not job.retry)
    for name, reason in troubles:
        note(f"{store.where}/{parts.FOLDER}/{name}: {reason}; set aside as {parts.set_aside(store, name)}, its rows are scored again")
    return existing


def _lacking(job: Work, existing: Mapping[parts.Key, frozenset[str]]) -> dict[tuple[str, ...], list[Unit]]:
    return work.missing(job.units, list(dict.fromkeys(job.request.labels.values())), existing, job.stripe)


def _count(lacking: Mapping[tuple[str, ...], list[Unit]]) -> int:
    return sum(map(len, lacking.values()))


def _blame(
    crash: Crash, lacking: dict[tuple[str, ...], list[Unit]], recorder: Recorder, outcome: Outcome, note: Callable[[str], None]
) -> Collection[Key]:
    """What ended the last process is recorded as a failure if it was one architecture; several are to be scored one by one."""
    if len(crash.keys) > 1:
        note(f"an earlier run ended with {crash.error!r} while it scored {len(crash.keys)} architectures: scoring them one by one")
        return crash.keys
    for names, units in lacking.items():
        guilty = [unit for unit in units if (unit.text, unit.seed) in crash.keys]
        units[:] = [unit for unit in units if (unit.text, unit.seed) not in crash.keys]
        for unit in guilty:
            note(f"an earlier run ended with {crash.error!r} while it scored {unit.text}, which is recorded as failed")
            error = f"the process ended: {crash.error}"
            _keep(Row(unit.text, unit.seed, dict.fromkeys(names, float("nan")), 0.0, error), recorder, outcome)
    return ()


def _rows(
    job: Work,
    lacking: Mapping[tuple[str, ...], list[Unit]],
    report: crashes.Report,
    alone: Collection[Key],
    note: Callable[[str], None],
    outcome: Outcome,
) -> Iterator[Row]:
    label_of = {name: label for label, name in job.request.labels.items()}
    for names, units in lacking.items():
        identities = {label_of[name]: name for name in names}
        attempts = Attempts(job.scorer(list(identities)), job.batches, identities, note=note, before=report.scoring, alone=alone)
        yield from attempts.rows(units)
        outcome.memory = max(outcome.memory, attempts.scorer.memory)


def _record(rows: Iterator[Row], recorder: Recorder, keeper: Keeper, outcome: Outcome) -> None:
    started = time.perf_counter()
    for row in rows:
        _keep(row, recorder, outcome)
        keeper.check()
        outcome.first = outcome.first or time.perf_counter() - started
    outcome.seconds += time.perf_counter() - started
    recorder.flush()


def _keep(row: Row, recorder: Recorder, outcome: Outcome) -> None:
    recorder.add(row)
    outcome.done += 1
    if row.error is not None:
        outcome.failed += 1
        outcome.errors.append((row.arch, row.error))
