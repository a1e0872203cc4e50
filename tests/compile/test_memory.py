"""Planned memory: known before a program runs, larger for larger batches, and a warning where there is not as much."""

import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxzc._compile import memory
from jaxzc.scoring.space import SpaceScorer
from jaxzc.types import InputSpec
from tests.support.one_stage import OneStage

ARCH = np.array([3, 1, 2, 0, 4, 3])
GIGABYTE = 10**9


def scorer(batch: int) -> SpaceScorer:
    space = OneStage(channels=2, cells=1, classes=3, inputs=InputSpec((8, 8, 3)))
    return SpaceScorer(space, (np.ones((batch, 8, 8, 3), np.float32), np.arange(batch) % 3), "l2_norm,naswot")


def test_the_plan_holds_the_arguments_and_grows_with_the_batch() -> None:
    plans = []
    for batch in (4, 32):
        one = scorer(batch)
        assert one.memory == 0, "nothing is compiled yet"
        one.one(ARCH)
        plans.append(one.memory)
        one.one(ARCH[::-1])
        assert one.memory == plans[-1], "it does not grow with what is scored"
    assert plans[0] > 4 * 8 * 8 * 3 * 4
    assert plans[1] - plans[0] > 28 * 8 * 8 * 3 * 4


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_what_is_available_is_the_least_of_the_machine_and_its_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    machine = memory.available()
    assert machine is not None
    assert 10**7 < machine < 10**14
    (tmp_path / "memory.current").write_text("300\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available() == pytest.approx(machine, rel=0.5)
    (tmp_path / "memory.max").write_text("1000\n")
    assert memory.available() == 700
    monkeypatch.setattr(memory, "_of_machine", lambda: (machine, machine))
    assert memory.short(0.71)
    assert not memory.short(0.69)


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_mappings_are_those_of_this_process() -> None:
    taken = len(Path("/proc/self/maps").read_text().splitlines()) / int(Path("/proc/sys/vm/max_map_count").read_text())
    assert memory.crowded(taken / 2)
    assert not memory.crowded(2 * taken)


def test_programs_go_where_the_process_runs_out_of_mappings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a space with five programs, one for each operation on the first edge."""
    space = OneStage(channels=2, cells=1, classes=3, inputs=InputSpec((8, 8, 3)))
    monkeypatch.setattr(OneStage, "program_keys", lambda space, archs: archs[:, :1])
    kinds = SpaceScorer(space, (np.ones((4, 8, 8, 3), np.float32), np.arange(4) % 3), "l2_norm")
    archs = space.sample(np.random.default_rng(0), 20)
    keys = space.program_keys(archs).tolist()
    held = kinds.dispatcher.programs
    one, other = archs[0], archs[next(n for n, key in enumerate(keys) if key != keys[0])]
    rows = [kinds.one(arch) for arch in (one, other)]
    assert len(held) == kinds.compilations == 2
    monkeypatch.setattr(memory, "crowded", lambda share: len(held) > 0)
    held.drop()
    assert kinds.one(one) == rows[0]
    assert len(held) == 1
    assert kinds.compilations == 3, "those that went are counted as well"


def test_a_program_that_does_not_fit_is_warned_about(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(memory, "available", lambda: 2 * GIGABYTE)
    memory.check(2 * GIGABYTE)
    assert not caplog.text
    memory.check(5 * GIGABYTE)
    assert "plans 5.00 GB and 2.00 GB are free" in caplog.text
    assert "lower --batch-size" in caplog.text
    memory.check(5 * GIGABYTE, memory.advice(16), 16)
    assert "give a batch of fewer than 16 examples, or fewer proxies (about 6 would fit)" in caplog.text
    caplog.clear()
    monkeypatch.setattr(memory, "available", lambda: 1000)
    scorer(4).one(ARCH)
    assert "are free" in caplog.text, "a scorer asks before it runs"
    caplog.clear()
    monkeypatch.setattr(memory, "available", lambda: None)
    memory.check(10**15)
    assert not caplog.text, "nothing is known, nothing is said"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc's heaps")
def test_a_large_run_gives_back_what_the_heap_keeps_of_freed_values(monkeypatch: pytest.MonkeyPatch) -> None:
    def keep_one_of(blocks: int) -> Any:
        np.ones(2**24, np.uint8)  # freed at once: from now on glibc takes blocks of this size from a heap, not from the system
        return [np.ones(2**20, np.uint8) for _ in range(blocks)][-1]

    monkeypatch.setattr(memory, "LARGE", 1)
    small, large = memory.Heap(0), memory.Heap(2**20)
    last = keep_one_of(200)
    before = memory._taken()
    small.dropped(memory.OFTEN)
    large.dropped(memory.OFTEN - 1)
    assert memory._taken() > before - 2**24, "neither a small run nor a run that has dropped little looks at it"
    large.dropped(1)
    assert memory._taken() < before - 100 * 2**20
    assert last.all()
