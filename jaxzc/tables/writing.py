"""Tables of scores and of ground truth, written complete or not at all."""

import gzip
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from jaxzc._durable.files import replacing
from jaxzc.tables.files import METADATA_KEY, kind_of
from jaxzc.types import JaxzcError


def check_name(path: str | os.PathLike[str]) -> None:
    """Raises `JaxzcError` unless the name ends in `.parquet`, `.pq`, `.csv` or `.csv.gz`, as the name of a table must."""
    if kind_of(Path(path)) == "text":
        raise JaxzcError(f"{path} is no table by its name: name a file that ends in .parquet, .csv or .csv.gz")


def write_scores(
    path: str | os.PathLike[str],
    columns: Mapping[str, np.ndarray | Sequence[Any]],
    metadata: Mapping[str, Any],
    *,
    overwrite: bool = False,
) -> None:
    """Writes columns `[rows]` and metadata (JSON) to a file that appears complete or not at all: CSV where its name ends in `.csv` or
    `.csv.gz`, which has no metadata, else Parquet. In CSV a missing value is an empty field, and a number is written so that it reads back
    as the same float64; a column of whole numbers is read as integers.

    Raises `JaxzcError`: the file exists (unless `overwrite`), columns of different lengths or of no Parquet type, metadata that JSON
    cannot hold, a directory that is missing or not writable.
    """
    path = Path(path)
    if os.path.exists(path) and not overwrite:  # Path.exists raises where the directory is closed to us
        raise JaxzcError(f"{path} exists: choose another name, or ask for overwriting")
    if not path.parent.is_dir():
        raise JaxzcError(f"there is no directory {path.parent} for {path.name}: create it first")
    table = _to_arrow(columns, metadata)
    with replacing(path) as file:
        if kind_of(path) != "csv":
            pq.write_table(table, file, compression="zstd")
        elif path.name.lower().endswith(".gz"):
            with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed:  # equal tables make equal files
                pa_csv.write_csv(table, packed)
        else:
            pa_csv.write_csv(table, file)


def _to_arrow(columns: Mapping[str, np.ndarray | Sequence[Any]], metadata: Mapping[str, Any]) -> pa.Table:
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise JaxzcError(f"columns of one table need one length, these have {lengths}: give one value per row")
    arrays = {}
    for name, values in columns.items():
        try:
            arrays[name] = pa.array(values)
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise JaxzcError(f"column {name!r} cannot be stored ({error}): give numbers or strings, one per row") from error
    try:
        text = json.dumps(dict(metadata))
    except (TypeError, ValueError) as error:
        raise JaxzcError(f"the metadata cannot be stored ({error}): use text, numbers, lists and dictionaries") from error
    return pa.table(arrays).replace_schema_metadata({METADATA_KEY: text.encode()})
