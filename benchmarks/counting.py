"""How well sizes rank networks that nobody has to run: the bar for proxies where the leaderboard has no scores yet.

    python benchmarks/leaderboard_tables.py DIR --out tables
    python benchmarks/counting.py --tables tables

Spearman's rho with accuracy, with 95 % bootstrap intervals, of all networks of a table, as the benchmark has them: parameters,
multiply-accumulates (of layers, and with attention's products), layers; of transformers besides depth (blocks), width (of PiT the mean over
blocks), their product, and each with the other to part ties.
"""

import argparse
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import jaxzc
from jaxzc.tables import read_columns


class Table(NamedTuple):
    """space, options: of jaxzc. file: in the directory of tables. metrics: its columns."""

    space: str
    options: dict[str, Any]
    file: str
    metrics: tuple[str, ...]


VIT = ("cifar100_base", "flowers_base", "chaoyang_base")
TABLES = (
    Table("transnas101_macro", {}, "tnb101_macro.csv.gz", ("class_scene_val", "class_object_val")),
    Table("mnasnet", {}, "mnasnet.parquet", ("top1_percent",)),
    *(
        Table("autoformer", {"size": size}, f"autoformer_{size}.parquet", ("imagenet_top1_inherited",))
        for size in ("tiny", "small", "base")
    ),
    Table("autoformer", {"variant": "autoprox"}, "vitbench_autoformer.parquet", VIT),
    Table("pit", {}, "vitbench_pit.parquet", VIT),
    Table("flexibert", {"reading": "trained"}, "flexibert.parquet", ("glue",)),
)


def depth_and_width(arch: str) -> tuple[int, float] | None:
    """Number of blocks and mean width of a transformer's string; None of another network's."""
    if match := re.match(r"E(\d+)-H([\d.]+)-M", arch):
        return len(match[2].split(".")), float(match[1])
    if match := re.match(r"B(\d+)-D([\d.]+)-H([\d.]+)-M", arch):
        depths, heads = (np.array(list(map(int, part.split(".")))) for part in match.groups()[1:])
        return int(depths.sum()), float(int(match[1]) * (depths * heads).sum() / depths.sum())
    if match := re.match(r"H(\d+)\|", arch):
        return arch.count("|"), float(match[1])
    return None


def shapes(archs: list[str]) -> dict[str, np.ndarray]:
    """Name -> float64 `[n]`; none where an architecture is no transformer."""
    pairs = [pair for pair in map(depth_and_width, archs) if pair is not None]
    if len(pairs) < len(archs):
        return {}
    depth, width = np.array(pairs, float).T
    return {
        "depth": depth,
        "width": width,
        "depth x width": depth * width,
        "depth, then width": depth + width / (width.max() + 1),
        "width, then depth": width + depth / (depth.max() + 1) * float(np.diff(np.unique(width)).min()),
    }


def sizes(table: Table, archs: list[str]) -> dict[str, np.ndarray]:
    """Name -> float64 `[n]`: counts of the space, and the shapes of transformers."""
    space = jaxzc.space(table.space, **table.options)
    counts = space.counts(np.stack([space.parse(arch) for arch in archs]))
    columns = {"params": counts.params, "flops": counts.flops, "layers": counts.layers}
    if np.any(counts.products):
        columns["flops + products"] = counts.flops + counts.products
    return {name: np.broadcast_to(np.asarray(column, float), len(archs)) for name, column in columns.items()} | shapes(archs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True)
    parser.add_argument("--resamples", type=int, default=1000)
    arguments = parser.parse_args()
    for table in TABLES:
        path = arguments.tables / table.file
        archs = read_columns(path).columns["arch"].tolist()
        columns: dict[str, Any] = {"arch": archs, "seed": np.zeros(len(archs), int)} | sizes(table, archs)
        for metric in table.metrics:
            judged = jaxzc.evaluate(columns, path, metric=metric, statistics=["spearman"], resamples=arguments.resamples)
            print(f"\n{table.space} {' '.join(map(str, table.options.values()))}, {metric}: {len(judged.evaluation.archs)} networks")
            for row in judged.evaluation.rows:
                rho = row.statistics["spearman"]
                print(f"  {row.proxy:18} {rho.value:.3f} [{rho.low:.3f}, {rho.high:.3f}]")


if __name__ == "__main__":
    main()
