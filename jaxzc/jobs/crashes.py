"""What a process leaves behind when a compiler or a driver ends it by a fatal signal, so that the next one does not die of the same.

crashes/STRIPE.txt      Python's own report of a fatal signal (segmentation fault, abort ...); empty unless there was one
crashes/STRIPE.running  the architectures being scored

A process that is killed from outside reports nothing, and nobody is blamed. Only local directories: a report is written while dying.
"""

import contextlib
import faulthandler
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxzc._durable.files import refusing
from jaxzc._durable.store import LocalStore, Store
from jaxzc.jobs.parts import Key
from jaxzc.jobs.work import Stripe, Unit
from jaxzc.types import JaxzcError

FOLDER = "crashes"


class Crash(NamedTuple):
    """keys: architectures and seeds that were being scored. error: the first line of the report."""

    keys: tuple[Key, ...]
    error: str


def crash_of(store: Store, stripe: Stripe) -> Crash | None:
    """How the stripe's last process ended, if by a fatal signal while it scored."""
    try:
        report = store.read(f"{FOLDER}/{stripe}.txt").decode(errors="replace").strip()
        running = json.loads(store.read(f"{FOLDER}/{stripe}.running"))
        keys = tuple((str(arch), int(seed)) for arch, seed in running)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return Crash(keys, report.splitlines()[0]) if report and keys else None


class Report:
    """Records a fatal signal that ends the process. `scoring` notes which architectures are being scored, to be found with the record."""

    def __init__(self, store: Store, stripe: Stripe):
        self.folder = store.root / FOLDER if isinstance(store, LocalStore) else None
        self.stripe = stripe
        self._running = -1

    def scoring(self, units: Sequence[Unit]) -> None:
        if self._running >= 0:
            text = json.dumps([(unit.text, unit.seed) for unit in units]).encode()
            with refusing(Path(f"{self.folder}/{self.stripe}.running")):
                os.pwrite(self._running, text, 0)
                os.ftruncate(self._running, len(text))

    @contextlib.contextmanager
    def written(self) -> Iterator["Report"]:
        if self.folder is None:
            yield self
            return
        before = faulthandler.is_enabled()
        try:
            self.folder.mkdir(exist_ok=True)
            report = open(self.folder / f"{self.stripe}.txt", "wb")  # noqa: SIM115
            self._running = os.open(self.folder / f"{self.stripe}.running", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        except OSError as error:
            raise JaxzcError(f"{self.folder} cannot be written to ({error.strerror}): choose a directory you may write to") from error
        try:
            faulthandler.enable(report, all_threads=False)
            yield self
        finally:
            faulthandler.disable()
            if before:
                with contextlib.suppress(AttributeError, OSError, ValueError):  # no standard error that has a file
                    faulthandler.enable(sys.__stderr__)  # pyright: ignore[reportArgumentType]
            os.close(self._running)
            self._running = -1
            report.close()
