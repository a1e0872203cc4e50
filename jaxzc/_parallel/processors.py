"""Processors: which there are, which process gets which, and BLAS held to one thread on each."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from jaxzc.types import JaxzcError


def processors() -> int:
    """Of this process, as XLA counts them for its threads: the environment variable NPROC, or those it may run on."""
    told = os.environ.get("NPROC", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    return len(usable())


def usable() -> list[int]:
    """Numbers of the processors that this process may run on."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def shares(processes: int | None) -> list[list[int]]:
    """The processors of each process; None: one process on each. Raises `JaxzcError` for more processes than processors, or none."""
    cores = usable()
    count = len(cores) if processes is None else processes
    if not 1 <= count <= len(cores):
        raise JaxzcError(f"{count} processes: this one may use {len(cores)} processors: ask for 1 to {len(cores)}, or all")
    return [share.tolist() for share in np.array_split(cores, count)]


@contextmanager
def placed(cores: Sequence[int]) -> Iterator[None]:
    """Processes that are started meanwhile have these processors, which XLA counts there, and large pages for XLA's buffers (a fifth less
    time; glibc reads that before a program begins)."""
    own = {"GLIBC_TUNABLES": os.environ.get("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"), "NPROC": str(len(cores))}
    before = {name: os.environ.get(name) for name in own}
    affinity = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    try:
        os.environ.update(own)
        if affinity is not None:
            os.sched_setaffinity(0, cores)
        yield
    finally:
        if affinity is not None:
            os.sched_setaffinity(0, affinity)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _OneThread:
    """Holds BLAS to one thread while anybody is inside."""

    def __init__(self) -> None:
        self.inside, self.lock = 0, threading.Lock()
        self.limits: Any = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self.lock:
            if not self.inside:
                from threadpoolctl import threadpool_limits  # here, for a program that is whole needs none

                self.limits = threadpool_limits(1, user_api="blas")
            self.inside += 1
        try:
            yield
        finally:
            with self.lock:
                self.inside -= 1
                if not self.inside:
                    self.limits.restore_original_limits()


one_blas_thread = _OneThread()
"""A context in which BLAS and LAPACK run on the thread that calls them. Threads of BLAS beside those of XLA, of other processes or of our
own wait for each other: with one of two processors busy, singular values of 136 x 768 took 4 ms on one thread and 10 to 1,100 on two."""
