"""Processors: each process's share, and BLAS on one thread."""

import json
import os
import subprocess
import sys

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from jaxzc._parallel.processors import one_blas_thread, placed, processors, shares
from jaxzc.types import JaxzcError

LINUX = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processors are shared out on Linux only")
TELL = 'import json, os; print(json.dumps([sorted(os.sched_getaffinity(0)), os.environ["NPROC"], os.environ["GLIBC_TUNABLES"]]))'


@LINUX
def test_each_gets_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 0, 1, 7, 5})
    assert shares(2) == [[0, 1, 3], [5, 7]]
    assert shares(None) == [[0], [1], [3], [5], [7]]
    assert shares(1) == [[0, 1, 3, 5, 7]]
    for count in (0, 6):
        with pytest.raises(JaxzcError, match=f"^{count} processes: this one may use 5 processors: ask for 1 to 5"):
            shares(count)


@LINUX
@pytest.mark.parametrize("own", [None, "glibc.malloc.hugetlb=0"])
def test_what_is_started_has_the_processors(monkeypatch: pytest.MonkeyPatch, own: str | None) -> None:
    """And this process has afterwards what it had before; a user's own tunables stay."""
    monkeypatch.delenv("NPROC", raising=False)
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    if own is not None:
        monkeypatch.setenv("GLIBC_TUNABLES", own)
    before, environment = os.sched_getaffinity(0), dict(os.environ)
    with placed([min(before)]):
        told = subprocess.run([sys.executable, "-c", TELL], stdout=subprocess.PIPE, check=True)
        assert processors() == 1
    assert json.loads(told.stdout) == [[min(before)], "1", own or "glibc.malloc.hugetlb=1"]
    assert os.sched_getaffinity(0) == before
    assert dict(os.environ) == environment


def test_blas_has_one_thread_while_anybody_is_inside() -> None:
    def threads() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    with threadpool_limits(2, user_api="blas"):
        with one_blas_thread():
            with one_blas_thread():
                assert threads() == {1}
            assert threads() == {1}
        assert threads() == {2}
