"""What a job keeps whatever happens to its files and its process: flipped bits, cut parts, kills, full disks, clocks, two writers."""

import errno
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxzc import jobs
from jaxzc.jobs import parts, work
from jaxzc.jobs.parts import Row
from jaxzc.jobs.recorder import Recorder
from jaxzc.tables import read_scores
from tests.support.commands import run
from tests.support.job_commands import done, merged, score

ROWS = [Row(f"arch{k}", 0, {"layers()@1": float(k)}, 0.5) for k in range(3)]


@pytest.fixture
def part(tmp_path: Path) -> tuple[str, bytes]:
    """Name and content of a small part."""
    store = jobs.store(tmp_path)
    name = parts.write(store, "settings", "0-of-1", 0, ROWS)
    return name, store.read(f"parts/{name}")


def refused(name: str, content: bytes) -> bool:
    try:
        parts._parsed(name, content, "settings")
    except ValueError:
        return True
    return False


def test_every_flipped_bit_and_every_cut_is_noticed(part):
    name, content = part
    assert not refused(name, content)
    unnoticed = []
    for at in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[at] ^= 1 << bit
            if not refused(name, bytes(flipped)):
                unnoticed.append((at, bit))
    assert not unnoticed
    assert all(refused(name, content[:end]) for end in range(len(content)))
    assert refused(name, content + b"\0")
    assert refused(name, b"")


def test_a_part_of_another_job_is_no_part_whatever_its_checksum(part):
    name, content = part
    with pytest.raises(ValueError, match="other settings"):
        parts._parsed(name, content, "others")


class Killed(BaseException):
    """The process is gone: nothing that it still does reaches the disk."""


OPERATIONS = ("fsync", "replace", "link", "pwrite")
"""By one of these everything that a job writes becomes permanent."""


def breaking(monkeypatch: pytest.MonkeyPatch, at: int, error: Callable[[], BaseException], *, forever: bool) -> list[str]:
    """From its `at`-th call on (or once) the file system fails; returns the calls."""
    calls: list[str] = []

    def wrapped(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*arguments: Any, **options: Any) -> Any:
            calls.append(name)
            if len(calls) == at + 1 or (forever and len(calls) > at):
                raise error()
            return real(*arguments, **options)

        return call

    for name in OPERATIONS:
        monkeypatch.setattr(os, name, wrapped(name))
    return calls


@pytest.fixture
def whole(here: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, np.ndarray], int]:
    """The table of an undisturbed run, and how often it reaches for the disk."""
    with monkeypatch.context() as patch:
        calls = breaking(patch, 10**9, Killed, forever=False)
        done(score("--out", "whole.parquet", sample=5))
    return read_scores("whole.parquet").columns, len(calls)


def same(columns: dict[str, np.ndarray]) -> bool:
    found = read_scores("x.parquet").columns
    return found.keys() == columns.keys() and all(np.array_equal(found[name], values) for name, values in columns.items())


def test_killed_at_any_write_the_same_command_goes_on(here, monkeypatch, whole):
    columns, count = whole
    for at in range(count):
        with monkeypatch.context() as patch:
            breaking(patch, at, Killed, forever=True)
            with pytest.raises(Killed):
                score("--out", "x.parquet", sample=5)
        shutil.rmtree("x.parquet.job/leases", ignore_errors=True)  # of a process that lives on in this test
        if not Path("x.parquet").exists():
            done(score("--out", "x.parquet", sample=5))
        assert same(columns), at
        for path in (Path("x.parquet"), Path("x.parquet.job")):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


@pytest.mark.parametrize("forever", [True, False])
def test_a_disk_that_is_full_is_told_of_and_costs_nothing(here, monkeypatch, whole, forever):
    columns, count = whole
    told = 0
    for at in range(count):
        with monkeypatch.context() as patch:
            breaking(patch, at, lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), forever=forever)
            result = score("--out", "x.parquet", sample=5)
        if result.code:  # a link that fails is done without
            said = [line for line in result.err.splitlines() if "error: " in line]
            assert result.code == 2
            assert len(said) == 1
            assert "No space left on device" in said[0]
            assert "make room" in said[0] or "choose another" in said[0]
            assert not Path("x.parquet").exists()
            told += 1
            done(score("--out", "x.parquet", sample=5))
        assert same(columns), at
        Path("x.parquet").unlink()
        assert [path.name for path in here.iterdir() if path.name != "whole.parquet"] == []
    assert told > count // 2


def test_clocks_that_jump_change_nothing(here, monkeypatch):
    """The wall clock goes back a day and ahead a year at every look."""
    done(score("--out", "calm", "--seed", "0,1", sample=8))
    jumps = iter(np.random.default_rng(0).normal(0, 1e7, 100_000))
    monkeypatch.setattr(time, "time", lambda: 1.7e9 + next(jumps))
    done(score("--out", "job", sample=8))
    done(score("--out", "job", "--seed", "0,1", sample=8))
    tables = [merged(where).columns for where in ("calm", "job")]
    before, after = (dict(zip(zip(table["arch"], table["seed"], strict=True), table["layers"], strict=True)) for table in tables)
    assert after == before
    assert len(after) == 16
    assert merged("job").missing == 0
    assert run("status", "job").code == 0


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from(["add", "fail", "flush", "die", "rot", "cut"]), st.integers(0, 9)), max_size=30
    )
)
def test_parts_of_two_writers_in_any_order(tmp_path_factory, steps):
    """Two processes that both believe to hold the stripe add rows, write them, die, and parts are damaged between: what is read is what was
    written and is sound, each row with its own value, and a damaged part is told of."""
    folder = tmp_path_factory.mktemp("job")
    store = jobs.store(folder)

    def recorder() -> Recorder:
        return Recorder(store, "settings", jobs.Stripe(), total=10, existing=0)

    writers, unwritten = [recorder(), recorder()], [set(), set()]
    of_part: dict[str, set[str]] = {}
    damaged: set[str] = set()
    for who, what, number in steps:
        writer = writers[who]
        if what in ("add", "fail"):
            text, error = f"arch{number}", "broken" if what == "fail" else None
            writer.add(Row(text, 0, {"layers()@1": np.nan if error else float(number)}, 0.1, error))
            unwritten[who].add(text)
        elif what == "flush":
            before = len(writer.written)
            writer.flush()
            for name in writer.written[before:]:
                of_part[name] = set(unwritten[who])
                damaged.discard(name)  # equal rows make an equal part, which takes its place
            unwritten[who].clear()
        elif what == "die":
            writers[who] = recorder()
            unwritten[who].clear()
        elif names := sorted(set(of_part) - damaged):
            path = folder / "parts" / names[number % len(names)]
            content = bytearray(path.read_bytes())
            content[number * 37 % len(content)] ^= 1
            path.write_bytes(bytes(content) if what == "rot" else bytes(content[: len(content) // 2]))
            damaged.add(path.name)
    troubles: list[tuple[str, str]] = []
    known = work.known(store, "settings", troubles)
    assert {name for name, _ in troubles} == damaged
    assert {arch for arch, _ in known} == {arch for name, archs in of_part.items() if name not in damaged for arch in archs}
    for part in parts.read(store, "settings", []):
        for arch, value, error in zip(part.archs, part.values["layers()@1"], part.errors, strict=True):
            assert np.isnan(value) if error else value == float(arch.removeprefix("arch"))
