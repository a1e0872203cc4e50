"""What each proxy costs in the founding set: processor seconds and passes per architecture, with it minus without it.

    python benchmarks/marginal.py [--proxies zen,meco] [--archs 2] [--repeats 3]

Prints Markdown: NAS-Bench-201 (16 channels, 5 cells), two batches of 64 images of noise, the same architectures for every row. A founding
proxy's row is the founding set minus the set without it, any other's the set with it minus the founding set: what both share is computed
once, so a row is what the proxy costs beside the others. The two programs of a row run in turn and each architecture's least time counts.
"""

import argparse
import resource
import time
from collections.abc import Sequence

import numpy as np

import jaxzc
from jaxzc.catalogue import costs

FOUNDING, PROXIES = jaxzc.proxies.FOUNDING, jaxzc.PROXIES


def cpu() -> float:
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


def scorer_of(proxies: Sequence[str], archs: np.ndarray, batches: Sequence[jaxzc.Batch]) -> tuple[jaxzc.SpaceScorer, float]:
    """(a scorer that has compiled, wall seconds of its first score: tracing and compiling)."""
    scorer = jaxzc.SpaceScorer(jaxzc.space("nasbench201", classes=10, inputs=(32, 32, 3)), list(batches), list(proxies))
    start = time.monotonic()
    scorer.one(archs[0])
    return scorer, time.monotonic() - start


def seconds_in_turn(scorers: Sequence[jaxzc.SpaceScorer], archs: np.ndarray, repeats: int) -> np.ndarray:
    """Processor seconds per architecture of each scorer, of least times, so that a neighbour's load counts in neither."""
    spent = np.empty((repeats, len(archs), len(scorers)))
    for index in np.ndindex(*spent.shape):
        before = cpu()
        scorers[index[2]].one(archs[index[1]])
        spent[index] = cpu() - before
    return spent.min(axis=0).mean(axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proxies", default=",".join(PROXIES))
    parser.add_argument("--archs", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    space = jaxzc.space("nasbench201", classes=10, inputs=(32, 32, 3))
    rng = np.random.default_rng(0)
    archs = space.sample(rng, arguments.archs)
    batches = [jaxzc.Batch(rng.standard_normal((64, 32, 32, 3)).astype(np.float32), rng.integers(0, 10, 64)) for _ in range(2)]
    founding, compiled = scorer_of(FOUNDING, archs, batches)
    base = seconds_in_turn([founding], archs, arguments.repeats)[0]

    def passes(names: Sequence[str]) -> float:
        return costs.forward_passes(*(PROXIES[name] for name in names), sizes=costs.ANY)

    print("| proxy | processor seconds | forward passes | forward passes alone | first score, seconds |\n|---|---|---|---|---|", flush=True)
    print(f"| (the founding {len(FOUNDING)}) | {base:.2f} | {passes(FOUNDING):.2f} | | {compiled:.0f} |", flush=True)
    names = [name.strip() for name in arguments.proxies.split(",")]
    further = [name for name in names if name not in FOUNDING]
    rows = {name: [name] for name in names} | ({f"all {len(further)} further ones": further} if len(further) > 1 else {})
    for row, added in rows.items():
        without = [name for name in FOUNDING if name not in added]
        its_own = [*without, *added] if added[0] not in FOUNDING else without  # a founding proxy is left out, any other put in
        scorer, first = scorer_of(its_own, archs, batches)
        spent = seconds_in_turn([founding, scorer], archs, arguments.repeats)
        sign = -1 if added[0] in FOUNDING else 1
        its_passes = abs(passes(its_own) - passes(FOUNDING))
        print(
            f"| {row} | {sign * (spent[1] - spent[0]):+.2f} | {its_passes:.2f} | {passes(added):.2f} | {first:.0f} |",
            flush=True,
        )
        del scorer


if __name__ == "__main__":
    main()
