"""Jobs in processes of their own, and what their directories hold."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from jaxzc import jobs
from tests.support.processes import environment

SMALL = ["--set", "channels=2", "--set", "cells=1", "--batch-size", "4", "--batches", "1", "--quiet"]


def start(cache: Path, *arguments: Any, devices: int = 1, code: str = "", **variables: str) -> "subprocess.Popen[str]":
    """`jaxzc score` with these arguments, or this program."""
    made = environment(
        JAX_COMPILATION_CACHE_DIR=str(cache),
        JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
        XLA_FLAGS=f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}",
        **variables,
    )
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
