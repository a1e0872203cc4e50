"""Jobs that are killed or interrupted at any moment go on; the table is the same to the last bit.

`pytest -m slow tests/jobs/test_killed.py` kills a job of 45,000 rows 50 times, among others.
"""

import contextlib
import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxzc import jobs
from jaxzc.tables import read_scores
from tests.support.job_processes import SMALL, assert_identical, finish, parts_of, start, table

FORKING = """
import json, os, sys
from jaxzc import cli, data
for line in sys.stdin:
    child = os.fork()
    if not child:
        os._exit(cli.main(json.loads(line)))
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""
"""Runs one command after another, each in a process of its own, which starts with the imports done: they take most of a short command."""


class Forks:
    """The process that runs `FORKING`."""

    def __init__(self, cache: Path):
        self.process = start(cache, code=FORKING)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.asked, self.told = self.process.stdin, self.process.stdout

    def begin(self, *arguments: Any) -> int:
        """Starts `jaxzc score` and returns its process number."""
        self.asked.write(json.dumps(["score", "nasbench201", *SMALL, *map(str, arguments)]) + "\n")
        self.asked.flush()
        return int(self.told.readline())

    def close(self) -> None:
        self.asked.close()
        self.process.wait()
        self.told.close()

    def end(self) -> int:
        """Waits for the command; its wait status, in which a signal is the number itself."""
        while not (line := self.told.readline().strip()).isdecimal():
            assert line, "the process that runs the commands has died"
        return int(line)


def kill_often(forks: Forks, folder: Path, rows: list[Any], kills: int, longest: float = 8) -> dict[str, Any]:
    """Kills the job at random moments, most of them while it scores; then lets it finish, and compares with an uninterrupted run.

    longest: seconds that a run takes at least; every fifth is killed before, at any moment since its start."""
    rng = random.Random(0)
    job, whole = folder / "killed", folder / "whole"
    forks.begin(*rows, "--out", whole)
    assert forks.end() == 0
    seen = {"kills": 0, "between parts": 0, "rows before the last run": 0}
    for number in range(kills):
        before = parts_of(job)
        process = forks.begin(*rows, "--every", 1, "--out", job)
        with contextlib.suppress(ProcessLookupError):
            while number % 5 and parts_of(job) == before:
                os.kill(process, 0)
                time.sleep(0.01)
        time.sleep(rng.uniform(0, 1 if number % 5 else longest))
        seen["between parts"] += parts_of(job) != before
        with contextlib.suppress(ProcessLookupError):  # it has finished
            os.kill(process, signal.SIGKILL)
        seen["kills"] += forks.end() == signal.SIGKILL
    there = jobs.merge(jobs.store(job))
    seen["rows before the last run"] = len(there.columns["arch"]) - there.missing // len(there.labels)
    forks.begin(*rows, "--out", job)
    assert forks.end() == 0
    assert [name for name in parts_of(job) if name.endswith(".corrupt")] == []
    assert_identical(table(job), table(whole))
    return seen


def test_killed_twice_and_resumed_is_the_uninterrupted_table(cache: Path, tmp_path: Path) -> None:
    with contextlib.closing(Forks(cache)) as forks:
        seen = kill_often(forks, tmp_path, ["--sample", 1000, "--proxies", "l2_norm"], 2, longest=2)
    assert seen["kills"] >= 1


@pytest.mark.slow
def test_killed_fifty_times(cache: Path, tmp_path: Path) -> None:
    with contextlib.closing(Forks(cache)) as forks:
        seen = kill_often(forks, tmp_path, ["--sample", 15000, "--seed", "0,1,2", "--proxies", "l2_norm"], 50)
    print(seen)
    assert seen["kills"] > 40  # a run that is quick between two of them ends the job before the last


@pytest.mark.slow
def test_an_interrupted_file_goes_on(cache: Path, tmp_path: Path) -> None:
    """--out FILE: Ctrl-C leaves what was scored beside it; the same command finishes, and leaves the file only."""
    rows = ["--sample", 5000, "--proxies", "l2_norm", "--every", "1"]
    out = tmp_path / "scores.parquet"
    process = start(cache, *rows, "--out", out)
    until = time.monotonic() + 120
    while not parts_of(Path(f"{out}.job")) and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said = finish(process, 130)
    assert f"kept in {out}.job: the same command goes on" in said
    assert not out.exists()
    assert " rows were there before" in finish(start(cache, *rows, "--out", out))
    assert os.listdir(tmp_path) == ["scores.parquet"]
    finish(start(cache, *rows, "--out", tmp_path / "whole"))
    whole = table(tmp_path / "whole")
    assert_identical(whole, {name: np.asarray(column) for name, column in read_scores(out).columns.items() if name in whole})
