"""Seconds of a compiled function, for the benchmarks beside this file."""

import time
from collections.abc import Callable
from typing import Any

import jax


def best(function: Callable[..., Any], *arguments: Any) -> float:
    """Seconds of the fastest of eight calls; one before them compiles."""
    jax.block_until_ready(function(*arguments))
    seconds = []
    for _ in range(8):
        started = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        seconds.append(time.perf_counter() - started)
    return min(seconds)
