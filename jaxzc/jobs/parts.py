"""Parts: Parquet files of finished rows, written once and never changed.

parts/STRIPE-NUMBER-CHECKSUM.parquet holds columns `arch`, `seed`, `error` (null where all went well), `seconds`, one column per proxy
identity, and where one of them could not be computed `reasons` (JSON of identity -> reason, or null). The checksum in the name is the
content's, so that a torn or altered part is known without trusting anything in it; the metadata name the settings, so that another job's
part is known too. Either is set aside as `*.corrupt`, and its rows are scored again.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jaxzc._durable import parquet
from jaxzc._durable.store import Store

FOLDER = "parts"
NAME = re.compile(r"(?P<stripe>\d+-of-\d+)-(?P<number>\d{6,})-(?P<checksum>[0-9a-f]{16})\.parquet")
FIXED = ("arch", "seed", "error", "seconds", "reasons")
KEY = b"jaxzc"

Key = tuple[str, int]
"""Architecture and seed."""


class Row(NamedTuple):
    """Scores of one architecture and seed: identity -> value. error: what went wrong, in which case all values are NaN. reasons: identity
    -> why the proxy could not be computed, in which case its value is NaN."""

    arch: str
    seed: int
    scores: Mapping[str, float]
    seconds: float
    error: str | None = None
    reasons: Mapping[str, str] = {}


@dataclass(frozen=True)
class Part:
    """A part as it was read: `values` float64 `[rows]` for every identity. reasons: those of every row."""

    name: str
    archs: list[str]
    seeds: list[int]
    errors: list[str | None]
    seconds: float
    values: dict[str, np.ndarray]
    reasons: list[dict[str, str]]


def write(store: Store, job: str, stripe: str, number: int, rows: Sequence[Row]) -> str:
    """Writes rows of one set of identities as a part, and returns its name. job: digest of the settings."""
    columns: dict[str, Any] = {
        "arch": pa.array([row.arch for row in rows], pa.string()),
        "seed": pa.array([row.seed for row in rows], pa.int64()),
        "error": pa.array([row.error for row in rows], pa.string()),
        "seconds": pa.array([row.seconds for row in rows], pa.float64()),
    }
    if any(row.reasons for row in rows):
        columns["reasons"] = pa.array([json.dumps(dict(row.reasons)) if row.reasons else None for row in rows], pa.string())
    columns |= {name: pa.array(np.array([row.scores[name] for row in rows], np.float64)) for name in rows[0].scores}
    table = pa.table(columns).replace_schema_metadata({KEY: json.dumps({"job": job}).encode()})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    content = sink.getvalue().to_pybytes()
    name = f"{stripe}-{number:06d}-{checksum(content)}.parquet"
    store.write(f"{FOLDER}/{name}", content)
    return name


def checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def names(store: Store) -> list[str]:
    """Names of the files that stand as parts, good or bad."""
    return [name for name in store.names(FOLDER) if name.endswith(".parquet")]


def read(store: Store, job: str, troubles: list[tuple[str, str]], only: Sequence[str] | None = None) -> Iterator[Part]:
    """The parts of the job that are sound (of `only`, where given), in the order of their names; of the others name and reason are added
    to `troubles`."""
    for name in names(store) if only is None else only:
        try:
            content = store.read(f"{FOLDER}/{name}")
        except FileNotFoundError:  # set aside by another process since it was listed
            continue
        try:
            yield _parsed(name, content, job)
        except ValueError as error:
            troubles.append((name, str(error)))


def set_aside(store: Store, name: str) -> str:
    """Takes a bad part out of the way; nothing is deleted. Returns its new name."""
    new = f"{FOLDER}/{name}.corrupt"
    store.move(f"{FOLDER}/{name}", new)
    return new


def next_number(store: Store, stripe: str) -> int:
    """The number of the stripe's next part."""
    matched = [NAME.match(name.removesuffix(".corrupt")) for name in store.names(FOLDER)]
    return 1 + max((int(m["number"]) for m in matched if m and m["stripe"] == stripe), default=-1)


def _parsed(name: str, content: bytes, job: str) -> Part:
    """Raises `ValueError` that says why this is no part of the job."""
    matched = NAME.fullmatch(name)
    if not matched:
        raise ValueError("its name is not that of a part")
    if matched["checksum"] != checksum(content):
        raise ValueError("its content is torn or was changed: the checksum differs")
    try:
        table = parquet.read(content)
        settings = json.loads((table.schema.metadata or {})[KEY])["job"]
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"it cannot be read as a part ({error})") from error
    if settings != job:
        raise ValueError("it was made with other settings")
    values = {column: table[column].to_numpy() for column in table.column_names if column not in FIXED}
    seconds = float(np.sum(table["seconds"].to_numpy()))
    told = table["reasons"].to_pylist() if "reasons" in table.column_names else [None] * table.num_rows
    reasons = [json.loads(text) if text else {} for text in told]
    return Part(name, table["arch"].to_pylist(), table["seed"].to_pylist(), table["error"].to_pylist(), seconds, values, reasons)
