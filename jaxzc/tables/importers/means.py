"""Means over the runs of an architecture, kept as running sums."""

from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np

Table = dict[str, Any]
"""Columns `[architectures]`: `arch` (a list of strings), metrics (float64), and where the benchmark has them `params`, `flops` and `runs`
(int64 where all are whole numbers)."""

WHOLE = ("params", "flops", "runs")


class Means:
    """Running means: 12 bytes per metric and architecture, whatever the number of runs; NaN in one run makes the mean NaN."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._sums: dict[str, array[float]] = {}
        self._counts: dict[str, array[int]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, arch: str, values: Mapping[str, float]) -> None:
        """Counts one run; each metric has the mean over the runs that gave it."""
        row = self._rows.setdefault(arch, len(self._rows))
        for name, value in values.items():
            sums = self._sums.get(name)
            if sums is None:
                sums, self._counts[name] = self._sums.setdefault(name, array("d")), array("I")
            counts = self._counts[name]
            if row >= len(sums):
                missing = row + 1 - len(sums)
                sums.frombytes(bytes(8 * missing))
                counts.frombytes(bytes(counts.itemsize * missing))
            sums[row] += value
            counts[row] += 1

    def table(self, runs_of: str | None = None) -> Table:
        """The columns, sorted by architecture; with `runs_of`, a column `runs`: how many runs gave that metric."""
        archs = sorted(self._rows)  # neighbours begin alike, which makes the file half as large
        order = np.fromiter(map(self._rows.__getitem__, archs), np.int64, len(archs))
        columns: Table = {"arch": archs}
        for name, sums in self._sums.items():
            total, count = np.full(len(self), np.nan), np.zeros(len(self), np.int64)
            total[: len(sums)], count[: len(sums)] = sums, self._counts[name]
            columns[name] = whole(name, np.divide(total, count, out=np.full(len(self), np.nan), where=count > 0)[order])
            if name == runs_of:
                columns["runs"] = count[order]
        return columns


def whole(name: str, values: np.ndarray) -> np.ndarray:
    """A column of counts as int64, if all its values are whole numbers; any other column unchanged."""
    if name in WHOLE and np.all(np.isfinite(values)) and np.all(values == np.round(values)):
        return values.astype(np.int64)
    return values
