"""Jobs whose parts, manifests or directories are not what they were, on disks that are full. Only counts are scored: nothing compiles."""

import resource
import signal
from pathlib import Path

import numpy as np
import pytest

from jaxzc import jobs
from jaxzc.jobs import parts
from jaxzc.scoring.results import Scores
from jaxzc.scoring.space import SpaceScorer
from jaxzc.types import JaxzcError
from tests.support import commands
from tests.support.commands import run
from tests.support.job_commands import MANY, done, merged, part_files, refused, score


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
    result = done(commands.score("--proxies", "layers", "--archs", "all.txt", "--out", "job"))
    assert "6 rows have gone from job while the job ran: scoring them again" in result.err
    assert merged().missing == 0


def test_a_directory_taken_away_is_said(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def many(self: SpaceScorer, archs: np.ndarray, seed: int = 0) -> list[Scores]:
        jobs.store("job").remove_all()
        return MANY(self, archs, seed)

    monkeypatch.setattr(SpaceScorer, "many", many)
    refused(score("--out", "job", sample=6), "No such file or directory")


def test_a_full_disk_leaves_what_was_there_and_the_job_goes_on(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_directories_that_are_no_job_are_refused(here: Path, kind: str) -> None:
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
def test_damaged_manifests_are_said(here: Path, file: str, content: bytes) -> None:
    done(score("--out", "job", sample=3))
    path = Path("job/job.json") if file == "job.json" else next(Path("job/requests").iterdir())
    path.write_bytes(content)
    for command in (["status", "job"], ["merge", "job", "--out", "m.parquet"]):
        refused(run(*command), "is damaged")
    refused(score("--out", "job", sample=3), "is damaged")
