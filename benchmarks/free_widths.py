"""A search's children in a space of free widths, against eager PyTorch that builds and scores the same chains; in turn, child by child.

    python benchmarks/free_widths.py mobilenetv2_zen --proxy zico --children 74 --first 50
    python benchmarks/free_widths.py resnet_zen --proxy tcet_snip
    python benchmarks/free_widths.py mobilenetv2_zen --proxy zico --no-peer --pieces     # as it was: pieces of exact widths

Give `--generation 8` for children of one generation in one call, as `jaxzc search --generation 8` scores them, and `--processes 2` for two
processes, as with its option of that name. `--log DIR` takes the last children of a search in DIR, and `--again` scores all of them
first, so that what is measured is a long search, whose pieces are in the process:

    python benchmarks/free_widths.py mobilenetv2_zen --log found --again --children 64 --first 0 --generation 16 --processes 2

Every network is a child of the one before it (the first: of the space's initial chain) that keeps to the budget; no network comes twice.
Seconds of a child are those of drawing weights, compiling what is new, and running. Ratios are ours / PyTorch's, of wall seconds and of
processor seconds (which a busy machine disturbs less). Give an empty or a warm cache by JAX_COMPILATION_CACHE_DIR.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np

import jaxzc
import jaxzc.search
from jaxzc.ladder.store import PIECES
from jaxzc.search.job.scores import proxy_scores

FLOPS = {"mobilenetv2_zen": 9.2e6, "resnet_zen": 2e8}
"""Budgets for images of 32 x 32. ZiCo's 450 million at 224 x 224 are 9.2 million at 32 x 32."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("space", choices=list(FLOPS))
    parser.add_argument("--proxy", default="zico", choices=["zico", "tcet_snip", "naswot", "synflow"])
    parser.add_argument("--children", type=int, default=74)
    parser.add_argument("--first", type=int, default=50, help="children that are told apart: during these most is compiled")
    parser.add_argument("--generation", type=int, default=1, help="children of ours in one call; PyTorch has one at a time on all threads")
    parser.add_argument("--processes", type=int, default=1, help="that score a generation of ours")
    parser.add_argument("--log", metavar="DIR", help="a directory of `jaxzc search`, whose last networks are the children")
    parser.add_argument("--again", action="store_true", help="score all children once before they are measured")
    parser.add_argument("--size", type=int, default=32, help="of the images")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--flops", type=float, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pieces", action="store_true", help="pieces of exact widths instead of steps of padded ones")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--dry", action="store_true", help="compile and run nothing: how many pieces are new, by 25 children")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of PyTorch")
    parser.add_argument("--torch-python", default=sys.executable)
    of = parser.parse_args()
    space: Any = jaxzc.space(of.space, classes=10, inputs=(of.size, of.size, 3))
    rng = np.random.default_rng(of.seed)
    shape = (of.batch, of.size, of.size, 3)
    batches = [(rng.standard_normal(shape).astype(np.float32), rng.integers(0, 10, of.batch).astype(np.int32)) for _ in range(2)]
    scorer = jaxzc.SpaceScorer(space, batches, of.proxy, pieces=True if of.pieces else None)
    if of.log is None:
        archs = children(space, of.children, of.flops or FLOPS[of.space], rng)
    else:
        archs = list(jaxzc.search.load(Path(of.log) / "state.npz").archs[-of.children :])
    if of.dry:
        return dry(space, scorer, archs)
    with proxy_scores(scorer, processes=of.processes) as scores:
        if of.again:
            for _ in range(of.processes + 1):  # whichever process an architecture falls to
                scores(np.stack(archs))
        measure(of, space, scores, archs)


