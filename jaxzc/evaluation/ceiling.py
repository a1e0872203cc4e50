"""The noise ceiling: how well training agrees with itself, which is the most that a proxy can reach."""

import os
from collections.abc import Collection, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from jaxzc.evaluation.statistics.correlations import spearman
from jaxzc.tables import read_columns


def noise_ceiling(columns: Mapping[str, Any], metric: str = "test_accuracy") -> dict[str, float]:
    """From the columns `[n]` of a ground-truth table that hold each seed's `metric` (`METRIC_seed0`, `METRIC_seed1`, ...):

    seed_to_seed: Spearman's rho of the metric between two seeds, mean over all pairs (NaN with a single seed).
    mean_of_seeds: the same expected between two tables that are means over this many seeds (Spearman-Brown), which is what `metric` is.
    """
    each = [values for name, values in columns.items() if name.startswith(f"{metric}_seed")]
    pairs = [spearman(a, b) for a, b in combinations(each, 2)]
    rho = float(np.mean(pairs)) if pairs else float("nan")
    return {"seed_to_seed": rho, "mean_of_seeds": len(each) * rho / (1 + (len(each) - 1) * rho)}


def read_ceiling(path: str | os.PathLike[str], metric: str, archs: Collection[str] | None = None) -> dict[str, float]:
    """The noise ceiling of a ground-truth file over `archs` (None: all), from the columns of each seed; where it has none, what its
    metadata say under `noise_ceiling` for the metric; empty where neither is there.

    Raises `JaxzcError`: missing or damaged file.
    """
    table = read_columns(path)
    seeds = [name for name in table.columns if name.startswith(f"{metric}_seed")]
    if len(seeds) > 1:
        rows = slice(None) if archs is None else np.isin(table.columns["arch"].astype(str), list(archs))
        return noise_ceiling({name: np.asarray(table.columns[name], np.float64)[rows] for name in seeds}, metric)
    stated = table.metadata.get("noise_ceiling", {}).get(metric, {})
    return {str(name): float(value) for name, value in stated.items()}
