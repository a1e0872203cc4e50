"""Several score tables of one space as a single one, so that they are judged on the same networks and each proxy beside itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxzc.evaluation.alignment import BASELINES, KEYS, align
from jaxzc.tables import ScoreTable
from jaxzc.types import JaxzcError

LABELLED = ("proxy_seconds", "costs", "doubts", "unavailable")
"""Entries of a table's metadata that hold something for each proxy."""


def label(proxy: str, table: str) -> str:
    """The column of a proxy that stands in several tables: `zico(first)`, and `zico(first: batches=2)` for `zico(batches=2)`."""
    name, bracket, rest = proxy.partition("(")
    return f"{name}({table}: {rest}" if bracket else f"{name}({table})"


def names_of(paths: Sequence[str]) -> list[str]:
    """A short name for each file: its stem, with as many folders before it as tell it from the others."""
    parts = [Path(path).absolute().with_suffix("").parts for path in paths]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-depth:]).translate(str.maketrans("(),:", "____")) for part in parts]
        if len(set(names)) == len(names):
            return names
    raise JaxzcError(f"{', '.join(paths)}: one file is named twice; name each once")


def join(tables: Mapping[str, ScoreTable]) -> ScoreTable:
    """One table of the networks that all `tables` (name -> table) have, with a column `label(proxy, name)` for each table's proxies.

    Seeds count by their order: with unequal numbers of them, the first so many of each table. `params` and `flops` are those of the first
    table that has them, and further columns where another table's differ. Metadata that all share are kept; all stand under `files`.
    Raises `JaxzcError`: no network in common, and what `align` refuses.
    """
    common = set.intersection(*(set(np.asarray(table.columns.get("arch", [])).tolist()) for table in tables.values()))
    if not common:
        raise JaxzcError(f"the score tables {', '.join(tables)} have no network in common: compare tables of the same search space")
    flat = dict.fromkeys(common, 0.0)
    aligned = {name: align(table, flat, None) for name, table in tables.items()}
    archs = next(iter(aligned.values())).archs
    seeds = min(len(next(iter(each.scores.values()))) for each in aligned.values())
    columns: dict[str, Any] = {"arch": np.array(archs * seeds, object), "seed": np.repeat(np.arange(seeds), len(archs))}
    metadata: dict[str, Any] = _shared([table.metadata for table in tables.values()])
    metadata |= {"files": {name: table.metadata for name, table in tables.items()}}
    metadata |= {key: {} for key in LABELLED if any(key in table.metadata for table in tables.values())}
    for name, each in aligned.items():
        for proxy, values in each.scores.items():
            column = values[:seeds].ravel()
            if proxy in BASELINES and not np.isfinite(column).any():
                continue  # `align` adds these where a table lacks them
            same = proxy in columns and np.array_equal(columns[proxy], column, equal_nan=True)
            known = proxy if proxy in BASELINES and (same or proxy not in columns) else label(proxy, name)
            columns[known] = column
            for key in LABELLED:
                held = tables[name].metadata.get(key)
                if isinstance(held, Mapping) and proxy in held:
                    metadata[key][known] = held[proxy]
    return ScoreTable(columns, {**metadata, "proxies": [column for column in columns if column not in KEYS]})


def pairs(tables: Mapping[str, ScoreTable], joined: ScoreTable) -> list[tuple[str, str]]:
    """Each proxy of the first table beside itself in every other: the columns of the joined table to be compared."""
    first, *others = tables
    proxies = [proxy for proxy in tables[first].columns if label(proxy, first) in joined.columns]
    couples = [(label(proxy, first), label(proxy, other)) for proxy in proxies for other in others]
    return [couple for couple in couples if couple[1] in joined.columns]


def _shared(metadata: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The entries that all have, with equal values."""
    first, *others = metadata
    return {
        key: value for key, value in first.items() if key not in LABELLED and all(key in other and other[key] == value for other in others)
    }
