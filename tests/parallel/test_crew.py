"""Processes that work for this one: what they return, what they raise, and that none is left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jaxzc._parallel.crew import Crew
from jaxzc.types import JaxzcError

pytestmark = pytest.mark.skipif(
    len(getattr(os, "sched_getaffinity", lambda _: [0])(0)) < 2, reason="needs two processors that can be shared out"
)

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])}


def nothing() -> None:
    """Has nothing to prepare."""


def told(name: str) -> None:
    os.environ["TOLD"] = name


def worker(base: int) -> Callable[[Any], Any]:
    """Adds, and does otherwise with text."""

    def call(item: Any) -> Any:
        if item == "who":
            return os.getpid(), sorted(os.sched_getaffinity(0)), os.environ.get("TOLD")
        if item == "refuse":
            raise JaxzcError("this network is none")
        if item == "fail":
            return 1 // 0
        if item == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        return int(item) + base

    return call


def unready() -> Callable[[Any], Any]:
    raise JaxzcError("no such data")


def test_items_in_their_order_on_processors_of_their_own() -> None:
    with Crew(2, partial(worker, 10), partial(told, "ready")) as crew:
        assert crew.map(range(7)) == list(range(10, 17))
        assert crew.map([]) == []
        pids = [process.pid for process in crew.processes]
        who = crew.map(["who"] * 4)
        assert {pid for pid, *_ in who} <= set(pids)
        assert all(len(cores) == len(os.sched_getaffinity(0)) // 2 or len(cores) > 1 for _, cores, _ in who)
        assert {name for *_, name in who} == {"ready"}
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_an_error_is_raised_here_and_work_goes_on() -> None:
    with Crew(2, partial(worker, 0), nothing) as crew:
        with pytest.raises(JaxzcError, match=r"^this network is none$"):
            crew.map([1, "refuse", 2, 3])
        with pytest.raises(ZeroDivisionError) as failed:
            crew.map(["fail"])
        assert "return 1 // 0" in failed.value.__notes__[0]
        assert crew.map([4, 5]) == [4, 5]


def test_one_that_is_not_ready_says_why() -> None:
    with Crew(2, unready, nothing) as crew, pytest.raises(JaxzcError, match=r"^no such data$"):
        crew.map([1, 2])


def test_one_that_is_killed() -> None:
    with Crew(2, partial(worker, 0), nothing) as crew, pytest.raises(JaxzcError, match=r"^one of 2 processes was ended by signal 9 "):
        crew.map([1, "die", 2, 3])


def test_what_cannot_be_sent() -> None:
    with pytest.raises(JaxzcError, match=r"cannot be sent to them .*: define it at the top of a module, or ask for one process$"):
        Crew(2, lambda: worker(0), nothing)


def test_what_a_notebook_defines() -> None:
    """A program without a file, which another process cannot read."""
    script = (
        "from functools import partial\n"
        "from tests.parallel.test_crew import Crew, nothing\n"
        "def own():\n"
        "    return abs\n"
        "with Crew(2, own, nothing) as crew:\n"
        "    crew.map([1])\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=ENVIRONMENT)
    assert run.returncode == 1
    assert "define it in a module that they can import, or ask for one process" in run.stderr


def test_they_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    """Even where that is killed, and cannot end them."""
    script = tmp_path / "script.py"
    script.write_text(
        "import os, signal\n"
        "from functools import partial\n"
        "from tests.parallel.test_crew import Crew, nothing, worker\n"
        "if __name__ == '__main__':\n"
        "    crew = Crew(2, partial(worker, 0), nothing)\n"
        "    crew.map([1, 2])\n"
        "    print(*[process.pid for process in crew.processes], flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run = subprocess.run([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert run.returncode == -signal.SIGKILL
    pids, until = run.stdout.split(), time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(pids) == 2
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_a_script_without_its_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from functools import partial\n"
        "from tests.parallel.test_crew import Crew, nothing, worker\n"
        "print(Crew(2, partial(worker, 0), nothing).map([1]))\n"
    )
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=ENVIRONMENT)
    assert run.returncode == 1
    assert "a script that starts processes lacks `if __name__ == '__main__':`" in run.stderr
