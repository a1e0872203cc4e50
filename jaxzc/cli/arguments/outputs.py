"""Refusals of a file's name before an hour of work rather than after."""

import os
from pathlib import Path

from jaxzc import tables
from jaxzc._durable.files import check_parent
from jaxzc.types import JaxzcError


def check_file(out: Path, overwrite: bool) -> None:
    """The same refusals as when writing, before an hour of work rather than after."""
    if os.path.isdir(out):
        raise JaxzcError(f"{out} is a directory: name a file, for example {out / 'scores.parquet'}")
    if os.path.exists(out) and not overwrite:
        raise JaxzcError(f"{out} exists: choose another name, or add --overwrite")
    check_parent(out)


def check_table(out: Path, overwrite: bool) -> None:
    """`check_file`, of a table: its name says which kind."""
    tables.check_name(out)
    check_file(out, overwrite)
