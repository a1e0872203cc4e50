"""What each proxy adds to the founding set: processor seconds and passes per architecture, with it minus without it.

    python benchmarks/marginal.py [--proxies zen,meco] [--archs 2] [--repeats 2]

Prints Markdown: NAS-Bench-201 (16 channels, 5 cells), two batches of 64 images of noise, the same architectures for every row. A row is the
processor time of `founding,proxy` minus that of `founding`; what both share is computed once, so it is what adding the proxy costs.
"""

import argparse
import resource
import time
from collections.abc import Sequence

import numpy as np

from jaxzc import catalogue, costs
from jaxzc.proxies import FOUNDING, PROXIES
from jaxzc.space_scoring import SpaceScorer
from jaxzc.types import Batch


def cpu() -> float:
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


def seconds(proxies: Sequence[str], archs: np.ndarray, batches: Sequence[Batch], repeats: int) -> tuple[float, float]:
    """(least processor seconds per architecture, wall seconds of the first call: tracing and compiling)."""
    space = catalogue.space("nasbench201", classes=10, image_shape=(32, 32, 3))
    scorer = SpaceScorer(space, list(batches), list(proxies))
    start = time.monotonic()
    scorer.one(archs[0])
    first = time.monotonic() - start
    rounds = []
    for _ in range(repeats):
        before = cpu()
        list(scorer.each(archs))
        rounds.append((cpu() - before) / len(archs))
    return min(rounds), first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proxies", default=",".join(n for n in PROXIES if n not in FOUNDING))
    parser.add_argument("--archs", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    space = catalogue.space("nasbench201", classes=10, image_shape=(32, 32, 3))
    rng = np.random.default_rng(0)
    archs = space.sample(rng, arguments.archs)
    batches = [Batch(rng.standard_normal((64, 32, 32, 3)).astype(np.float32), rng.integers(0, 10, 64)) for _ in range(2)]
    base, compiled = seconds(FOUNDING, archs, batches, arguments.repeats)
    print("| added to the founding set | processor seconds | forward passes alone | first call, seconds |\n|---|---|---|---|", flush=True)
    print(f"| (founding) | {base:.2f} | | {compiled:.0f} |", flush=True)
    names = [name.strip() for name in arguments.proxies.split(",")]
    for name in [*names, "all of these"]:
        added = names if name == "all of these" else [name]
        spent, first = seconds([*FOUNDING, *added], archs, batches, arguments.repeats)
        passes = "" if len(added) > 1 else f"{costs.forward_passes(PROXIES[name], batch_size=64, batches=2):.2f}"
        print(f"| {name} | {spent - base:+.2f} | {passes} | {first:.0f} |", flush=True)


if __name__ == "__main__":
    main()
