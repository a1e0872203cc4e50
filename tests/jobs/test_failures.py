"""Jobs when things break: parts, disks, architectures, signals. Only counts are scored: nothing compiles."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pyarrow.parquet as pq
import pytest

from jaxzc import jobs
from jaxzc._durable.lease import Lease
from jaxzc.catalogue import spaces
from jaxzc.jobs import parts
from jaxzc.proxies import PROXIES
from jaxzc.scoring.results import Scores
from jaxzc.scoring.space import SpaceScorer
from jaxzc.types import JaxzcError
from tests.support.commands import run
from tests.support.job_commands import MANY, Many, done, failing, merged, part_files, refused, score

# Parts that are not what they were.


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "torn":
        path.write_bytes(content[: len(content) // 2])
    elif how == "flipped":
        path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "renamed":
        path.rename(path.with_name("mine.parquet"))
    elif how == "foreign":
        path.unlink()
        jobs_store = jobs.store("job")
        parts.write(jobs_store, "0" * 16, "0-of-1", 0, [parts.Row("x", 0, {"params()@1": 1.0}, 0.0)])


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("torn", "torn or was changed"),
        ("flipped", "torn or was changed"),
        ("empty", "torn or was changed"),
        ("renamed", "its name is not that of a part"),
        ("foreign", "made with other settings"),
    ],
)
def test_bad_parts_are_set_aside_and_scored_again(here: Path, count: list[str], how: str, says: str) -> None:
    done(score("--out", "job", sample=6))
    before = merged()
    (path,) = part_files()
    damage(path, how)
    assert merged().missing == 6 * 3
    status = done(run("status", "job")).out
    assert says in status
    assert "0 of 18 scores are there" in status
    again = done(score("--out", "job", sample=6))
    assert says in again.err
    assert "set aside as parts/" in again.err
    assert len(count) == 12
    after = merged()
    assert after.troubles == []
    for name in before.columns:
        np.testing.assert_array_equal(before.columns[name], after.columns[name])
    (aside,) = Path("job/parts").glob("*.corrupt")
    assert aside.stat().st_size >= 0
    assert "1 bad parts were set aside" in done(run("status", "job")).out


def test_a_part_deleted_while_the_job_runs_is_scored_again(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done(score("--out", "job", sample=6))

    def many(self: SpaceScorer, archs: np.ndarray, seed: int = 0) -> list[Scores]:
        for path in part_files()[:1]:
            path.unlink()
            monkeypatch.setattr(SpaceScorer, "many", MANY)
        return MANY(self, archs, seed)

    monkeypatch.setattr(SpaceScorer, "many", many)
    Path("all.txt").write_text("\n".join([*merged().columns["arch"], "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"]))
    size = ["--set", "channels=2", "--set", "cells=1", "--batch-size", "8", "--no-cache", "--quiet", "--proxies", "layers"]
    result = done(run("score", "nasbench201", *size, "--archs", "all.txt", "--out", "job"))
    assert "6 rows have gone from job while the job ran: scoring them again" in result.err
    assert merged().missing == 0


def test_a_directory_taken_away_is_said(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def many(self: SpaceScorer, archs: np.ndarray, seed: int = 0) -> list[Scores]:
        jobs.store("job").remove_all()
        return MANY(self, archs, seed)

    monkeypatch.setattr(SpaceScorer, "many", many)
    refused(score("--out", "job", sample=6), "No such file or directory")


# A disk that is full, a directory that is closed.


def test_disk_full(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Truly: the operating system refuses files of more than a few hundred bytes."""
    done(score("--out", "job", sample=4))
    before = part_files()[0].read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, limits[1]))
    try:
        result = score("--out", "job", sample=300)
        one = score("--out", "x.parquet", sample=300)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    refused(result, "cannot be written (File too large): make room there, then run the same command again")
    refused(one, "make room there")
    assert not Path("x.parquet").exists()
    assert part_files()[0].read_bytes() == before
    assert list(Path("job").rglob("*.tmp")) == []
    done(score("--out", "job", sample=300))
    assert merged().missing == 0


