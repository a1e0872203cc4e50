"""Tables of scores and of trained accuracies: Parquet and CSV files, and the importers of the benchmarks' official files."""

from jaxzc.tables.files import METADATA_KEY, Archs, ScoreTable, read_archs, read_columns, read_scores, read_truth, write_scores

__all__ = ["METADATA_KEY", "Archs", "ScoreTable", "read_archs", "read_columns", "read_scores", "read_truth", "write_scores"]
