"""`jaxzc score --processes N`: processes side by side on one job, each with processors of its own."""

import json
import os
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from jaxzc._durable.store import store
from jaxzc.cli import processes
from jaxzc.jobs.recorder import HEARTBEATS
from jaxzc.tables import read_scores
from tests.support.commands import refused
from tests.support.job_commands import done, merged, score

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processors are shared out on Linux only")
TWO = pytest.mark.skipif(len(getattr(os, "sched_getaffinity", lambda _: [0])(0)) < 2, reason="needs two processors")


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def instead(monkeypatch: pytest.MonkeyPatch, *programs: str) -> None:
    """The processes run these programs."""
    left = list(programs)
    monkeypatch.setattr(processes, "_command", lambda *_: [sys.executable, "-c", left.pop(0)])


@TWO
def test_a_table_is_that_of_one_process(capfd: pytest.CaptureFixture[str]) -> None:
    """A real run: the rows of two processes, of which nothing is left but the table."""
    result = done(score("--processes", 2, "--out", "two.parquet"))
    assert "two.parquet: 20 architectures, 3 scores each (2 processes, " in result.out
    assert capfd.readouterr().err == ""
    done(score("--out", "one.parquet"))
    two, one = read_scores("two.parquet"), read_scores("one.parquet")
    for name, column in one.columns.items():
        np.testing.assert_array_equal(two.columns[name], column, name)
    assert "--processes 2" in two.metadata["command"]
    assert sorted(os.listdir()) == ["one.parquet", "two.parquet"]


@TWO
def test_a_stripe_is_shared_by_stripes_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each program is told its stripe, one process, the job, and nothing of --overwrite; its processors are its own."""
    tell = """
import json, os, sys
json.dump([sys.argv[1:], sorted(os.sched_getaffinity(0)), os.environ["NPROC"]], open(f"{os.getpid()}.json", "w"))
"""
    command = processes._command
    monkeypatch.setattr(processes, "_command", lambda *given: [sys.executable, "-c", tell, *command(*given)[3:]])
    result = done(score("--processes", 2, "--stripe", "1/3", "--out", "job", sample=21))
    told = sorted(json.loads(path.read_text()) for path in Path().glob("*.json"))
    assert [arguments[-7:] for arguments, *_ in told] == [
        ["--processes", "1", "--stripe", stripe, "--out", "job", "--quiet"] for stripe in ("1/6", "4/6")
    ]
    cores = [set(cores) for _, cores, _ in told]
    assert cores[0] | cores[1] == os.sched_getaffinity(0)
    assert not cores[0] & cores[1]
    assert [int(count) for *_, count in told] == [len(own) for own in cores]
    assert "all 7 rows of stripe 1/3 are there" in result.out  # what they left undone, which is everything
    left = processes._command(["score", "--overwrite", "--overw", "--over-not"], store("job"), processes.Stripe(0, 2))
    assert "--over-not" in left
    assert not {"--overwrite", "--overw"} & set(left)


FINISHED = f"""
import json, pathlib
beats = pathlib.Path("job", {HEARTBEATS!r})
beats.mkdir(exist_ok=True)
(beats / "1-of-2.json").write_text(json.dumps(dict(state="finished")))
raise SystemExit(2)
"""


@TWO
def test_one_that_dies_is_told_of_and_the_same_command_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, "import os; os.kill(os.getpid(), 9)", "open('other', 'w').close()")
    refused(score("--processes", 2, "--out", "job"), "the process of stripe 0-of-2 was ended by signal 9", "the same command goes on")
    assert Path("other").exists()
    instead(monkeypatch, "", "raise SystemExit(2)")
    refused(score("--processes", 2, "--out", "job"), "stripe 1-of-2 failed with exit code 2")
    instead(monkeypatch, "", FINISHED)  # all its rows failed: not a matter of the process
    done(score("--processes", 2, "--out", "job"))
    assert merged().missing == 0


@TWO
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_told_to_stop_it_stops_all(number: int, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each writes that it was told to, which is what a real one does with its rows."""
    waiting = """
import signal, sys, time
def stop(*_): open(f"stopped-{NUMBER}", "w").close(); sys.exit(143)
signal.signal(signal.SIGTERM, stop)
open(f"begun-{NUMBER}", "w").close()
time.sleep(60)
"""
    instead(monkeypatch, *(waiting.replace("NUMBER", str(index)) for index in (0, 1)))

    def stop() -> None:
        while not (Path("begun-0").exists() and Path("begun-1").exists()):
            threading.Event().wait(0.02)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=stop)
    thread.start()
    result = score("--processes", 2, "--out", "job")
    thread.join()
    assert result.code == code
    assert "what was scored is kept in" in result.err
    assert Path("stopped-0").exists()
    assert Path("stopped-1").exists()


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    refused(score("--processes", 3, "--out", "job"), "3 processes: this one may use 2 processors: ask for 1 to 2, or all")
    refused(score("--processes", 2, "--distributed", "--out", "job"), "leave out --distributed")
    monkeypatch.setattr(processes, "here", lambda: "gpu")
    refused(score("--processes", "all", "--out", "job"), "this is a gpu: use --devices N")
    assert os.listdir() == []


@pytest.mark.parametrize("count", ["0", "-1", "2.5", "every"])
def test_no_number_of_processes(count: str) -> None:
    result = score(f"--processes={count}", "--out", "job")
    assert result.code == 2
    assert f"'{count}' is not a whole number of at least 1" in result.err
