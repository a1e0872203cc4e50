"""An evaluation as plain text for a terminal of 100 characters."""

import csv
import os
from collections.abc import Sequence

import numpy as np

from jaxzc.evaluation.alignment import BASELINES
from jaxzc.evaluation.compare import Comparison
from jaxzc.evaluation.results import Estimate, Evaluation, Row
from jaxzc.types import JaxzcError

COLUMNS = ("kendall", "spearman_given_params", "spearman_given_flops", "precision_10")
HEADER = ("proxy", "spearman", "[low, high]", "kendall", "|params", "|flops", "top 10%", "coverage", "seeds", "")


def format_leaderboard(evaluation: Evaluation) -> str:
    """One line per row: Spearman with its interval, Kendall, Spearman given params and given FLOPs, precision at 10 %, coverage (rounded
    down, so that 100.0 % means every row), seeds; `flipped` marks a score that was turned because lower is better. A column in which
    nothing is defined (intervals of a few networks, what is left beyond a size that all share) is left out. Below it, which scores say
    little of some networks and why (`jaxzc.types.WithDoubts`), and which could not be computed, as the score table has it."""
    lines = aligned(_defined([HEADER, *(_cells(row) for row in evaluation.rows)]))
    unmatched = max((row.unmatched for row in evaluation.rows), default=0)
    if unmatched:
        lines.append(f"{unmatched} scored rows left out: the ground truth has no accuracy for their architecture")
    of_scores = evaluation.settings.get("scores_metadata", {})
    doubts, unavailable = of_scores.get("doubts", {}), of_scores.get("unavailable", {})
    lines += [f"{row.proxy} is in doubt: {doubts[row.proxy]}" for row in evaluation.rows if row.proxy in doubts]
    for row in evaluation.rows:
        lines += [f"{row.proxy} cannot be computed in {n} scored rows: {why}" for why, n in unavailable.get(row.proxy, {}).items()]
    if evaluation.ceiling:
        lines.append(f"noise ceiling: {', '.join(f'{name} {value:.3f}' for name, value in evaluation.ceiling.items())} (Spearman)")
    return "\n".join(lines)


def format_statistics(evaluation: Evaluation, names: list[str]) -> str:
    """One block per statistic: every row's value, interval, and spread over seeds where there are several."""
    blocks = []
    for name in names:
        spread = any(row.seeds > 1 for row in evaluation.rows)
        cells = [("proxy", name, "[low, high]", *(["over seeds"] if spread else []), "")]
        for row in evaluation.rows:
            estimate = row.statistics[name]
            over = [_number(row.over_seeds[name])] if spread else []
            cells.append((row.proxy, _number(estimate.value), _interval(estimate), *over, ""))
        blocks.append("\n".join(aligned(cells)))
    return "\n\n".join(blocks)


def format_comparison(comparison: Comparison, level: float) -> str:
    """One sentence: the difference with its interval, and how often A is better."""
    low, high = comparison.difference.low, comparison.difference.high
    return (
        f"{comparison.statistic} on {comparison.networks:,} common networks: "
        f"{comparison.a} {comparison.values[0]:.3f}, {comparison.b} {comparison.values[1]:.3f}; "
        f"difference {comparison.difference.value:+.3f}, {100 * level:g} % interval [{low:+.3f}, {high:+.3f}]; "
        f"{comparison.a} is better in {100 * comparison.better:.1f} % of the resamples"
    )


def counted(rows: Sequence[Row]) -> str:
    """`22 proxies and 2 sizes`: how many of each, in the same words everywhere."""
    sizes = sum(row.proxy in BASELINES for row in rows)
    proxies = len(rows) - sizes
    parts = [f"{proxies} prox{'y' if proxies == 1 else 'ies'}"] if proxies or not sizes else []
    return " and ".join(parts + ([f"{sizes} size{'' if sizes == 1 else 's'}"] if sizes else []))


def write_csv(evaluation: Evaluation, path: str | os.PathLike[str]) -> None:
    """One line per row: proxy, direction, coverage, cost; for each statistic `NAME`, `NAME_low`, `NAME_high`, `NAME_over_seeds`; an empty
    cell where undefined or unknown. Raises `JaxzcError` where the file cannot be written."""
    lines = []
    for row in evaluation.rows:
        line: dict[str, object] = {"proxy": row.proxy, "higher_is_better": row.higher_is_better, "finite": row.finite, "total": row.total}
        line |= {"unmatched": row.unmatched, "seeds": row.seeds, "passes": row.cost.get("passes"), "seconds": row.cost.get("seconds")}
        for name, estimate in row.statistics.items():
            values = (*estimate, row.over_seeds[name])
            line |= dict(zip((name, f"{name}_low", f"{name}_high", f"{name}_over_seeds"), values, strict=True))
        lines.append({key: "" if value is None or value != value else value for key, value in line.items()})
    try:
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)
    except OSError as error:
        raise JaxzcError(f"{path} cannot be written ({error.strerror or error}): choose a directory you may write to") from error


def _cells(row: Row) -> tuple[str, ...]:
    spearman = row.statistics["spearman"]
    others = ["-" if _says_nothing(row, name) else _number(row.statistics[name].value) for name in COLUMNS]
    coverage = f"{np.floor(1000 * row.coverage) / 10:.1f} %"
    return (
        row.proxy,
        _number(spearman.value),
        _interval(spearman),
        *others,
        coverage,
        str(row.seeds),
        "flipped" if row.higher_is_better is False else "",
    )


def _says_nothing(row: Row, statistic: str) -> bool:
    """Whether a statistic was not asked for, or is a size given itself."""
    return statistic not in row.statistics or statistic == f"spearman_given_{row.proxy}"


def _defined(cells: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The table without columns that say nothing of any row; the first two and the last always stay."""
    last = len(cells[0]) - 1
    empty = {column for column in range(2, last) if {line[column] for line in cells[1:]} <= {"nan", "-", "[nan, nan]"}}
    return [tuple(cell for column, cell in enumerate(line) if column not in empty) for line in cells]


def _number(value: float) -> str:
    return f"{value:.3f}"


def _interval(estimate: Estimate) -> str:
    return f"[{estimate.low:.3f}, {estimate.high:.3f}]"


def aligned(cells: list[tuple[str, ...]]) -> list[str]:
    """Names to the left, numbers to the right, and no blanks at the end of a line; the last cell is a remark."""
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return [
        "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:-1], widths[1:-1], strict=True)), line[-1]]).rstrip()
        for line in cells
    ]
