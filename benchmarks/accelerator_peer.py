"""The part of `accelerator.py` that runs jaxzc, as a process of its own: the first line of standard input says what to measure, each line
of standard output is one result in JSON. It works from a checkout, without jaxzc being installed.
"""

import json
import math
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxzc_spaces.nasbench201 import NasBench201
from timing import best

import jaxzc
from jaxzc.catalogue.costs import forward_passes
from jaxzc.definitions.facts import Sizes

TIMED = 3.0
"""Seconds for which a program is run, at least; or `MOST` calls."""
MOST = 50


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    if asked["precision"] is not None:
        jax.config.update("jax_default_matmul_precision", asked["precision"])
    for row in {"peak": peaks, "set": rates, "reference": reference}[asked["what"]](asked):
        print(json.dumps(row), flush=True)


def setting(asked: Any) -> tuple[NasBench201, np.ndarray, list[jaxzc.Batch]]:
    """The space, networks from the lightest to the heaviest of a random sample, and two batches of noise."""
    side, size = asked["image"], asked["batch"]
    space = NasBench201(classes=10, inputs=(side, side, 3), channels=asked["channels"], cells=asked["cells"])
    sample = space.sample(np.random.default_rng(0), 500)
    order = np.argsort(np.asarray(space.counts(sample).flops), kind="stable")
    archs = sample[order][np.linspace(0, len(sample) - 1, asked["networks"]).round().astype(int)]
    rng = np.random.default_rng(0)
    shape = (size, side, side, 3)
    batches = [jaxzc.Batch(rng.standard_normal(shape).astype(np.float32), rng.integers(0, 10, size).astype(np.int32)) for _ in range(2)]
    return space, archs, batches


def peaks(asked: Any) -> Iterator[dict[str, Any]]:
    """The device; FLOP/s of a matrix product in bfloat16 and in float32 of both precisions; bytes/s of a copy (read and written)."""
    device = jax.devices()[0]
    about = {"device": device.device_kind, "platform": device.platform, "jax": jax.__version__, "devices": jax.device_count()}
    yield about | {"archs": setting(asked)[1].tolist()}
    side = 8192 if device.platform != "cpu" else 1024
    for name, dtype, precision in (("bfloat16", jnp.bfloat16, None), ("float32", jnp.float32, "highest"), ("tf32", jnp.float32, "default")):
        a = jax.random.normal(jax.random.key(0), (side, side), dtype)
        product = jax.jit(lambda a, precision=precision: jnp.dot(a, a, precision=precision))
        yield {"peak": name, "flops_per_s": 2 * side**3 / best(product, a)}
    x = jnp.ones((256 if device.platform != "cpu" else 16) * 2**20 // 4 * 4, jnp.float32)
    yield {"peak": "copy", "bytes_per_s": 2 * x.nbytes / best(jax.jit(lambda x: x + 1), x)}


def rates(asked: Any) -> Iterator[dict[str, Any]]:
    """For each chunk: seconds of compilation, architectures/s, FLOP/s, peak memory, and the scores of the networks; or the error, such as
    that of too little memory."""
    space, archs, batches = setting(asked)
    highest = 0
    for chunk in asked["chunks"]:
        try:
            row = rate(space, archs, jaxzc.SpaceScorer(space, batches, asked["proxies"], chunk=chunk, lanes=chunk), chunk, asked)
        except Exception as error:  # what a device does not run is a result; the other chunks go on
            yield {"chunk": chunk, "error": f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"}
            continue
        peak = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)
        # The peak is that of the process: a smaller program after a larger one does not show.
        yield row | {"peak_bytes": peak if peak > highest else None}
        highest = max(peak, highest)


def rate(space: NasBench201, archs: np.ndarray, scorer: jaxzc.SpaceScorer, chunk: int, asked: Any) -> dict[str, Any]:
    first = np.resize(archs, (max(chunk, len(archs)), archs.shape[1]))
    started = time.perf_counter()
    scores = scorer.many(first)
    compiled = time.perf_counter()
    scorer.many(first[:chunk])
    once = time.perf_counter() - compiled
    calls = min(max(math.ceil(TIMED / once), 2), MOST)
    several = np.resize(archs, (chunk * calls, archs.shape[1]))
    begun = time.perf_counter()
    scorer.many(several)
    seconds = (time.perf_counter() - begun) / len(several)
    return {
        "chunk": chunk,
        "compile_s": compiled - started - math.ceil(len(first) / chunk) * once,
        "architectures_per_s": 1 / seconds,
        "flops_per_s": work(space, several, scorer, asked) / seconds,
        "scores": [{label: repr(value) for label, value in each.items()} for each in scores[: len(archs)]],
    }


def work(space: NasBench201, archs: np.ndarray, scorer: jaxzc.SpaceScorer, asked: Any) -> float:
    """Floating-point operations of one architecture, mean: two for each multiply-accumulate of the passes that the proxies need."""
    sizes = Sizes(asked["batch"], 2, outputs=10, pixels=asked["image"] ** 2)
    passes = forward_passes(*scorer.proxies.values(), sizes=sizes)
    return 2 * asked["batch"] * passes * float(np.mean(np.asarray(space.counts(archs).flops, np.float64)))


def reference(asked: Any) -> Iterator[dict[str, Any]]:
    """The scores of one network after another; to be run on a CPU, beside other processes: on half of the processors, with low priority."""
    if hasattr(os, "sched_setaffinity"):
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, processors[len(processors) // 2 :])
        os.nice(10)
    space, archs, batches = setting(asked)
    scorer = jaxzc.SpaceScorer(space, batches, asked["proxies"])
    for number, arch in enumerate(archs):
        yield {"network": number, "scores": {label: repr(value) for label, value in scorer.one(arch).items()}}


if __name__ == "__main__":
    main()
