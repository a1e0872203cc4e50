"""Recurrent, transformer, mobile and published networks: seconds for an architecture and of compilation, against eager PyTorch.

    python benchmarks/other_spaces.py nasbench_nlp nasbench_asr autoformer pit flexibert mnasnet     # needs torch: pip install '.[bench]'
    python benchmarks/other_spaces.py published --networks 4
    python benchmarks/other_spaces.py mnasnet --networks 20 --torch-python OTHER/bin/python

grad_norm, in turn, network by network: ours draws the weights, compiles what is new and runs; PyTorch builds the network and runs, twice,
of which the second is taken. That both are the same network is checked by their parameters. Ratios are ours / PyTorch's, of wall and
processor seconds: of all networks but the first, with what is new to each compiled, and of all scored once more, when nothing is new.
Programs are not kept on disk (unless JAX_COMPILATION_CACHE_DIR says so). Sizes are those of `SIZES`.
"""

import argparse
import os
import sys
import time
from typing import Any

import numpy as np
from versus_torch import ask, start, tell

import jaxzc
from jaxzc.cli import processes
from jaxzc.types import Batch, InputSpec

IMAGES = {"batch": 16, "size": 32, "classes": 10}
SIZES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nasbench_nlp": ({"emsize": 64, "nhid": 96}, {"batch": 16, "tokens": 20, "classes": 1000}),
    "autoformer": ({"variant": "autoprox", "widths": (96, 144, 192), "depths": (6, 7, 8), "heads": (3, 4), "patch": 4}, IMAGES),
    "nasbench_asr": (
        {"filters": (60, 80, 100, 120), "cells": (3, 4, 5, 6), "groups": 10, "units": 50},
        {"batch": 16, "frames": 64, "features": 40, "symbols": 8, "classes": 49},
    ),
    "pit": ({"patch": 4, "stride": 2}, IMAGES),
    "flexibert": (
        {"hidden": (64, 128), "widths": (256, 512), "positions": 64, "embedding": 64},
        {"batch": 16, "tokens": 32, "classes": 1000},
    ),
    "mnasnet": ({}, IMAGES),
    "published": ({}, IMAGES),
}
"""Space -> its options, and the sizes of the data."""
PUBLISHED = "resnet10 mobilenet_wd4 resnet12 mobilenet_wd2 resnet14 mobilenet_w3d4 resnet16 mobilenet_w1 resnet18"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spaces", nargs="+", choices=SIZES)
    parser.add_argument("--networks", type=int, default=8)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of PyTorch")
    parser.add_argument("--torch-python", default=sys.executable)
    arguments = parser.parse_args()
    for name in arguments.spaces:
        compare(name, arguments)


def compare(name: str, arguments: argparse.Namespace) -> None:
    options, data = SIZES[name]
    rng = np.random.default_rng(0)
    batch = drawn(name, data, rng)
    inputs = InputSpec(batch.inputs.shape[1:], str(batch.inputs.dtype))
    space: Any = jaxzc.space(name, classes=data["classes"], inputs=inputs, **options)
    scorer = jaxzc.SpaceScorer(space, batch, "grad_norm")
    texts = PUBLISHED.split()[: arguments.networks] if name == "published" else None
    archs = space.sample(rng, arguments.networks) if texts is None else np.stack([space.parse(text) for text in texts])
    settings = {**options, **data, "space": name, "threads": arguments.threads}
    peer = start("torch_spaces_peer.py", processes.shares(1)[0], settings, arguments.torch_python)
    each = []
    for arch in archs:
        answer = ask(peer, {"text": space.to_string(arch)})
        if answer["params"] != space.counts(arch[None]).params[0]:
            raise SystemExit(f"{space.to_string(arch)}: PyTorch's network has {answer['params']} parameters: another network")
        first, again = timed(scorer, arch), timed(scorer, arch)
        theirs = ask(peer, {"text": space.to_string(arch)})  # once more: the first call of a process is slower
        each.append((first, again, (theirs["seconds"], theirs["cpu"])))
        told = "; ".join(f"{wall:.2f} s ({cpu:.2f} of a processor)" for wall, cpu in each[-1])
        print(f"{name} {len(each)}: first, again, PyTorch: {told}", flush=True)
    peer.stdin.close()
    peer.wait()
    flops = np.median(space.counts(archs).flops)
    print(f"\n{name}, {len(archs)} networks, median {flops / 1e6:.1f} million multiply-accumulates, {settings}")
    times = np.array(each)  # [networks, (first, again, theirs), (wall, processor)]
    compiled = times[0, 0] - times[0, 1]
    print(f"  compilation for the first: {compiled[0]:.1f} s ({compiled[1]:.1f} processor seconds)")
    for unit, column in (("wall", 0), ("processor", 1)):
        tell(f"{unit}, the others, what is new compiled", times[1:, 0, column], times[1:, 2, column])
        tell(f"{unit}, all, nothing new", times[:, 1, column], times[:, 2, column])
    ahead = np.flatnonzero(times[:, 0, 0].cumsum() < times[:, 2, 0].cumsum())
    print(f"  ahead of PyTorch, compilation included, from network {ahead[0] + 1 if len(ahead) else 'none of these'}", flush=True)


def drawn(name: str, data: dict[str, Any], rng: np.random.Generator) -> Batch:
    count, classes = data["batch"], data["classes"]
    if "tokens" in data:
        words = rng.integers(0, classes, (count, data["tokens"])).astype(np.int32)
        return Batch(words, rng.integers(0, 2, words.shape).astype(np.float32) if name == "flexibert" else None)
    if "frames" in data:
        frames = rng.standard_normal((count, data["frames"], data["features"])).astype(np.float32)
        return Batch(frames, rng.integers(1, classes, (count, data["symbols"])).astype(np.int32))
    images = rng.standard_normal((count, data["size"], data["size"], 3)).astype(np.float32)
    return Batch(images, rng.integers(0, classes, count))


def timed(scorer: jaxzc.SpaceScorer, arch: np.ndarray) -> tuple[float, float]:
    started, cpu = time.perf_counter(), time.process_time()
    scorer.one(arch)
    return time.perf_counter() - started, time.process_time() - cpu


if __name__ == "__main__":
    main()
