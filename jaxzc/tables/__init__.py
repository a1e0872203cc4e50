"""Tables of scores and of trained accuracies: Parquet and CSV files, and the importers of the benchmarks' official files."""

from jaxzc.tables.files import METADATA_KEY, Archs, ScoreTable, kind_of, read_archs, read_columns, read_scores, read_truth
from jaxzc.tables.writing import check_name, write_scores

__all__ = [
    "METADATA_KEY",
    "Archs",
    "ScoreTable",
    "check_name",
    "kind_of",
    "read_archs",
    "read_columns",
    "read_scores",
    "read_truth",
    "write_scores",
]
