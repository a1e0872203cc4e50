"""The embedded benchmark: a small table of really trained networks that ships with the package, and the code that made it.

>>> jaxzc.tables.read_truth(jaxzc.embedded.table_path(), "test_accuracy")   # architecture string -> percent
"""

from importlib.resources import files
from pathlib import Path

from jaxzc.embedded.digits import SPACE, SPACE_OPTIONS

__all__ = ["SPACE", "SPACE_OPTIONS", "table_path"]


def table_path() -> Path:
    """The shipped table: NAS-Bench-201 architectures trained on digits, one row each; see `jaxzc.embedded.digits`."""
    return Path(str(files("jaxzc.embedded") / "digits_nasbench201.parquet"))
