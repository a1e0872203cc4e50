"""Which combination of proxies ranks best on several benchmarks at once? Chosen on a declared part, judged once on the rest.

    python benchmarks/aggregates_across.py --tables tables

The part to choose on: the first 500 different cells of NAS-Bench-201 on CIFAR-10, TransNAS-Bench-101 micro's scenes, and the first half of
the cells of NAS-Bench-101; of these, what there is a score table of. Every set of up to four of `CANDIDATES` is tried, by the
log-rank and by the sum of ranks, nothing is weighted, NaN ranks last; what is maximised is the mean of Kendall's tau-b over the benchmarks,
each counted once. The best is then judged on all other networks and tasks, beside `trio`, `sweet_ntk` and params: read that once.
"""

import argparse
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

from jaxzc import embedded
from jaxzc.aggregates import AGGREGATES
from jaxzc.evaluation import read_description
from jaxzc.tables import read_scores, read_truth
from jaxzc.types.names import some_of

HERE = Path(__file__).parent
CHOSEN_ON = {"NAS-Bench-201, CIFAR-10": 500, "TransNAS-Bench-101 micro, scene": 1.0, "NAS-Bench-101": 0.5}
"""Benchmark -> how many of its networks, or which share."""
CANDIDATES = (
    *("flops", "grad_norm", "jacob_cov", "layers", "naswot", "params"),
    *("snip", "snr_snip", "sweet_ntk", "sweet_snip", "synflow", "zico"),
)
"""What the tables of these three shared when the choice was made; columns that came later have no say in it."""
LARGEST = 4
TRIO = AGGREGATES["trio"].proxies
BESIDE = (TRIO, ("sweet_ntk",), ("params",))


class Part(NamedTuple):
    """name: of the benchmark and the part. scores: proxy -> `[n]`. accuracy: `[n]`."""

    name: str
    scores: dict[str, np.ndarray]
    accuracy: np.ndarray


def parts(tables: str) -> tuple[list[Part], list[Part]]:
    """What is chosen on, and the rest, of every benchmark of the leaderboard."""
    first, rest = [], []
    for benchmark in read_description(HERE / "leaderboard.toml", tables).benchmarks:
        columns = read_scores(benchmark.scores).columns
        truth = read_truth(embedded.table_named(benchmark.table), benchmark.metric)
        accuracy = np.array([truth.get(arch, np.nan) for arch in columns["arch"].tolist()])
        known = np.isfinite(accuracy)
        if benchmark.distinct:
            known &= columns["scored"] == columns["arch"]
        rows = np.flatnonzero(known)
        share = CHOSEN_ON.get(benchmark.name, 0)
        cut = int(share * len(rows)) if isinstance(share, float) else share
        scores = {name: np.asarray(column, float) for name, column in columns.items() if column.dtype.kind in "iuf" and name != "seed"}
        for listed, chosen, which in ((first, rows[:cut], "first"), (rest, rows[cut:], "other")):
            if len(chosen):
                part = {name: column[chosen] for name, column in scores.items()}
                listed.append(Part(f"{benchmark.name}, {which} {len(chosen)}", part, accuracy[chosen]))
    return first, rest


def ranks(part: Part, name: str) -> np.ndarray:
    """Ranks over their number, `(0, 1]`, NaN the lowest."""
    score = part.scores[name]
    return stats.rankdata(np.where(np.isnan(score), -np.inf, score)) / len(score)


def kendall(part: Part, names: tuple[str, ...], rule: str) -> float:
    """Kendall's tau-b of a combination with the accuracies; NaN where a proxy was not scored."""
    if not set(names) <= set(part.scores):
        return float("nan")
    chosen = np.stack([ranks(part, name) for name in names])
    return float(np.asarray(stats.kendalltau((np.log(chosen) if rule == "log_rank" else chosen).sum(0), part.accuracy)[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", required=True)
    parser.add_argument("--show", type=int, default=5, help="of each size (default: %(default)s)")
    arguments = parser.parse_args()
    first, rest = parts(arguments.tables)
    candidates = CANDIDATES
    tried = [
        (float(np.mean([kendall(part, names, rule) for part in first])), names, rule)
        for size in range(1, LARGEST + 1)
        for names in combinations(candidates, size)
        for rule in (("log_rank", "rank_sum") if size > 1 else ("log_rank",))
    ]
    print(f"{len(tried):,} combinations of {some_of(candidates, len(candidates))} tried on {'; '.join(part.name for part in first)}")
    for size in range(1, LARGEST + 1):
        for mean, names, rule in sorted((each for each in tried if len(each[1]) == size), reverse=True)[: arguments.show]:
            print(f"  {mean:.4f}  {rule}({','.join(names)})  " + " ".join(f"{kendall(part, names, rule):.3f}" for part in first))
    _, names, rule = max(tried)
    shown = [(names, rule), *((beside, "log_rank") for beside in BESIDE)]
    print("\nKendall on the rest: " + "; ".join(f"{rule}({','.join(each)})" for each, rule in shown))
    for part in rest:
        print(f"  {part.name}: " + " ".join(f"{kendall(part, each, rule):.3f}" for each, rule in shown))


if __name__ == "__main__":
    main()
