"""A lease on a stripe: while one process holds it and renews it, no other writes that stripe's parts.

leases/STRIPE.json names its holder and carries a number that rises with each renewal. Whether a holder lives is seen from the number's
changing while one watches, by the watcher's own monotonic clock: clocks of two machines are never compared, and setting a clock changes
nothing. A holder that died on this very machine is known at once from its process number and start.

Should two processes hold a stripe after all (one stood still for long and was taken for dead), the first finds out when it renews and
stops; rows that both wrote are equal, and are read once.
"""

import json
import os
import socket
import time
import uuid
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jaxzc._durable.store import RemoteStore, Store
from jaxzc.types import JaxzcError

FOLDER = "leases"
BEAT = 5.0
"""Seconds between renewals."""
STALE = 30.0
"""Seconds without a renewal after which a holder is taken for dead."""
SETTLE = 1.0
"""On an object store, seconds after which a lease just written is read again: of two writers the later one has it."""


class Lease:
    """The lease on one stripe; `take` it, `renew` it every `BEAT` seconds, `release` it. doing: what its holder does, for messages."""

    def __init__(self, store: Store, stripe: str, doing: str | None = None):
        self.store, self.stripe, self.name = store, stripe, f"{FOLDER}/{stripe}.json"
        self.doing = doing or f"stripe {stripe} of {store.where} is being scored"
        self.token, self.renewals, self.taken = uuid.uuid4().hex, 0, False

    def take(self, note: Callable[[str], None] = lambda text: None) -> None:
        """Raises `JaxzcError` that names the holder where another process is at work on the stripe, or on stripes of another number."""
        self._refuse_other_counts(note)
        while True:
            if self.store.create(self.name, self._content()):
                if isinstance(self.store, RemoteStore):
                    time.sleep(SETTLE)
                if self._mine():
                    self.taken = True
                    return
            held = self._held(self.name)
            if held is not None:
                if _lives(self.store, self.name, held, note):
                    raise JaxzcError(f"{self.doing} by process {_who(held)}: wait for it, or stop it")
                self._take_over(held)

    def renew(self) -> None:
        """Raises `JaxzcError` where another process has taken the stripe over."""
        if not self._mine():
            held = self._held(self.name)
            whose = f"was taken over by process {_who(held)}" if held else "was taken away (its lease is gone)"
            raise JaxzcError(f"stripe {self.stripe} of {self.store.where} {whose}: this process stops, its finished parts stay")
        self.renewals += 1
        self.store.write(self.name, self._content())

    def release(self) -> None:
        if self._mine():
            self.store.remove(self.name)

    def _take_over(self, held: bytes) -> None:
        aside = f"{FOLDER}/{self.stripe}.{self.token}.stale"
        self.store.move(self.name, aside)
        moved = self._held(aside)
        if moved == held:
            self.store.remove(aside)
        elif moved is not None:  # another was faster, and this is its lease
            self.store.move(aside, self.name)

    def _refuse_other_counts(self, note: Callable[[str], None]) -> None:
        """Stripes of another number overlap with this one."""
        count = self.stripe.rpartition("-")[2]
        for file in self.store.names(FOLDER):
            stripe = file.removesuffix(".json")
            if not file.endswith(".json") or stripe.rpartition("-")[2] == count:
                continue
            held = self._held(f"{FOLDER}/{file}")
            if held is not None and _lives(self.store, f"{FOLDER}/{file}", held, note):
                others = f"{stripe.rpartition('-')[2]} stripes (by process {_who(held)})"
                where, stop = self.store.where, "wait, or give the same number of stripes"
                raise JaxzcError(f"{where} is being scored in {others}, and {self.stripe} overlaps with them: {stop}")

    def _held(self, name: str) -> bytes | None:
        try:
            return self.store.read(name)
        except FileNotFoundError:
            return None

    def _mine(self) -> bool:
        held = self._held(self.name)
        return held is not None and _read(held).get("token") == self.token

    def _content(self) -> bytes:
        facts = {"token": self.token, "renewals": self.renewals, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        return json.dumps({**facts, **this_process()}).encode()


def leases_of(store: Store) -> set[str]:
    """The stripes that somebody holds; whether he lives is not looked into, except on this machine."""
    held = set()
    for file in store.names(FOLDER):
        if file.endswith(".json"):
            try:
                if _asked(_read(store.read(f"{FOLDER}/{file}"))) is not False:
                    held.add(file.removesuffix(".json"))
            except FileNotFoundError:
                continue
    return held


@cache
def _machine() -> dict[str, str]:
    """What must agree before a process number of one process means anything to another: host, boot, and space of process numbers."""
    facts = {"host": socket.gethostname()}
    try:
        facts["boot"] = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        facts["pids"] = os.readlink("/proc/self/ns/pid")
    except OSError:  # no Linux
        pass
    return facts


def this_process() -> dict[str, Any]:
    return {**_machine(), "pid": os.getpid(), "started": _started(os.getpid())}


def _started(pid: int) -> str:
    """When a process of this machine began, in ticks since boot, because process numbers are used again; empty where it is not known."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _read(held: bytes) -> dict[str, Any]:
    try:
        record = json.loads(held)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _who(held: bytes) -> str:
    facts = _read(held)
    return f"{facts.get('pid', '?')} on {facts.get('host', '?')}"


def _asked(facts: dict[str, Any]) -> bool | None:
    """Whether the process of a lease is there; None where it is none of this machine and cannot be asked."""
    pid = facts.get("pid")
    if not isinstance(pid, int) or any(facts.get(key) != value for key, value in _machine().items()):
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # somebody else's process
    return facts.get("started", "") == _started(pid)


def _lives(store: Store, name: str, held: bytes, note: Callable[[str], None]) -> bool:
    """Whether the holder renews its lease; watches it for up to `STALE` seconds where the process cannot be asked."""
    asked = _asked(_read(held))
    if asked is not None:
        return asked
    note(f"{store.where}/{name}: watching for up to {STALE:.0f} s whether process {_who(held)} is still at work")
    until = time.monotonic() + STALE
    while time.monotonic() < until:
        time.sleep(min(0.5, STALE / 10))
        try:
            now = store.read(name)
        except FileNotFoundError:
            return False  # it has finished
        if now != held:
            return True
    return False
