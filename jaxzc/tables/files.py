"""Files of architectures, of scores and of ground truth: text, CSV and Parquet, read through pyarrow."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from jaxzc._durable import parquet
from jaxzc.types import JaxzcError, Space
from jaxzc.types.names import hint

METADATA_KEY = b"jaxzc"
"""Key of the JSON text in the schema metadata of a score file."""


class Archs(NamedTuple):
    """archs: int `[n, genes]`, each architecture once, in file order; strings: its official string, `n` of them; duplicates: number of
    further occurrences that were left out."""

    archs: np.ndarray
    strings: list[str]
    duplicates: int

    def drawn(self, count: int, seed: int) -> np.ndarray:
        """`count` of them, drawn without replacement, in file order: int32 `[count, genes]`."""
        return self.archs[np.sort(np.random.default_rng(seed).choice(len(self.archs), count, replace=False))]


@dataclass(frozen=True)
class ScoreTable:
    """Scores, one row per architecture and seed: columns `name -> [rows]` (text as objects), and what the job wrote about itself."""

    columns: dict[str, np.ndarray]
    metadata: dict[str, Any] = field(default_factory=dict)


def read_archs(path: str | os.PathLike[str], space: Space) -> Archs:
    """Reads architectures: `.csv`, `.csv.gz` and `.parquet` from the column `arch`; any other file as text, one architecture a line
    (blank lines and lines that start with `#` are skipped). Two strings of the same genes are one architecture.

    Raises `JaxzcError`: missing, unreadable or empty file, no column `arch`, a string that `space.parse` refuses (with its place).
    """
    path = Path(path)
    archs, strings, seen, total = [], [], set(), 0
    for place, text in _arch_strings(path):
        try:
            genes = np.asarray(space.parse(text), np.int32)
        except JaxzcError as error:
            raise JaxzcError(f"{path}, {place}: {error}") from error
        total += 1
        key = tuple(genes.tolist())
        if key not in seen:
            seen.add(key)
            archs.append(genes)
            strings.append(space.to_string(genes))
    if not archs:
        raise JaxzcError(f"{path} holds no architecture: write one {space.name} string a line, or a column 'arch'")
    return Archs(np.stack(archs), strings, total - len(archs))


def read_scores(path: str | os.PathLike[str]) -> ScoreTable:
    """Reads what `write_scores` wrote: `.csv` and `.csv.gz`, and Parquet under any other name. CSV, and a Parquet file of another origin,
    have empty metadata. Missing numbers are NaN.

    Raises `JaxzcError`: missing file, none of this kind, damaged file or metadata.
    """
    path = Path(path)
    return _score_table(path, _read_table(path, "arch") if kind_of(path) == "csv" else _read_parquet(path))


def read_columns(path: str | os.PathLike[str], arch_column: str = "arch") -> ScoreTable:
    """Every column of a `.csv`, `.csv.gz` or `.parquet` table, and the metadata that jaxzc wrote into it (empty where another did).

    Raises `JaxzcError`: missing or damaged file or metadata.
    """
    path = Path(path)
    return _score_table(path, _read_table(path, arch_column))


def read_truth(path: str | os.PathLike[str], metric: str, arch_column: str = "arch") -> dict[str, float]:
    """Ground truth from `.csv`, `.csv.gz` or `.parquet`: architecture string -> `metric` (NaN where it is missing).

    Raises `JaxzcError`: missing or damaged file, unknown column, a metric that is not numbers, an architecture without a name, or one
    that stands there twice with different values.
    """
    path = Path(path)
    table = _read_table(path, arch_column)
    _check_column(path, table, arch_column)
    if metric not in table.column_names:
        numeric = [name for name in table.column_names if name != arch_column and _is_numeric(table.schema.field(name).type)]
        raise JaxzcError(
            f"{path} has no column {metric!r}: {hint(metric, numeric)}choose one of its numeric columns {', '.join(numeric) or '(none)'}"
        )
    _check_once(path, table, metric)
    if not _is_numeric(table[metric].type):
        example = next((value for value in table[metric].to_pylist() if value and not _is_number(value)), "")
        raise JaxzcError(f"column {metric!r} of {path} is not numeric (it holds {example!r}): choose another metric or clean the file")
    truth: dict[str, float] = {}
    values = table[metric].cast(pa.float64(), safe=False).to_numpy().tolist()
    for row, (arch, value) in enumerate(zip(table[arch_column].to_pylist(), values, strict=True), start=1):
        if not arch:
            raise JaxzcError(f"{path}, row {row}: column {arch_column!r} is empty: give every row its architecture")
        previous = truth.setdefault(arch, value)
        if previous != value and not (np.isnan(previous) and np.isnan(value)):
            raise JaxzcError(f"{path}, row {row}: {arch} stands there twice, with {metric} {previous} and {value}: keep one of them")
    return truth


def _score_table(path: Path, table: pa.Table) -> ScoreTable:
    text = (table.schema.metadata or {}).get(METADATA_KEY, b"{}")
    try:
        metadata = json.loads(text)
    except ValueError as error:
        raise JaxzcError(f"the metadata of {path} are damaged ({error}): score again into a new file") from error
    return ScoreTable({name: _to_numpy(table[name]) for name in table.column_names}, metadata)


def _arch_strings(path: Path) -> list[tuple[str, str]]:
    """Pairs (place in words, string)."""
    if kind_of(path) == "text":
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError as error:
            raise JaxzcError(f"there is no file {path}: check the path") from error
        except (OSError, UnicodeDecodeError) as error:
            raise JaxzcError(f"{path} cannot be read as text ({error}): give text, .csv, .csv.gz or .parquet") from error
        numbered = ((number, line.strip()) for number, line in enumerate(lines, start=1))
        return [(f"line {number}", line) for number, line in numbered if line and not line.startswith("#")]
    table = _read_table(path, "arch")
    _check_column(path, table, "arch")
    return [(f"row {number}", (value or "").strip()) for number, value in enumerate(table["arch"].to_pylist(), start=1)]


def kind_of(path: Path) -> str:
    """`csv`, `parquet` or `text`, by the name."""
    name = path.name.lower()
    if name.endswith((".csv", ".csv.gz")):
        return "csv"
    return "parquet" if name.endswith((".parquet", ".pq")) else "text"


def _read_table(path: Path, arch_column: str) -> pa.Table:
    kind = kind_of(path)
    if kind == "parquet":
        return _read_parquet(path)
    if kind == "text":
        raise JaxzcError(f"{path} is no table by its name: give a .csv, .csv.gz or .parquet file")
    # Declared as text: strings of digits would otherwise become numbers and lose their leading zeros.
    options = pa_csv.ConvertOptions(column_types={arch_column: pa.string()})
    try:
        return pa_csv.read_csv(path, convert_options=options)
    except FileNotFoundError as error:
        raise JaxzcError(f"there is no file {path}: check the path") from error
    except (OSError, pa.ArrowException) as error:
        raise JaxzcError(f"{path} cannot be read as CSV ({error}): check the file") from error


def _read_parquet(path: Path) -> pa.Table:
    try:
        return parquet.read(path.read_bytes())
    except FileNotFoundError as error:
        raise JaxzcError(f"there is no file {path}: check the path") from error
    except (OSError, pa.ArrowException) as error:
        raise JaxzcError(f"{path} cannot be read as Parquet ({error}): it may be damaged or of another kind") from error


def _check_column(path: Path, table: pa.Table, column: str) -> None:
    if column not in table.column_names:
        names = table.column_names
        has = f"it has {', '.join(names) or 'none'}"
        raise JaxzcError(f"{path} has no column {column!r} ({has}): {hint(column, names)}rename the right one")
    _check_once(path, table, column)
    if not (pa.types.is_string(table[column].type) or pa.types.is_large_string(table[column].type)):
        raise JaxzcError(f"column {column!r} of {path} is {table[column].type}, expected text: write the architectures as strings")


def _check_once(path: Path, table: pa.Table, column: str) -> None:
    if table.column_names.count(column) > 1:
        raise JaxzcError(f"{path} has {table.column_names.count(column)} columns named {column!r}: keep one of them")


def _is_numeric(kind: pa.DataType) -> bool:
    # A column with no value at all has the type null: every metric in it is missing, which is NaN.
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _to_numpy(column: pa.ChunkedArray) -> np.ndarray:
    return column.cast(pa.float64()).to_numpy() if pa.types.is_null(column.type) else column.to_numpy()
