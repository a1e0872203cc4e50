"""How well depth and width alone, which no network has to be run for, rank the transformers of the leaderboard.

    python benchmarks/depth_width.py --tables tables

For each benchmark of `benchmarks/leaderboard.toml` whose networks are transformers: Spearman's rho with accuracy, with 95 % intervals, of
their number of layers, their width (of PiT, the mean over layers), the product of both, and each with the other to part ties; then params,
FLOPs and the best proxy, and the proxy's rho less that of each count, on the same resamples.
"""

import argparse
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

import jaxzc
from jaxzc.evaluation import Benchmark, read_description
from jaxzc.evaluation.across.text import SIZES
from jaxzc.tables import read_scores

HERE = Path(__file__).parent


def depth_and_width(arch: str) -> tuple[int, float] | None:
    """Number of layers and mean width of a transformer's string; None of another network's."""
    if match := re.match(r"E(\d+)-H([\d.]+)-M", arch):
        return len(match[2].split(".")), float(match[1])
    if match := re.match(r"B(\d+)-D([\d.]+)-H([\d.]+)-M", arch):
        depths, heads = (np.array(list(map(int, part.split(".")))) for part in match.groups()[1:])
        return int(depths.sum()), float(int(match[1]) * (depths * heads).sum() / depths.sum())
    if match := re.match(r"H(\d+)\|", arch):
        return arch.count("|"), float(match[1])
    return None


def counts(archs: list[str]) -> dict[str, np.ndarray] | None:
    """Name -> float64 `[n]`; None where an architecture is no transformer."""
    pairs = [depth_and_width(arch) for arch in archs]
    known = [pair for pair in pairs if pair is not None]
    if len(known) < len(pairs):
        return None
    depth, width = np.array(known, float).T
    return {
        "depth": depth,
        "width": width,
        "depth x width": depth * width,
        "depth, then width": depth + width / (width.max() + 1),
        "width, then depth": width + depth / (depth.max() + 1) * _smallest_gap(width),
    }


def _smallest_gap(values: np.ndarray) -> float:
    different = np.unique(values)
    return float(np.diff(different).min()) if len(different) > 1 else 1.0


def say(benchmark: Benchmark, resamples: int) -> None:
    table = read_scores(benchmark.scores)
    own = counts(table.columns["arch"].tolist())
    if own is None:
        return
    judged = jaxzc.evaluate(
        replace(table, columns=dict(table.columns) | own),
        str(benchmark.table),
        metric=benchmark.metric,
        proxies=[*(name for name in table.columns if name not in ("arch", "seed", "error")), *own],
        statistics=["spearman"],
        resamples=resamples,
    )
    rows = {row.proxy: row.statistics["spearman"] for row in judged.evaluation.rows}
    best = next(name for name, rho in rows.items() if name not in (*own, *SIZES) and np.isfinite(rho.value))
    print(f"\n{benchmark.name}: {len(judged.evaluation.archs)} networks, best proxy {best} {_text(rows[best])}")
    for name in (*own, "params", "flops"):
        if np.isfinite(rows[name].value):
            less = jaxzc.evaluation.compare(judged.evaluation, best, name).difference
            print(f"  {name:18} {_text(rows[name])}   the best proxy less this {_text(less)}")


def _text(estimate: jaxzc.evaluation.Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", required=True)
    parser.add_argument("--resamples", type=int, default=1000)
    arguments = parser.parse_args()
    for benchmark in read_description(HERE / "leaderboard.toml", arguments.tables).benchmarks:
        say(benchmark, arguments.resamples)


if __name__ == "__main__":
    main()
