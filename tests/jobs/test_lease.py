"""Leases: one writer for a stripe, whoever dies, stands still or has a wrong clock."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from jaxzc import jobs
from jaxzc._durable import lease
from jaxzc._durable.keeper import Keeper, Stopped
from jaxzc._durable.lease import Lease
from jaxzc._durable.store import RemoteStore, Store, _beside
from jaxzc.types import JaxzcError


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(lease, "STALE", 0.5)
    monkeypatch.setattr(lease, "SETTLE", 0.01)
    made = jobs.store(tmp_path if request.param == "local" else f"memory://{tmp_path.name}")
    yield made
    made.remove_all()


def elsewhere(store: Store, **facts: Any) -> None:
    """The lease of a process on another machine."""
    held = {"token": "theirs", "renewals": 0, "time": "2001-01-01T00:00:00Z", "host": "other", "pid": 1, "started": "5"}
    store.write("leases/0-of-1.json", json.dumps(held | facts).encode())


def test_taken_renewed_released(store: Store) -> None:
    mine = Lease(store, "0-of-1")
    mine.take()
    assert lease.leases_of(store) == {"0-of-1"}
    before = store.read(mine.name)
    mine.renew()
    assert store.read(mine.name) != before
    with pytest.raises(JaxzcError, match=rf"stripe 0-of-1 of .* is being scored by process {os.getpid()} on"):
        Lease(store, "0-of-1").take()
    Lease(store, "1-of-2").release()  # not its own
    mine.release()
    assert store.names("leases") == []
    Lease(store, "0-of-1").take()


def test_a_process_of_this_machine_that_died_holds_nothing(store: Store) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    elsewhere(store, **(lease.this_process() | {"pid": dead.pid}))
    assert lease.leases_of(store) == set()
    started = time.monotonic()
    Lease(store, "0-of-1").take()
    assert time.monotonic() - started < 0.4  # without watching


def test_a_process_number_that_is_used_again_is_another_process(store: Store) -> None:
    if not lease.this_process()["started"]:
        pytest.skip("this system does not say when a process began")
    elsewhere(store, **(lease.this_process() | {"started": "1"}))
    Lease(store, "0-of-1").take()


def test_a_holder_elsewhere_is_watched(store: Store) -> None:
    """Its clock says 2001, or 2101: only whether it renews counts."""
    for year in ("2001", "2101"):
        elsewhere(store, time=f"{year}-01-01T00:00:00Z")
        stop = threading.Event()

        def renew(stop: threading.Event = stop) -> None:
            number = 0
            while not stop.wait(0.05):
                elsewhere(store, renewals=(number := number + 1))

        beating = threading.Thread(target=renew)
        beating.start()
        said: list[str] = []
        with pytest.raises(JaxzcError, match="is being scored by process 1 on other: wait for it, or stop it"):
            Lease(store, "0-of-1").take(said.append)
        stop.set()
        beating.join()
        assert "watching for up to" in said[0]
    mine = Lease(store, "0-of-1")
    mine.take()  # it renews no more
    assert json.loads(store.read(mine.name))["token"] == mine.token
    assert store.names("leases") == ["0-of-1.json"]


def test_one_that_stood_still_stops(store: Store) -> None:
    slow, other = Lease(store, "0-of-1"), Lease(store, "0-of-1")
    slow.take()
    slow._take_over(store.read(slow.name))
    other.take()
    with pytest.raises(JaxzcError, match=r"was taken over by process .*: this process stops"):
        slow.renew()
    slow.release()
    other.renew()
    store.remove(other.name)
    with pytest.raises(JaxzcError, match="its lease is gone"):
        other.renew()


def test_a_lease_that_changed_hands_meanwhile_is_put_back(store: Store) -> None:
    elsewhere(store, token="first")
    held = store.read("leases/0-of-1.json")
    elsewhere(store, token="second")
    Lease(store, "0-of-1")._take_over(held)
    assert json.loads(store.read("leases/0-of-1.json"))["token"] == "second"


def test_stripes_of_another_number_overlap(store: Store) -> None:
    mine = Lease(store, "0-of-1")
    mine.take()
    with pytest.raises(JaxzcError, match=r"is being scored in 1 stripes \(by process .*\), and 1-of-2 overlaps with them"):
        Lease(store, "1-of-2").take()
    mine.release()
    Lease(store, "1-of-2").take()
    Lease(store, "0-of-2").take()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": "x"}', b"\xff"])
def test_leases_that_cannot_be_read_are_stale(store: Store, content: bytes) -> None:
    store.write("leases/0-of-1.json", content)
    Lease(store, "0-of-1").take()


@pytest.mark.parametrize("repetition", range(10))
def test_of_many_that_try_at_once_one_has_it(tmp_path: Path, repetition: int) -> None:
    store = jobs.store(tmp_path)
    taken: list[int] = []
    refused: list[int] = []
    gate = threading.Barrier(8)

    def attempt(number: int) -> None:
        gate.wait()
        try:
            Lease(store, "0-of-1").take()
            taken.append(number)
        except JaxzcError:
            refused.append(number)

    threads = [threading.Thread(target=attempt, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(taken), len(refused)) == (1, 7)


def test_two_writers_of_one_process_create_files_of_their_own(tmp_path: Path) -> None:
    with _beside(tmp_path / "a", b"1") as first, _beside(tmp_path / "a", b"2") as second:
        assert (first.read_bytes(), second.read_bytes()) == (b"1", b"2")
    assert list(tmp_path.iterdir()) == []


def test_stores_agree(store: Store) -> None:
    assert store.names("parts") == []
    with pytest.raises(FileNotFoundError):
        store.read("parts/a")
    store.write("parts/a", b"1")
    store.write("parts/a", b"2")
    assert store.read("parts/a") == b"2"
    assert not store.create("parts/a", b"3")
    assert store.create("parts/b", b"3")
    store.move("parts/a", "parts/c")
    store.move("parts/a", "parts/d")  # gone already
    store.remove("parts/b")
    store.remove("parts/b")
    assert store.names("parts") == ["c"]
    assert store.exists("parts/c")
    assert not store.exists("parts/a")
    store.remove_all()
    assert store.names("parts") == []
    store.remove_all()


def test_errors_of_an_object_store_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    store = RemoteStore("memory://somewhere")

    def refuse(*_: Any, **__: Any) -> Any:
        raise RuntimeError("403 Forbidden")

    monkeypatch.setattr(store.files, "cat_file", refuse)
    with pytest.raises(JaxzcError, match=r"cannot be reached in memory://somewhere \(RuntimeError: 403 Forbidden\): see credentials"):
        store.read("job.json")


def _told_to_stop_and_deaf(mine: Lease) -> None:
    with Keeper(mine) as keeper:
        mine.take()
        with contextlib.suppress(Stopped):
            keeper._stop(signal.SIGTERM, None)
        keeper.check()


def test_a_signal_whose_exception_python_swallowed_is_not_lost(tmp_path: Path) -> None:
    """As in a callback of the garbage collector, where Python prints the exception and goes on."""
    store = jobs.store(tmp_path)
    with pytest.raises(Stopped, match="the same command goes on") as stopped:
        _told_to_stop_and_deaf(Lease(store, "0-of-1"))
    assert stopped.value.code == 128 + signal.SIGTERM
    assert lease.leases_of(store) == set()
