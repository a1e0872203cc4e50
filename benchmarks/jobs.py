"""What the job machinery costs, and whether memory stays flat over a whole space.

python benchmarks/jobs.py overhead      # the same rows scored alone and by a job, in CPU seconds and by the clock, in turns
python benchmarks/jobs.py memory        # 15,625 architectures of NAS-Bench-201; resident memory at every 1,000 rows
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import jaxzc
from jaxzc import jobs
from jaxzc.catalogue.selection import identity
from jaxzc.jobs import Request, Work
from jaxzc.jobs.parts import Row


def work(space: Any, archs: np.ndarray, scorer: jaxzc.SpaceScorer, drawn: jaxzc.data.Data) -> Work:
    strings = [space.to_string(arch) for arch in archs]
    request = Request(strings, strings, {label: identity(f) for label, f in scorer.proxies.items()}, {0: drawn.digest})

    def make(labels: Sequence[str]) -> jaxzc.SpaceScorer:
        assert set(labels) == set(scorer.proxies)
        return scorer

    return Work({"space": repr(space)}, request, jobs.units(space, archs, [0]), {0: drawn.batches}, make)


def timed(call: Any) -> tuple[float, float]:
    """Seconds by the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - clock, time.process_time() - processor


def overhead(arguments: argparse.Namespace) -> None:
    drawn = jaxzc.data.load("normal", batch_size=arguments.batch_size, batches=1)
    space = jaxzc.space("nasbench201", classes=10, inputs=(32, 32, 3), channels=arguments.channels, cells=arguments.cells)
    archs = space.sample(np.random.default_rng(0), arguments.architectures)
    scorer = jaxzc.SpaceScorer(space, drawn.batches, arguments.proxies)
    scorer.one(archs[0])
    rounds: dict[str, list[tuple[float, float]]] = {"alone": [], "job": []}
    for _ in range(arguments.rounds):
        rounds["alone"].append(timed(lambda: list(scorer.each(archs))))
        with tempfile.TemporaryDirectory() as folder:
            rounds["job"].append(timed(lambda folder=folder: jobs.run(jobs.store(folder), work(space, archs, scorer, drawn))))
    for kind, times in rounds.items():
        clock, processor = np.median(times, axis=0) / len(archs)
        print(f"{kind:6} {clock:.4f} s, {processor:.4f} CPU s a row (median of {len(times)} rounds of {len(archs)} rows)")
    ratio = np.median(rounds["job"], axis=0) / np.median(rounds["alone"], axis=0) - 1
    print(f"overhead {100 * ratio[0]:+.2f} % by the clock, {100 * ratio[1]:+.2f} % of the processor")
    # A row that costs nothing shows the machinery by itself, which a busy machine cannot hide.
    counting = jaxzc.SpaceScorer(space, drawn.batches, "params,flops", chunk=1)
    many = space.sample(np.random.default_rng(1), 4000)
    with tempfile.TemporaryDirectory() as folder:
        _, processor = timed(lambda: jobs.run(jobs.store(folder), work(space, many, counting, drawn)))
    _, alone = timed(lambda: list(counting.each(many)))
    machinery = (processor - alone) / len(many)
    row = float(np.median(rounds["alone"], axis=0)[1]) / len(archs)
    print(f"machinery by itself {1e3 * machinery:.3f} CPU ms a row: {100 * machinery / row:.2f} % of such a row")


def resident() -> float:
    """MiB of this process now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory(arguments: argparse.Namespace) -> None:
    drawn = jaxzc.data.load("digits", batch_size=8, batches=1)
    space = jaxzc.space("nasbench201", classes=10, inputs=(8, 8, 1), channels=2, cells=1)
    scorer = jaxzc.SpaceScorer(space, drawn.batches, "l2_norm,naswot,params")

    def watched(rows: Iterator[Row], total: int) -> Iterator[Row]:
        for number, row in enumerate(rows):
            if number % 1000 == 0:
                print(f"{number:6} rows {resident():8.1f} MiB", flush=True)
            yield row
        print(f"{total:6} rows {resident():8.1f} MiB", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        jobs.run(jobs.store(folder), work(space, space.enumerate(), scorer, drawn), watched=watched)
        print(f"parts: {sum(path.stat().st_size for path in Path(folder, 'parts').iterdir()) / 2**20:.2f} MiB")


def main() -> None:
    top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(required=True)
    first = commands.add_parser("overhead")
    for name, default in (("architectures", 30), ("rounds", 3), ("channels", 16), ("cells", 5), ("batch-size", 32)):
        first.add_argument(f"--{name}", type=int, default=default)
    first.add_argument("--proxies", default="naswot,snip,synflow,params,flops")
    first.set_defaults(run=overhead)
    commands.add_parser("memory").set_defaults(run=memory)
    arguments = top.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