def measure(of: argparse.Namespace, space: Any, scores: Callable[[np.ndarray], np.ndarray], archs: list[np.ndarray]) -> None:
    peer = None if of.no_peer else start(of)
    ours: list[dict[str, float]] = []
    theirs: list[dict[str, float]] = []
    for number, arch in enumerate(archs):
        if number % of.generation == 0:
            ours += score(scores, archs[number : number + of.generation])
        row = ours[number]
        line = f"{number + 1}: {space.counts(arch[None]).layers[0]} layers, {space.counts(arch[None]).flops[0] / 1e6:.1f} MFLOPs; "
        line += f"{row['seconds']:.2f} s, processor {row['cpu']:.2f}, {row['new']:.1f} pieces new"
        if peer is not None:
            theirs.append(ask(peer, {"text": space.to_string(arch), "proxy": of.proxy}))
            line += f"; PyTorch {theirs[-1]['seconds']:.2f} s, processor {theirs[-1]['cpu']:.2f}"
        print(f"{line}; waste {waste(space, arch):.2f}", flush=True)
    for name, part in (("first", slice(0, of.first)), ("later", slice(of.first, None))):
        told(name, ours[part], theirs[part])
    if of.processes == 1:
        print(f"{len(PIECES.executables)} pieces; peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
    for child in active_children():
        (line,) = (x for x in Path(f"/proc/{child.pid}/status").read_text().splitlines() if x.startswith("VmHWM"))
        print(f"peak memory of a process {int(line.split()[1]) / 1e6:.2f} GB")


def children(space: Any, count: int, flops: float, rng: np.random.Generator) -> list[np.ndarray]:
    """The chain of mutants, each within the budget."""
    chain = [space.initial]
    while len(chain) < count:
        child = space.mutate(rng, chain[-1][None])
        if space.counts(child).flops[0] <= flops and not any(np.array_equal(child[0], arch) for arch in chain):
            chain.append(child[0])
    return chain


def dry(space: Any, scorer: jaxzc.SpaceScorer, archs: list[np.ndarray]) -> None:
    new: list[int] = []
    for arch in archs:
        before, program = len(PIECES.shapes), scorer.dispatcher.programs.in_steps(tuple(arch.tolist()))
        assert program is not None
        program.plan(scorer.batches)
        new.append(len(PIECES.shapes) - before)
    means = ", ".join(f"{statistics.mean(new[i : i + 25]):.1f}" for i in range(0, len(new), 25))
    layers = statistics.mean(int(space.counts(arch[None]).layers[0]) for arch in archs)
    print(f"pieces new for a child, mean by 25: {means}; {sum(new)} pieces; {layers:.0f} layers on average")
    print(f"waste of multiply-accumulates: mean {statistics.mean(waste(space, arch) for arch in archs):.2f}")


def processor_seconds() -> float:
    """Of this process and those that work for it."""
    ticks = 0
    for child in active_children():
        ticks += sum(map(int, Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def score(scores: Callable[[np.ndarray], np.ndarray], archs: list[np.ndarray]) -> list[dict[str, float]]:
    """What a generation costs, for each of its children: the same share. New pieces are those of this process."""
    pieces, wall, cpu = len(PIECES.executables), time.perf_counter(), processor_seconds()
    scores(np.stack(archs))
    costs = {"seconds": time.perf_counter() - wall, "cpu": processor_seconds() - cpu, "new": len(PIECES.executables) - pieces}
    return [{name: value / len(archs) for name, value in costs.items()}] * len(archs)


def waste(space: Any, arch: np.ndarray) -> float:
    """Multiply-accumulates of padded widths by those of the true ones."""
    true = padded = 0
    for step in space.steps(arch):
        if step.kernel is not None:
            positions = int(np.prod(step.kernel.output[:-1], dtype=int))
            true += positions * int(np.prod(step.kernel.shape))
            padded += positions * int(np.prod(step.padded))
    return padded / true


def told(name: str, ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> None:
    if not ours:
        return
    for unit in ("seconds", "cpu"):
        mine = [row[unit] for row in ours]
        line = f"{name} {len(ours)}, {unit}: mean {statistics.mean(mine):.3f}, median {statistics.median(mine):.3f}"
        if theirs:
            other = [row[unit] for row in theirs]
            line += f"; PyTorch mean {statistics.mean(other):.3f}, median {statistics.median(other):.3f}"
            line += f"; ratio of sums {sum(mine) / sum(other):.2f}, of medians {statistics.median(mine) / statistics.median(other):.2f}"
        print(line)
    print(f"{name}: {sum(row['new'] for row in ours):.0f} pieces new")


def start(of: argparse.Namespace) -> Any:
    command = [of.torch_python, str(Path(__file__).with_name("torch_chains_peer.py"))]
    peer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert peer.stdin is not None
    peer.stdin.write(json.dumps({"threads": of.threads, "batch": of.batch, "size": of.size}) + "\n")
    return peer


def ask(peer: Any, question: dict[str, Any]) -> dict[str, float]:
    peer.stdin.write(json.dumps(question) + "\n")
    peer.stdin.flush()
    return json.loads(peer.stdout.readline())


if __name__ == "__main__":
    main()
