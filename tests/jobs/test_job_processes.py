"""Jobs in processes of their own: killed at any moment, in stripes, on several devices; the table is the same to the last bit.

`pytest -m slow tests/jobs/test_job_processes.py` kills a job of 16,000 rows 50 times, among others (about 15 minutes on two free cores).
"""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxzc import jobs
from jaxzc.tables import read_scores

SMALL = ["--set", "channels=2", "--set", "cells=1", "--batch-size", "4", "--batches", "1", "--quiet"]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled programs, so that each process compiles nothing that another has compiled."""
    return tmp_path_factory.mktemp("cache")


def start(cache: Path, *arguments: Any, devices: int = 1, code: str = "", **environment: str) -> "subprocess.Popen[str]":
    """`jaxzc score` with these arguments, or this program."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "spaces"), os.environ.get("PYTHONPATH", "")])
    made = {
        **os.environ,
        "PYTHONPATH": paths,
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}",
        **environment,
    }
    call = ["-c", code] if code else ["-m", "jaxzc", "score", "nasbench201", *SMALL, *map(str, arguments)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stderr": None} if code else {"stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, *call], env=made, stdout=subprocess.PIPE, text=True, **pipes)


def finish(process: "subprocess.Popen[str]", code: int = 0) -> str:
    out, err = process.communicate(timeout=600)
    assert process.returncode == code, err
    return out + err


def table(job: Path) -> dict[str, np.ndarray]:
    """The job's table; every row once, and nothing missing."""
    merged = jobs.merge(jobs.store(job))
    assert merged.missing == 0
    assert merged.troubles == []
    keys = list(zip(merged.columns["arch"], merged.columns["seed"], strict=True))
    assert len(set(keys)) == len(keys)
    return {name: np.asarray(column) for name, column in merged.columns.items()}


def assert_identical(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    """To the last bit, NaN included."""
    assert list(one) == list(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def parts_of(job: Path) -> set[str]:
    return set(os.listdir(job / "parts")) if (job / "parts").is_dir() else set()


def beating(job: Path, pid: int) -> bool:
    """Whether that process has come to scoring."""
    try:
        return json.loads((job / "heartbeats" / "0-of-1.json").read_text())["pid"] == pid
    except (OSError, ValueError):
        return False


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
    assert seen["kills"] == 50


@pytest.mark.slow
def test_devices_give_identical_tables(cache: Path, tmp_path: Path) -> None:
    """One, two, four and eight simulated devices, chunks of several sizes, and the same killed and resumed."""
    rows = ["--sample", 61, "--proxies", "naswot,l2_norm,snip"]
    for devices, chunk in ((1, 1), (2, 1), (4, 3), (8, 1), (8, 5)):
        call = (*rows, "--devices", devices, "--chunk", chunk, "--out", tmp_path / f"{devices}-{chunk}")
        finish(start(cache, *call, devices=devices))
        assert_identical(table(tmp_path / f"{devices}-{chunk}"), table(tmp_path / "1-1"))


@pytest.mark.slow
def test_the_founding_scores_are_equal_on_several_devices(cache: Path, tmp_path: Path) -> None:
    """One, two, four and eight simulated devices: equal but for rounding, for XLA arranges a program for several devices in its own way."""
    tables = {}
    for devices in (1, 2, 4, 8):
        job = tmp_path / str(devices)
        finish(start(cache, "--sample", 8, "--batches", 2, "--devices", devices, "--out", job, devices=devices))
        tables[devices] = table(job)
    whole = tables.pop(1)
    scores = [name for name, column in whole.items() if column.dtype.kind == "f"]
    assert len(scores) >= 24
    for one in tables.values():
        for name in scores:
            np.testing.assert_allclose(one[name], whole[name], rtol=1e-4, err_msg=name)


@pytest.mark.slow
def test_stripes_in_processes_and_a_dead_one(cache: Path, tmp_path: Path) -> None:
    """Two stripes at a time; one is told to stop by SIGTERM and goes on later; a third process is refused what another is scoring."""
    rows = ["--sample", 400, "--proxies", "l2_norm", "--every", "1"]
    finish(start(cache, *rows, "--out", tmp_path / "whole"))
    job = tmp_path / "striped"
    first = start(cache, *rows, "--out", job, JAXZC_STRIPE="0/2")
    second = start(cache, *rows, "--out", job, "--stripe", "slurm", SLURM_PROCID="1", SLURM_NTASKS="2")
    until = time.monotonic() + 120
    while not (job / "leases" / "0-of-2.json").exists() and time.monotonic() < until:
        time.sleep(0.02)
    first.send_signal(signal.SIGTERM)
    said = finish(first, 143)
    assert "the same command goes on" in said
    assert "Traceback" not in said
    finish(second)
    assert not (job / "leases" / "0-of-2.json").exists()
    finish(start(cache, *rows, "--out", job, "--stripe", "0/2"))
    assert_identical(table(job), table(tmp_path / "whole"))


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 4])
def test_processes_with_a_local_coordinator(cache: Path, tmp_path: Path, count: int) -> None:
    """`jax.distributed.initialize()` in each; afterwards one process alone finds nothing left to score."""
    rows = ["--sample", 60, "--proxies", "naswot,l2_norm"]
    finish(start(cache, *rows, "--out", tmp_path / "whole"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    job = tmp_path / "job"
    calls = [("--stripe", f"{index}/{count}", "--distributed", "--out", job) for index in range(count)]
    if count == 1:
        calls = [("--out", job)]
    started = [start(cache, *rows, *call, JAX_COORDINATOR_ADDRESS=address) for call in calls]
    for process in started:
        finish(process)
    assert_identical(table(job), table(tmp_path / "whole"))
    assert "nothing was left to score" in finish(start(cache, *rows, "--out", job))


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
