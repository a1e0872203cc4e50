"""How well scores order trained networks: rank correlations with ground truth, coverage always beside them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from jaxzc.tables import ScoreTable
from jaxzc.types import JaxzcError

BASELINES = ("params", "flops")
"""Rows that every evaluation has: a proxy that does not beat them has said nothing new."""

KEYS = ("arch", "seed")
"""Columns that name a row and hold no score."""


@dataclass(frozen=True)
class Row:
    """One proxy against the ground truth.

    spearman, kendall: rank correlations (tau-b) of the score as it is, no sign flipped; the mean over seeds; NaN where undefined.
    finite, total: rows with a finite score, of the rows whose architecture has an accuracy.
    seeds: number of seeds whose correlation is defined, which are those averaged.
    unmatched: rows left out because the ground truth has no accuracy for their architecture.
    higher_is_better: direction of the proxy, None where unknown; a good lower-is-better proxy has a negative correlation.
    """

    proxy: str
    spearman: float
    kendall: float
    finite: int
    total: int
    seeds: int
    unmatched: int = 0
    higher_is_better: bool | None = None

    @property
    def coverage(self) -> float:
        """Fraction of the rows that have a finite score (NaN without rows)."""
        return self.finite / self.total if self.total else float("nan")


def evaluate(
    scores: ScoreTable,
    truth: Mapping[str, float],
    proxies: Sequence[str] | None = None,
    directions: Mapping[str, bool] | None = None,
) -> list[Row]:
    """Correlates each proxy of a score table with ground truth; NaN and infinite scores are left out of the correlation and counted.

    scores: a column `arch` of strings, optionally `seed`, and one column per proxy `[rows]`, one row per architecture and seed.
    truth: architecture string -> accuracy; architectures without a finite accuracy are counted as unmatched.
    proxies: columns to evaluate; None: those that the metadata list under `proxies`, or else every numeric column but `seed`. `params` and
        `flops` are always added, with nothing covered where the table lacks them.
    directions: proxy -> higher is better; noted in the row, never applied.

    Fewer than 3 finite pairs, or a constant column, give NaN. Rows come by descending Spearman correlation, NaN last.
    Raises `JaxzcError`: no column `arch`, unknown proxy, text in a proxy column, one architecture twice with one seed, nothing matched.
    """
    columns = {name: np.asarray(values) for name, values in scores.columns.items()}
    if "arch" not in columns:
        raise JaxzcError(f"the score table has no column 'arch' (it has {', '.join(columns) or 'none'}): give a table that jaxzc wrote")
    archs = columns["arch"].tolist()
    seeds = columns.get("seed", np.zeros(len(archs), np.int64))
    _check_unique(archs, seeds.tolist())
    accuracy = np.array([truth.get(arch, np.nan) for arch in archs], np.float64)
    matched = np.isfinite(accuracy)
    if not matched.any():
        example = repr(archs[0]) if archs else "none"
        raise JaxzcError(
            f"none of the {len(archs)} scored rows has an accuracy in the ground truth ({len(truth)} architectures): "
            f"give the table of the same search space (the first scored is {example})"
        )
    groups = [np.flatnonzero(matched & (seeds == seed)) for seed in np.unique(seeds[matched])]
    rows = []
    for name in _chosen(columns, scores.metadata, proxies):
        values = _numbers(name, columns.get(name, np.full(len(archs), np.nan)))
        pairs = [_correlations(values[group], accuracy[group]) for group in groups]
        spearman, kendall, defined = _mean(pairs)
        finite = int(np.count_nonzero(np.isfinite(values[matched])))
        direction = None if directions is None else directions.get(name)
        total = int(np.count_nonzero(matched))
        rows.append(Row(name, spearman, kendall, finite, total, defined, len(archs) - total, direction))
    return sorted(rows, key=lambda row: (-np.nan_to_num(row.spearman, nan=-2.0), row.proxy))


def format_rows(rows: Sequence[Row]) -> str:
    """An aligned plain-text table, one line per row, for a terminal; correlations with 3 decimals, undefined ones as `nan`."""
    header = ("proxy", "spearman", "kendall", "finite", "coverage", "seeds", "")
    body = [tuple(_cells(row)) for row in rows]
    widths = [max(len(line[column]) for line in (header, *body)) for column in range(len(header))]
    lines = []
    for line in (header, *body):
        # Names to the left, numbers to the right, and no blanks at the end of a line.
        aligned = [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:-1], widths[1:-1], strict=True)), line[-1]]
        lines.append("  ".join(aligned).rstrip())
    unmatched = max((row.unmatched for row in rows), default=0)
    if unmatched:
        lines.append(f"{unmatched} scored rows left out: the ground truth has no accuracy for their architecture")
    return "\n".join(lines)


def _cells(row: Row) -> Iterator[str]:
    yield row.proxy
    yield f"{row.spearman:.3f}"
    yield f"{row.kendall:.3f}"
    yield f"{row.finite}/{row.total}"
    # Rounded down, so that 100.0 % means every row.
    yield f"{np.floor(1000 * row.coverage) / 10:.1f} %"
    yield str(row.seeds)
    yield "lower is better" if row.higher_is_better is False else ""


def _correlations(values: np.ndarray, accuracy: np.ndarray) -> tuple[float, float]:
    """Spearman's rho and Kendall's tau-b over the finite values; NaN for fewer than 3 or where either side is constant."""
    finite = np.isfinite(values)
    values, accuracy = values[finite], accuracy[finite]
    if len(values) < 3 or np.all(values == values[0]) or np.all(accuracy == accuracy[0]):
        return float("nan"), float("nan")
    rho, tau = (float(np.asarray(test(values, accuracy))[0]) for test in (stats.spearmanr, stats.kendalltau))
    return rho, tau


def _mean(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, int]:
    """Means over the seeds whose correlations are defined, and how many those are."""
    defined = [pair for pair in pairs if not np.isnan(pair[0])]
    if not defined:
        return float("nan"), float("nan"), 0
    spearman, kendall = np.mean(defined, axis=0).tolist()
    return spearman, kendall, len(defined)


def _chosen(columns: Mapping[str, np.ndarray], metadata: Mapping[str, object], proxies: Sequence[str] | None) -> list[str]:
    listed = metadata.get("proxies")
    if proxies is None and isinstance(listed, list):
        proxies = [str(name) for name in listed]
    if proxies is None:
        proxies = [name for name, values in columns.items() if name not in KEYS and values.dtype.kind in "iuf"]
    for name in proxies:
        if name not in columns and name not in BASELINES:
            known = ", ".join(column for column in columns if column not in KEYS) or "none"
            raise JaxzcError(f"the score table has no proxy {name!r} (it has {known}): choose one of these, or score it first")
    return list(dict.fromkeys([*proxies, *BASELINES]))


def _numbers(name: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "iufb":
        raise JaxzcError(f"column {name!r} of the score table holds {values.dtype} and not numbers: choose columns of scores")
    return values.astype(np.float64)


def _check_unique(archs: Sequence[str], seeds: Sequence[object]) -> None:
    seen = set()
    for key in zip(archs, seeds, strict=True):
        if key in seen:
            raise JaxzcError(
                f"architecture {key[0]} stands twice in the score table with seed {key[1]}: keep one row per architecture and seed"
            )
        seen.add(key)
