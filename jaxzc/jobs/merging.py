"""The parts of a job as one table, in the order in which its rows were asked for, each row once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jaxzc._durable.store import Store
from jaxzc.jobs import manifest, parts
from jaxzc.jobs.manifest import Request
from jaxzc.types import JaxzcError


@dataclass(frozen=True)
class Merged:
    """columns: `arch`, `seed`, `scored` (where rows were shared among isomorphs), one per label, and `error` (where something failed).
    Scores that are not there yet are masked.

    missing: values not there yet. failed: architecture, seed and error of each failure. troubles: name of a bad part, and why. scored: rows
    that the parts hold, each scored in one go; seconds: all scoring. reasons: label -> why it could not be computed -> in how many rows; it
    is NaN there.
    """

    columns: dict[str, Any]
    settings: dict[str, Any]
    requests: list[Request]
    missing: int
    failed: list[tuple[str, int, str]]
    troubles: list[tuple[str, str]]
    scored: int
    seconds: float
    reasons: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def passes(self) -> dict[str, float]:
        """Label -> forward passes that the proxy costs when it is scored alone. Proxies that are scored together share passes."""
        return self._about("passes")

    @property
    def directions(self) -> dict[str, str]:
        """Label -> `higher` or `lower`, whichever is better, of the proxies that state it."""
        return self._about("directions")

    @property
    def doubts(self) -> dict[str, str]:
        """Label -> why the score says little of some of these networks, of the proxies of which the space says so."""
        return self._about("doubts")

    def _about(self, fact: str) -> dict[str, Any]:
        return {label: value for request in self.requests for label, value in request.about.get(fact, {}).items()}

    @property
    def labels(self) -> list[str]:
        return list(_labels(self.requests))


def merge(store: Store, only: Sequence[Request] | None = None) -> Merged:
    """Reads the scores of a job, or of some of its requests. Raises `JaxzcError` where there is no job, or nothing was asked of it."""
    settings = manifest.read_settings(store)
    asked = list(only) if only is not None else manifest.requests(store)
    if settings is None or not asked:
        raise JaxzcError(f"there is no job in {store.where}: begin one with `jaxzc score SPACE --out {store.where}`")
    labels, rows = _labels(asked), _rows(asked)
    of_scored: dict[parts.Key, list[int]] = {}
    for number, ((_, seed), scored) in enumerate(rows.items()):
        of_scored.setdefault((scored, seed), []).append(number)
    columns = {name: _Column(len(rows)) for name in dict.fromkeys(labels.values())}
    troubles: list[tuple[str, str]] = []
    rows_scored, seconds = 0, 0.0
    for part in parts.read(store, manifest.settings_digest(settings), troubles):
        rows_scored += len(part.archs)
        seconds += part.seconds
        keys = zip(part.archs, part.seeds, strict=True)
        pairs = np.array([(row, i) for i, key in enumerate(keys) for row in of_scored.get(key, ())], int).reshape(-1, 2)
        errors = np.array([error or "" for error in part.errors], object)
        for name in columns.keys() & part.values.keys():
            why = np.array([row.get(name, "") for row in part.reasons], object)
            columns[name].put(pairs[:, 0], part.values[name][pairs[:, 1]], errors[pairs[:, 1]], why[pairs[:, 1]])
    table, failed = _table(rows, labels, columns)
    missing = sum(int((~column.present).sum()) for column in columns.values())
    reasons = {label: dict(Counter(filter(None, columns[name].reasons))) for label, name in labels.items()}
    reasons = {label: each for label, each in reasons.items() if each}
    return Merged(table, settings, asked, missing, failed, troubles, rows_scored, seconds, reasons)


class _Column:
    """Scores of one identity as they come in. Where a row comes twice, one that succeeded counts."""

    def __init__(self, rows: int):
        self.values, self.present = np.full(rows, np.nan), np.zeros(rows, bool)
        self.errors, self.reasons = np.full(rows, "", object), np.full(rows, "", object)

    def put(self, rows: np.ndarray, values: np.ndarray, errors: np.ndarray, reasons: np.ndarray) -> None:
        better = ~self.present[rows] | ((self.errors[rows] != "") & (errors == ""))
        chosen = rows[better]
        self.values[chosen], self.errors[chosen], self.present[chosen] = values[better], errors[better], True
        self.reasons[chosen] = reasons[better]


def _labels(requests: Sequence[Request]) -> dict[str, str]:
    return {label: name for request in requests for label, name in request.labels.items()}


def _rows(requests: Sequence[Request]) -> dict[parts.Key, str]:
    """Architecture and seed -> architecture scored. One that was asked for by itself is not represented by another."""
    rows: dict[parts.Key, str] = {}
    for request in requests:
        for seed in request.seeds:
            for arch, scored in zip(request.archs, request.scored, strict=True):
                if rows.setdefault((arch, seed), scored) != arch and scored == arch:
                    rows[arch, seed] = scored
    return rows


def _table(
    rows: dict[parts.Key, str], labels: dict[str, str], columns: dict[str, _Column]
) -> tuple[dict[str, Any], list[tuple[str, int, str]]]:
    table: dict[str, Any] = {"arch": [arch for arch, _ in rows], "seed": np.array([seed for _, seed in rows], np.int64)}
    if any(arch != scored for (arch, _), scored in rows.items()):
        table["scored"] = list(rows.values())
    for label, name in labels.items():
        column = columns[name]
        table[label] = column.values if column.present.all() else np.ma.masked_array(column.values, ~column.present)
    worst = [next(filter(None, each), None) for each in zip(*(column.errors for column in columns.values()), strict=True)]
    if any(worst):
        table["error"] = worst
    return table, [(arch, seed, error) for (arch, seed), error in zip(rows, worst, strict=True) if error]