def test_rows_that_could_not_be_written_are_kept_until_they_are(here: Path) -> None:
    from jaxzc.jobs.recorder import Recorder

    store = jobs.store(here / "job")
    (here / "job").mkdir()
    recorder = Recorder(store, "0" * 16, jobs.Stripe(), total=2, existing=0)
    recorder.add(parts.Row("a", 0, {"params()@1": 1.0}, 0.0))
    (here / "job" / "parts").write_text("in the way")
    with pytest.raises(JaxzcError, match="cannot be made"):
        recorder.flush()
    (here / "job" / "parts").unlink()
    recorder.add(parts.Row("b", 0, {"params()@1": float("nan")}, 0.0))
    recorder.flush()
    (part,) = parts.read(store, "0" * 16, [])
    assert part.archs == ["a", "b"]
    assert np.isnan(part.values["params()@1"][1])


@pytest.mark.parametrize("kind", ["file", "other files", "no parent"])
def test_directories_that_are_no_job(here: Path, kind: str) -> None:
    where = "no/job" if kind == "no parent" else "job"
    if kind == "file":
        Path("job").write_text("precious")
    elif kind == "other files":
        Path("job").mkdir()
        Path("job/mine.txt").write_text("precious")
    says = {"file": "job is a file", "other files": "the directory job holds other files", "no parent": "there is no directory"}
    refused(score("--out", where), says[kind])
    refused(run("status", where), "there is no job in")
    refused(run("merge", where, "--out", "m.parquet"), "there is no job in")
    assert sum(path.is_file() for path in here.rglob("*")) == (kind != "no parent")


