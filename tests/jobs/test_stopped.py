"""Jobs that are told to stop, that die, or that are at work. Only counts are scored: nothing compiles."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from jaxzc import jobs
from jaxzc._durable.lease import Lease
from jaxzc.catalogue import spaces
from jaxzc.scoring.results import Scores
from jaxzc.scoring.space import SpaceScorer
from tests.support.commands import SMALL, run
from tests.support.job_commands import MANY, done, merged, refused, score
from tests.support.processes import environment

CRASHING = """
import ctypes, sys
from jaxzc.cli import main
from jaxzc.scoring.space import SpaceScorer
many = SpaceScorer.many
SpaceScorer.width = 1
def crash(self, archs, seed=0):
    if self.space.to_string(archs[0]).startswith("|avg_pool_3x3~0|"):
        ctypes.string_at(0)
    return many(self, archs, seed)
SpaceScorer.many = crash
main(sys.argv[1:])
"""


def test_an_architecture_that_kills_the_process_is_found_by_the_next(here: Path) -> None:
    size = [*SMALL, "--no-cache", "--quiet", "--proxies", "layers"]
    call = ["score", "nasbench201", *size, "--sample", "30", "--every", "60", "--out", "job"]
    command = [sys.executable, "-c", CRASHING, *call]
    space = spaces.space("nasbench201", classes=10, inputs=(32, 32, 3))
    first, *_ = space.sample(np.random.default_rng(0), 30)
    assert not space.to_string(first).startswith("|avg_pool_3x3~0|"), "rows before it are lost, or the next run would find it at once"
    dead = subprocess.run(command, env=environment(), capture_output=True, check=False, timeout=300)
    assert dead.returncode == -signal.SIGSEGV, dead.stderr
    result = done(run(*call))
    assert "an earlier run ended with 'Fatal Python error: Segmentation fault' while it scored |avg_pool_3x3~0|" in result.err
    table = merged()
    assert table.missing == 0
    ((arch, seed, error),) = table.failed
    assert arch.startswith("|avg_pool_3x3~0|")
    assert (seed, error) == (0, "the process ended: Fatal Python error: Segmentation fault")
    assert "nothing was left" in done(run(*call)).out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_keep_what_was_scored(here: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    calls: list[int] = []

    def many(self: SpaceScorer, archs: np.ndarray, seed: int = 0) -> list[Scores]:
        calls.append(1)
        if len(calls) == 4:
            os.kill(os.getpid(), number)
        return MANY(self, archs, seed)

    before = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]
    monkeypatch.setattr(SpaceScorer, "width", 2)
    monkeypatch.setattr(SpaceScorer, "many", many)
    result = score("--out", "job", sample=20)
    assert (result.code, result.out) == (128 + number, "")
    assert result.err == "jaxzc: interrupted; what was scored is kept in job: the same command goes on\n"
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)] == before
    table = merged()
    assert table.missing == (20 - 6) * 3
    assert os.listdir("job/leases") == []
    assert json.loads(Path("job/heartbeats/0-of-1.json").read_text())["state"] == "stopped"
    monkeypatch.setattr(SpaceScorer, "many", MANY)
    done(score("--out", "job", sample=20))
    assert merged().missing == 0
    assert [thread.name for thread in threading.enumerate() if thread.name == "jaxzc-keeper"] == []


def test_a_job_at_work_is_left_alone(here: Path) -> None:
    """By a second command on the same table, and by one that would forget the job."""
    done(score("--out", "job", sample=3))
    settings = Path("job/job.json").read_text()
    for out, job in (("x.parquet", "x.parquet.job"), ("job", "job")):
        done(score("--out", out, sample=3))
        Path(job).mkdir(exist_ok=True)
        Path(job, "job.json").write_text(settings)
        holder = Lease(jobs.store(job), "0-of-1")
        holder.take()
        if out == "job":
            refused(score("--out", out, sample=4), "stripe 0-of-1 of job is being scored by process")
        refused(score("--out", out, "--overwrite", sample=3), f"{job} is being scored (stripe 0-of-1): stop that first")
        holder.renew()
        holder.release()
