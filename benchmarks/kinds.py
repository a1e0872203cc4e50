"""Where a score's time goes: seconds and FLOP/s by kind of operation, beside what this machine does at best.

    GLIBC_TUNABLES=glibc.malloc.hugetlb=1 taskset -c 0 python benchmarks/kinds.py [--proxies grasp]

NAS-Bench-201 (C=16, N=5), two batches of 64, the networks of a random sample with the fewest, median and most FLOPs; one processor, because
operations that run at the same time cannot be told apart. Seconds are XLA's own, of a profile; FLOPs are counted from the shapes of every
convolution and matrix product that ran. "Convolution": with a kernel of 3x3 or a part of it; "kernel gradient": with one as large as an
image, or a product over images and pixels.
"""

import argparse
import collections
import gzip
import json
import math
import re
import tempfile
from pathlib import Path
from typing import Any

import jax
import numpy as np
from versus_torch import networks, peaks

import jaxzc

LINE = re.compile(r"^\s+(?:ROOT )?%?([\w.\-]+) = (\w+)\[([\d,]*)\]\S* ([\w\-]+)\((.*)$")
CONTROL = ("while", "conditional", "call")
OTHER = "everything else: normalisation, ReLU, sums, copies"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proxies", default=",".join(jaxzc.proxies.FOUNDING))
    arguments = parser.parse_args()
    space = jaxzc.space("nasbench201", classes=10, inputs=(32, 32, 3))
    rng = np.random.default_rng(0)
    batches = [jaxzc.Batch(rng.standard_normal((64, 32, 32, 3)).astype(np.float32), rng.integers(0, 10, 64)) for _ in range(2)]
    scorer = jaxzc.SpaceScorer(space, batches, arguments.proxies)
    archs = networks(space, 3)
    scorer.one(archs[0])
    stored: Any = scorer.programs(archs[0])
    programs = [executable.as_text() for function in stored for executable in function.executables.values()]
    # Operations of two programs may have one name.
    kinds = {(module_of(program), name): kind for program in programs for name, kind in kinds_of(program).items()}
    print(f"at best: {peaks()}\n\n| network | kind | seconds | GFLOP | GFLOP/s |\n|---|---|---|---|---|", flush=True)
    for arch in archs:
        scorer.one(arch)
        seconds, work = measured(scorer, arch, kinds)
        for kind in sorted(seconds, key=seconds.__getitem__, reverse=True):
            speed = f"{work[kind] / seconds[kind]:.0f}" if work[kind] else ""
            print(f"| {space.to_string(arch)} | {kind} | {seconds[kind]:.2f} | {work[kind]:.1f} | {speed} |")
        rate = sum(work.values()) / sum(seconds.values())
        print(f"| | all | {sum(seconds.values()):.2f} | {sum(work.values()):.1f} | {rate:.0f} |", flush=True)


def measured(scorer: jaxzc.SpaceScorer, arch: np.ndarray, kinds: dict[tuple[str, str], tuple[str, float]]) -> tuple[Any, Any]:
    """Seconds and GFLOP of one score by kind. kinds: of every program's operations."""
    seconds, work = collections.defaultdict[str, float](float), collections.defaultdict[str, float](float)
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            scorer.one(arch)
        (file,) = Path(folder).rglob("*.trace.json.gz")
        events = json.loads(gzip.decompress(file.read_bytes()))["traceEvents"]
    for event in events:
        ran = event.get("args", {})
        name = str(ran.get("hlo_op", ""))
        kind, flops = kinds.get((str(ran.get("hlo_module", "")), name), (OTHER, 0.0))
        if event.get("ph") == "X" and name and kind not in CONTROL:
            seconds[kind] += event["dur"] / 1e6
            work[kind] += flops / 1e9
    return seconds, work


def module_of(program: str) -> str:
    return program.removeprefix("HloModule ").partition(",")[0]


def kinds_of(program: str) -> dict[str, tuple[str, float]]:
    """Of every operation that may run: its kind and its FLOPs."""
    shapes: dict[str, tuple[int, ...]] = {}
    inside: dict[str, list[tuple[str, str, str]]] = collections.defaultdict(list)
    operations, computation = {}, ""
    for line in program.splitlines():
        if line.endswith("{") and not line.startswith(" "):
            computation = line.removeprefix("ENTRY ").lstrip("%").split(" ")[0]
        match = LINE.match(line)
        if match:
            name, dtype, sizes, operation, rest = match.groups()
            shapes[name] = tuple(int(size) for size in sizes.split(",") if size)
            inside[computation].append((name, operation, rest))
            operations[name] = (operation, rest, dtype)
        elif (tupled := re.match(r"^\s+(?:ROOT )?%?([\w.\-]+) = \(.*\) ([\w\-]+)\(", line)) is not None:
            operations[tupled[1]] = (tupled[2], "", "")

    def kind(name: str) -> tuple[str, float]:
        operation, rest, _ = operations[name]
        if operation in CONTROL:
            return operation, 0.0
        called = re.search(r"calls=%?([\w.\-]+)", rest)
        if operation == "fusion" and called is not None:
            return max((arithmetic(*item) for item in inside[called[1]]), key=lambda told: told[1], default=(OTHER, 0.0))
        return arithmetic(name, operation, rest)

    def arithmetic(name: str, operation: str, rest: str) -> tuple[str, float]:
        """Two FLOPs for each output and each number that is summed for it."""
        operands = [shapes.get(text.split(" ")[-1].lstrip("%"), ()) for text in rest.split(")")[0].split(", ")]
        if operation == "convolution":
            *pixels, channels, _ = operands[1]
            gradient = max(pixels) > 4
            return ("kernel gradient" if gradient else "convolution"), 2.0 * math.prod(shapes[name]) * math.prod(pixels) * channels
        if operation == "dot":
            summed = re.search(r"lhs_contracting_dims=\{([\d,]+)\}", rest)
            length = math.prod(operands[0][int(axis)] for axis in summed[1].split(",")) if summed else 1
            return ("kernel gradient" if length > 512 else "other product"), 2.0 * math.prod(shapes[name]) * length
        return OTHER, 0.0

    return {name: kind(name) for name in operations}


if __name__ == "__main__":
    main()
