"""A score table beside its ground truth: arrays over seeds and architectures, in an order that does not depend on that of the rows."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxzc.tables import ScoreTable
from jaxzc.types import JaxzcError
from jaxzc.types.names import hint

BASELINES = ("params", "flops")
"""Rows that every evaluation has: a proxy that does not beat them has said nothing new."""

KEYS = ("arch", "seed")
"""Columns that name a row and hold no score."""


class Aligned(NamedTuple):
    """archs: the architectures that have a score row and a finite truth, sorted, `n` strings; truth: float64 `[n]`; scores: proxy ->
    float64 `[seeds, n]`, NaN where a seed has no row; rows: score rows of these; unmatched: score rows of other architectures."""

    archs: list[str]
    truth: np.ndarray
    scores: dict[str, np.ndarray]
    rows: int
    unmatched: int


def align(scores: ScoreTable, truth: Mapping[str, float], proxies: Sequence[str] | None) -> Aligned:
    """Raises `JaxzcError`: no column `arch`, unknown proxy, text in a proxy column, one architecture twice with one seed, none matched."""
    columns = {name: np.asarray(values) for name, values in scores.columns.items()}
    if "arch" not in columns:
        raise JaxzcError(f"the score table has no column 'arch' (it has {', '.join(columns) or 'none'}): give a table that jaxzc wrote")
    names = columns["arch"].tolist()
    seeds = columns.get("seed", np.zeros(len(names), np.int64))
    _check_unique(names, seeds.tolist())
    accuracy = np.array([truth.get(arch, np.nan) for arch in names], np.float64)
    matched = np.isfinite(accuracy)
    if not matched.any():
        example = repr(names[0]) if names else "none"
        raise JaxzcError(
            f"none of the {len(names)} scored rows has an accuracy in the ground truth ({len(truth)} architectures): "
            f"give the table of the same search space (the first scored is {example})"
        )
    archs, arch = np.unique(columns["arch"][matched].astype(str), return_inverse=True)
    kinds, seed = np.unique(seeds[matched], return_inverse=True)
    tables = {}
    for name in _chosen(columns, scores, proxies):
        tables[name] = np.full((len(kinds), len(archs)), np.nan)
        if name in columns:
            tables[name][seed, arch] = _numbers(name, columns[name])[matched]
    values = np.empty(len(archs))
    values[arch] = accuracy[matched]
    count = int(matched.sum())
    return Aligned(archs.tolist(), values, tables, count, len(names) - count)


def _chosen(columns: Mapping[str, np.ndarray], scores: ScoreTable, proxies: Sequence[str] | None) -> list[str]:
    listed = scores.metadata.get("proxies")
    if proxies is None and isinstance(listed, list):
        proxies = [str(name) for name in listed]
    if proxies is None:
        proxies = [name for name, values in columns.items() if name not in KEYS and values.dtype.kind in "iuf"]
    for name in proxies:
        if name not in columns and name not in BASELINES:
            known = ", ".join(column for column in columns if column not in KEYS) or "none"
            raise JaxzcError(
                f"the score table has no proxy {name!r} (it has {known}): {hint(name, columns)}choose one of these, or score it first"
            )
    return list(dict.fromkeys([*proxies, *BASELINES]))


def _numbers(name: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "iufb":
        raise JaxzcError(f"column {name!r} of the score table holds {values.dtype} and not numbers: choose columns of scores")
    return values.astype(np.float64)


def _check_unique(archs: Sequence[str], seeds: Sequence[object]) -> None:
    seen = set()
    for key in zip(archs, seeds, strict=True):
        if key in seen:
            raise JaxzcError(
                f"architecture {key[0]} stands twice in the score table with seed {key[1]}: keep one row per architecture and seed"
            )
        seen.add(key)
