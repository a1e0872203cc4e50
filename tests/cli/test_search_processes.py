"""`jaxzc search --processes N`: a generation is scored by several processes, each with processors of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from jaxzc.search.job import request as requests
from jaxzc.tables import read_scores
from tests.support.commands import refused
from tests.support.processes import environment
from tests.support.search_commands import TABLE, search

pytestmark = [
    pytest.mark.usefixtures("undrawn", "here"),
    pytest.mark.skipif(len(getattr(os, "sched_getaffinity", lambda _: [0])(0)) < 2, reason="needs two processors that can be shared out"),
]

RANDOM = ("--fitness", "l2_norm,params", "--algorithm", "random", "--generation", 6)


def test_a_search_is_that_of_one_process(capfd):
    for name, processes in (("two", 2), ("one", 1)):
        assert search(*RANDOM, "--evaluations", 10, "--processes", processes, "--out", name).code == 0
    assert capfd.readouterr().err == ""
    two, one = (read_scores(f"{name}/evaluated.parquet").columns for name in ("two", "one"))
    assert list(two["arch"]) == list(one["arch"])
    np.testing.assert_allclose(two["l2_norm"], one["l2_norm"], rtol=1e-5)
    assert len(set(one["l2_norm"])) > 5
    more = search(*RANDOM, "--evaluations", 12, "--processes", "all", "--out", "one")
    assert "going on after 10 evaluations" in more.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop(number):
    """Told alone or, as by Ctrl-C, together with its processes: what was scored is kept, and none of them is left."""
    small = ["nasbench201", "--set", "channels=4", "--set", "cells=1", "--batch-size", "4", "--no-cache", "--quiet"]
    endless = [*map(str, RANDOM), "--evaluations", "15000", "--processes", "2", "--out", "found"]
    command = [sys.executable, "-m", "jaxzc", "search", *small, *endless]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment(), start_new_session=True)
    until = time.monotonic() + 120
    while not Path("found/state.npz").exists() and time.monotonic() < until:
        time.sleep(0.05)
    if number == signal.SIGINT:
        os.killpg(run.pid, number)
    else:
        run.send_signal(number)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 128 + number
    assert "evaluations are kept in found: the same command goes on" in said
    assert "Traceback" not in said
    until = time.monotonic() + 20  # multiprocessing's own helper ends last
    while anybody_in(run.pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert not anybody_in(run.pid)


def anybody_in(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_refusals(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    of = ("--fitness", "l2_norm", "--out", "found")
    refused(search(*of, "--processes", 2), "2 processes and a generation of 1", "--generation", "8, or ask for fewer processes")
    refused(search(*of, "--processes", 3, "--generation", 8), "3 processes: this one may use 2 processors")
    refused(search(*of, "--processes", 2, "--generation", 8, "--devices", "2"), "processes=2", "devices")
    refused(search(*TABLE, "--processes", 2, "--generation", 8, "--out", "found"), "in a table takes one")
    monkeypatch.setattr(requests, "here", lambda: "gpu")
    refused(search(*of, "--processes", 2, "--generation", 8), "use devices on a gpu")
    assert os.listdir() == []
