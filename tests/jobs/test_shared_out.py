"""Jobs shared out among devices, stripes and processes; the table is that of one process."""

import signal
import socket
import time
from pathlib import Path

import numpy as np
import pytest

from tests.support.job_processes import assert_identical, finish, start, table


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
