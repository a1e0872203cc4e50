"""Tables of trained networks that tests compare with where they are at hand: in `data` of JAXZC_SHARED, default ../shared."""

import csv
import gzip
import os
from functools import cache
from pathlib import Path

import pytest

DIRECTORY = Path(os.environ.get("JAXZC_SHARED", Path(__file__).parents[2] / "../shared")) / "data"


@cache
def reference_table(name: str) -> list[dict[str, str]]:
    """The rows of a .csv.gz table; the test is skipped where it is absent."""
    path = DIRECTORY / name
    if not path.exists():
        pytest.skip(f"reference data not found at {path}: set JAXZC_SHARED to the directory whose folder data holds it")
    with gzip.open(path, "rt") as file:
        return list(csv.DictReader(file))
