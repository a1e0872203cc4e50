"""Finished rows on their way to parts, and what a job tells about itself while it runs.

heartbeats/STRIPE.json   state, counts, rate and time left, renewed with the lease; for machines and `jaxzc status`
"""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from jaxzc._durable.lease import this_process
from jaxzc._durable.store import Store
from jaxzc.jobs import parts
from jaxzc.jobs.parts import Row
from jaxzc.jobs.work import Stripe

HEARTBEATS = "heartbeats"
EVERY = 30.0
"""Seconds between parts: what a process that is killed loses at most, and scores again."""
ROWS = 5000
"""Rows of a part at most, about."""


class Recorder:
    """Collects rows and writes them as parts; may be used from two threads.

    total: rows that the stripe is asked for. existing: how many of them were there before.
    """

    def __init__(self, store: Store, job: str, stripe: Stripe, *, total: int, existing: int, every: float = EVERY):
        self.store, self.job, self.stripe, self.every = store, job, stripe, every
        self.total, self.existing, self.done, self.failed = total, existing, 0, 0
        self.scoring = 0.0
        self.written: list[str] = []
        self._rows: list[Row] = []
        self._lock = threading.RLock()
        self._number = parts.next_number(store, str(stripe))
        self._flushed = self._started = time.monotonic()
        self._first: float | None = None

    def add(self, row: Row) -> None:
        with self._lock:
            self._rows.append(row)
            self.done += 1
            self.failed += row.error is not None
            self.scoring += row.seconds
        self._first = self._first or time.monotonic()
        if len(self._rows) >= ROWS:
            self.flush()

    def flush(self) -> None:
        """Writes what has been collected. Raises `JaxzcError` where that is impossible; the rows are kept then."""
        with self._lock:
            for labels in dict.fromkeys(tuple(row.scores) for row in self._rows):
                rows = [row for row in self._rows if tuple(row.scores) == labels]
                self.written.append(parts.write(self.store, self.job, str(self.stripe), self._number, rows))
                self._number += 1
                self._rows = [row for row in self._rows if tuple(row.scores) != labels]
            self._flushed = time.monotonic()

    def flush_if_due(self) -> None:
        if time.monotonic() - self._flushed >= self.every:
            self.flush()

    def heartbeat(self, state: str) -> None:
        """Writes the heartbeat. state: `scoring`, `finished`, `stopped` (may be gone on with) or `failed`."""
        elapsed = time.monotonic() - self._started
        # The first row compiles, and says nothing about the others.
        since = time.monotonic() - (self._first or self._started)
        rate = (self.done - 1) / since if self.done > 1 and since > 0 else None
        left = self.total - self.existing - self.done
        facts: dict[str, Any] = {
            "stripe": str(self.stripe),
            "state": state,
            "total": self.total,
            "there_before": self.existing,
            "done": self.done,
            "failed": self.failed,
            "unwritten": len(self._rows),
            "seconds": round(elapsed, 3),
            "rows_per_second": None if rate is None else round(rate, 4),
            "seconds_left": None if rate is None else round(left / rate, 1),
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            **this_process(),
        }
        self.store.write(f"{HEARTBEATS}/{self.stripe}.json", json.dumps(facts, indent=1).encode())


Note = Callable[[str], None]
