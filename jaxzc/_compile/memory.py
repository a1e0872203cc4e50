"""How much memory a compiled program plans, against what there is.

XLA lays a program's buffers out when it compiles it, so the need is known before the first run. A GPU or TPU refuses a program that does
not fit; on a CPU the operating system ends the process without a word, which is worth a warning beforehand. And how much of what is
compiled a process holds.
"""

import contextlib
import ctypes
import logging
import os
import re
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax

from jaxzc._compile.platforms import here
from jaxzc.types import JaxzcError

log = logging.getLogger("jaxzc")
GROUP = Path("/sys/fs/cgroup")
"""Where Linux states the memory limit of a container."""


def available() -> int | None:
    """Bytes that a process on this machine's processor may still take; None where the system (not Linux) does not say."""
    return min((free for free, _ in (_of_machine(), _of_group()) if free is not None), default=None)


def short(share: float) -> bool:
    """Whether less than this share of the memory, the machine's or the container's, is left."""
    return any(free is not None and all_of_it is not None and free < share * all_of_it for free, all_of_it in (_of_machine(), _of_group()))


def _of_machine() -> tuple[int | None, int | None]:
    """Free bytes and all bytes; None where the system does not say."""
    try:
        said = dict(re.findall(r"^(MemAvailable|MemTotal): +([0-9]+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE))
    except OSError:
        said = {}
    free, all_of_it = ((int(said[name]) * 1024 if name in said else None) for name in ("MemAvailable", "MemTotal"))
    return free, all_of_it


def _of_group() -> tuple[int | None, int | None]:
    """As `_of_machine`, of the container."""
    try:
        limit, used = ((GROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return None, None
    return (int(limit) - int(used), int(limit)) if limit.isdigit() else (None, None)


COMMAND = "lower --batch-size, or score fewer proxies"
"""What helps, in the words of the command line."""


def advice(batch_size: int, chunk: int = 1) -> str:
    """What helps where a program needs too much, for a function that was called with so many examples and networks at a time."""
    fewer = f"give a chunk smaller than {chunk}, " if chunk > 1 else ""
    return f"{fewer}{'a' if fewer else 'give a'} batch of fewer than {batch_size} examples, or fewer proxies"


def check(planned: int, advice: str = COMMAND, examples: int | None = None) -> None:
    """Warns where a program of that many bytes is about to run on a processor that has not as much left.

    examples: in the batch, of which the need is about a multiple: the warning says how many would fit."""
    free = available() if here() == "cpu" else None
    if free is not None and planned > free:
        fitting = "" if examples is None else f" (about {max(1, int(examples * free / planned))} would fit)"
        log.warning(
            "the compiled program plans %s and %s are free: the system may end this process; %s%s",
            gigabytes(planned),
            gigabytes(free),
            advice,
            fitting,
        )


@contextlib.contextmanager
def explained(advice: str, planned: int | None = None) -> Iterator[None]:
    """Turns an error of XLA for lack of memory into a `JaxzcError` that says what the program plans and what helps."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error) and "out of memory" not in str(error).lower():
            raise
        plan = "the program does not fit" if planned is None else f"the program plans {gigabytes(planned)}, which do not fit"
        raise JaxzcError(f"{plan} into memory ({str(error).strip().partition(chr(10))[0]}): {advice}") from error


LARGE = 2**30
"""Bytes of a plan from which on it matters what the C library keeps of freed memory."""
OFTEN = 2**28
"""Bytes dropped after which it is looked at again."""


class Heap:
    """Keeps what a process takes near the bytes that the running plan needs.

    glibc keeps freed blocks of under 32 MB in heaps of its own, one for each thread, whose holes fit no larger block: of a ResNet-50 whose
    plan is 3.4 GB, the process took 6.1. `dropped` asks it for the holes (`malloc_trim`) where the process has grown by a tenth more than
    planned. That is rare, because pages that are given back cost time when they are taken anew. Elsewhere than on glibc it does nothing."""

    def __init__(self, planned: int):
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if planned >= LARGE and os.name == "posix" else None
        self._since, self._limit = 0, 0
        if self._trim is not None:
            self._trim(0)
            self._limit = _taken() + planned + planned // 10

    def dropped(self, size: int) -> None:
        """To be told of `size` bytes that the plan has let go of."""
        self._since += size
        if self._trim is None or self._since < OFTEN:
            return
        self._since = 0
        if _taken() > self._limit:
            self._trim(0)


def _taken() -> int:
    """Bytes of memory that this process has; 0 where the system (not Linux) does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def crowded(share: float) -> bool:
    """Whether more than this share of the memory mappings that Linux grants a process is taken.

    Compiled code has three for each kernel: some 25 for a piece, 5,000 for a program of many proxies, of 65,530 as a rule. Where none is
    left, XLA's compiler ends the process.
    """
    try:
        most = int(Path("/proc/sys/vm/max_map_count").read_text())
        with Path("/proc/self/maps").open("rb") as mappings:
            return sum(1 for _ in mappings) > share * most
    except OSError:
        return False


MOST = 8192
"""Compiled pieces that a process holds at once where there is room, half a megabyte and six memory mappings each. Those that a space's
networks have in common should fit: 15 proxies of MnasNet's take 4,800, of which 1,000 to 2,000 are one network's."""
LEAST = 2048
"""Those that it holds where memory is short."""
SHORT = 0.125
"""Share of the memory below which it is short."""
CROWDED = 0.5
"""Share of the process's memory mappings above which pieces are dropped. The pieces of one network may take as much again."""


def let_go(held: OrderedDict[Any, Any], in_use: int) -> None:
    """Drops compiled pieces for which there is no room, the least recently used first; not the last `in_use`."""
    most = max(in_use, LEAST if short(SHORT) else MOST)
    while len(held) > most:
        held.popitem(last=False)
    while len(held) > in_use and crowded(CROWDED):
        for _ in range(1 + (len(held) - in_use) // 2):
            held.popitem(last=False)


def gigabytes(size: int) -> str:
    """As in `1.34 GB`."""
    return f"{size / 1e9:.2f} GB"
