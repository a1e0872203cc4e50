"""Anybody's table of trained networks: a column of architectures that a search space can read, and columns of numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxzc.tables.files import read_columns
from jaxzc.tables.importers.means import Means, Table
from jaxzc.types import JaxzcError, Space
from jaxzc.types.names import unknown


class Foreign(NamedTuple):
    """table: see `read_foreign`. rows: of the file, that were asked for. refused: architectures that the space cannot read."""

    table: Table
    rows: int
    refused: list[str]


def read_foreign(
    path: Path, space: Space, arch_column: str, *, where: Mapping[str, str] | None = None, errors: Sequence[str] = ()
) -> Foreign:
    """Columns `arch` (as the space prints it) and every column of numbers; an architecture that stands there several times has the mean of
    what its rows give, and `runs` says how many they are. Rows whose architecture the space refuses are left out.

    arch_column: of the architectures. where: column -> the text that rows must have there. errors: columns in per cent of which the table
        gets 100 less them, named `accuracy` where they are named `error`.
    Raises `JaxzcError`: missing or damaged file, unknown column, an error that is no column of numbers, no row that the space can read.
    """
    columns = read_columns(path, arch_column).columns
    for name in (arch_column, *(where or {}), *errors):
        if name not in columns:
            raise unknown(f"column of {path}", name, columns)
    numbers = {name: values.astype(np.float64) for name, values in columns.items() if values.dtype.kind in "iuf"}
    for name in errors:
        if name not in numbers:
            raise JaxzcError(f"{path}: the column {name!r} does not hold numbers: name a column of errors in per cent")
        numbers[name.replace("error", "accuracy") if "error" in name else f"{name}_accuracy"] = 100 - numbers[name]
    rows = np.ones(len(columns[arch_column]), bool)
    for name, text in (where or {}).items():
        rows &= columns[name].astype(str) == text
    means, refused, why = Means(), [], "no row has what it must have"
    for row in np.flatnonzero(rows).tolist():
        try:
            arch = space.to_string(np.asarray(space.parse(columns[arch_column][row])))
        except JaxzcError as error:
            refused.append(str(columns[arch_column][row]))
            why = str(error)
            continue
        finite = {name: float(values[row]) for name, values in numbers.items() if np.isfinite(values[row])}
        means.add(arch, {**finite, "runs": 1.0})
    if not len(means):
        raise JaxzcError(f"{path}: no row is an architecture of {space.name} ({why}): name its space and its column of architectures")
    return Foreign(means.table(runs_of="runs"), int(rows.sum()), refused)