@pytest.mark.parametrize("file", ["job.json", "requests"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"settings": 3}', b"\xff\xfe", b"PAR1"])
def test_damaged_manifests(here: Path, file: str, content: bytes) -> None:
    done(score("--out", "job", sample=3))
    path = Path("job/job.json") if file == "job.json" else next(Path("job/requests").iterdir())
    path.write_bytes(content)
    for command in (["status", "job"], ["merge", "job", "--out", "m.parquet"]):
        refused(run(*command), "is damaged")
    refused(score("--out", "job", sample=3), "is damaged")


# Failures of architectures.


def bad(strings: list[str]) -> bool:
    return any(s.startswith("|nor_conv_3x3~0|") for s in strings)


@pytest.mark.parametrize("chunk", [1, 8])
def test_one_bad_architecture_does_not_stop_the_job(here: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    done(score("--out", "whole", sample=60))
    whole = merged("whole").columns
    expected = [bad([arch]) for arch in whole["arch"]]
    assert 0 < sum(expected) < 30
    monkeypatch.setattr(SpaceScorer, "width", chunk)
    failing(monkeypatch, jax.errors.JaxRuntimeError("INTERNAL: the compiler\nfell over"), bad)
    result = done(score("--out", "job", sample=60))
    assert f"{sum(expected)} failed and are recorded with their errors" in result.out
    assert "JaxRuntimeError: INTERNAL: the compiler fell over" in result.out
    table = merged()
    assert table.missing == 0
    assert [error is not None for error in table.columns["error"]] == expected
    np.testing.assert_array_equal(np.isnan(table.columns["layers"]), expected)
    np.testing.assert_array_equal(table.columns["layers"][~np.array(expected)], whole["layers"][~np.array(expected)])
    assert "INTERNAL: the compiler fell over" in done(run("status", "job", "--failures")).out
    assert "rows failed (column error)" in done(run("merge", "job", "--out", "m.parquet")).out
    # They are not tried again, unless that is asked for.
    monkeypatch.setattr(SpaceScorer, "many", MANY)
    assert "nothing was left" in done(score("--out", "job", sample=60)).out
    done(score("--out", "job", "--retry-failures", sample=60))
    again = merged().columns
    assert "error" not in again
    np.testing.assert_array_equal(again["layers"], whole["layers"])


def test_memory_that_runs_out_is_answered_with_smaller_chunks(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real halving, of lanes that a GPU would have; the calls are made on the CPU one by one."""
    sizes: list[int] = []

    def many(self: SpaceScorer, archs: np.ndarray, seed: int = 0) -> list[Scores]:
        sizes.append(len(archs))
        if len(archs) > 2:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 byte")
        return MANY(self, archs, seed)

    begin = SpaceScorer.__init__

    def wide(self: SpaceScorer, *arguments: Any, **options: Any) -> None:
        begin(self, *arguments, lanes=options["chunk"], **options)

    monkeypatch.setattr(SpaceScorer, "__init__", wide)
    monkeypatch.setattr(SpaceScorer, "width", property(lambda self: self.chunk))
    monkeypatch.setattr(SpaceScorer, "many", many)
    result = done(score("--out", "job", "--chunk", "8", sample=20))
    assert sizes == [8, 4, *[2] * 10]  # the chunk that fits is kept
    assert "out of memory with 8 architectures at a time: going on with 4" in result.err
    assert "error" not in merged().columns


def test_a_broken_process_blames_no_architecture(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the fifth call on everything fails, what had succeeded as well: nothing of that is recorded."""
    monkeypatch.setattr(SpaceScorer, "width", 1)
    error = jax.errors.JaxRuntimeError("CUDA_ERROR_ILLEGAL_ADDRESS")
    monkeypatch.setattr(SpaceScorer, "many", _after(5, error))
    with pytest.raises(jax.errors.JaxRuntimeError, match="ILLEGAL_ADDRESS"):
        score("--out", "job", sample=40)
    table = merged()
    assert table.missing == 35 * 3
    assert "error" not in table.columns
    assert done(run("status", "job", "--json")).out
    assert json.loads(run("status", "job", "--json").out)["stripes"][0]["state"] == "failed"


def _after(calls: int, error: Exception) -> Many:
    made: list[int] = []

    def many(self: SpaceScorer, archs: np.ndarray, seed: int = 0) -> list[Scores]:
        made.append(len(archs))
        if len(made) > calls:
            raise error
        return MANY(self, archs, seed)

    return many


@pytest.mark.parametrize("out", ["x.parquet", "job"])
def test_where_all_rows_failed_the_command_fails(here: Path, monkeypatch: pytest.MonkeyPatch, out: str) -> None:
    """Fewer than raise a doubt about the process: recorded, but no table of nothing, and no exit code of success."""
    with monkeypatch.context() as patch:
        failing(patch, jax.errors.JaxRuntimeError("INTERNAL: no luck"), lambda strings: True)
        said = ("all 3 rows failed, the first |", "JaxRuntimeError: INTERNAL: no luck", "--retry-failures scores them again")
        refused(score("--out", out, sample=3), *said)
        assert not Path("x.parquet").exists()
        refused(score("--out", out, sample=3), *said)
    assert done(score("--out", out, "--retry-failures", sample=3))


def test_nan_is_a_score(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def layers(counts: Any) -> float:
        """Not a number."""
        return float("nan")

    monkeypatch.setitem(PROXIES, "layers", layers)
    result = done(score("--out", "x.parquet", sample=3))
    assert "layers: 3 of 3 are NaN or infinite" in result.out
    assert pq.read_table("x.parquet")["layers"].null_count == 0


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
    size = ["--set", "channels=2", "--set", "cells=1", "--batch-size", "8", "--no-cache", "--quiet", "--proxies", "layers"]
    call = ["score", "nasbench201", *size, "--sample", "30", "--every", "60", "--out", "job"]
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "spaces"), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", CRASHING, *call]
    space = spaces.space("nasbench201", classes=10, inputs=(32, 32, 3))
    first, *_ = space.sample(np.random.default_rng(0), 30)
    assert not space.to_string(first).startswith("|avg_pool_3x3~0|"), "rows before it are lost, or the next run would find it at once"
    dead = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=300)
    assert dead.returncode == -signal.SIGSEGV, dead.stderr
    result = done(run(*call))
    assert "an earlier run ended with 'Fatal Python error: Segmentation fault' while it scored |avg_pool_3x3~0|" in result.err
    table = merged()
    assert table.missing == 0
    ((arch, seed, error),) = table.failed
    assert arch.startswith("|avg_pool_3x3~0|")
    assert (seed, error) == (0, "the process ended: Fatal Python error: Segmentation fault")
    assert "nothing was left" in done(run(*call)).out


# Being told to stop.


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
