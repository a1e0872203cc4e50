"""The embedded benchmark: a small table of really trained networks that ships with the package, and the code that made it.

>>> jaxzc.tables.read_truth(jaxzc.embedded.table_path(), "test_accuracy")   # architecture string -> percent
"""

from importlib.resources import files
from pathlib import Path

from jaxzc.embedded.digits import SPACE, SPACE_OPTIONS
from jaxzc.types import JaxzcError

__all__ = ["NAME", "SPACE", "SPACE_OPTIONS", "table_named", "table_path"]

NAME = "embedded"
"""Stands for the shipped table wherever a file of architectures or accuracies is asked for."""


def table_path() -> Path:
    """The shipped table: NAS-Bench-201 architectures trained on digits, one row each; see `jaxzc.embedded.digits`."""
    return Path(str(files("jaxzc.embedded") / "digits_nasbench201.parquet"))


def table_named(name: str | Path) -> str | Path:
    """The file of that name, or the shipped table for `NAME`. Raises `JaxzcError` where that is missing."""
    if name != NAME:
        return name
    path = table_path()
    if not path.is_file():
        raise JaxzcError(
            f"this installation of jaxzc lacks the embedded benchmark ({path}): install jaxzc again, or name a file of your own"
        )
    return path
