"""The leaderboard over several benchmarks as a table for a paper or a README: LaTeX with booktabs, or Markdown."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from jaxzc.evaluation.across.board import Leaderboard
from jaxzc.evaluation.across.text import SIZES
from jaxzc.evaluation.results import Estimate
from jaxzc.report.columns import MINUS, interval, number
from jaxzc.report.tables import markdown, tex


class Cell(NamedTuple):
    """An estimate as it is printed: `digits` after the point, `signed` with a plus; lower: is better."""

    estimate: Estimate
    digits: int = 3
    lower: bool = False
    signed: bool = False

    def text(self, *, intervals: bool) -> str:
        """`0.912 (0.903 to 0.921)`, a dash where undefined."""
        value = number(self.estimate.value, self.digits)
        if self.signed and self.estimate.value > 0 and float(value) != 0:
            value = f"+{value}"
        around = interval(self.estimate, self.digits) if intervals else ""
        return f"{value} ({around})" if around else value


def heads(board: Leaderboard) -> list[str]:
    """Headings of `cells`."""
    return ["mean rank", "mean ρ", f"ρ {MINUS} params", *(judgement.name for judgement in board.judgements)]


def cells(board: Leaderboard) -> dict[str, list[Cell]]:
    """Proxy -> mean rank, mean of Spearman's rho, its difference from that of params, and Spearman's rho on each benchmark; in the order of
    the standings. Where a benchmark lacks the proxy there are no means: those over fewer benchmarks do not compare."""
    unknown = Estimate(math.nan)
    lines = {}
    for row in board.standings:
        everywhere = math.isfinite(row.rank.value)
        mean, above = (row.spearman, row.over_params) if everywhere else (unknown, unknown)
        above = unknown if row.proxy == "params" else above
        own = [judged.statistics["spearman"] if (judged := judgement.row(row.proxy)) else unknown for judgement in board.judgements]
        lines[row.proxy] = [Cell(row.rank, 2, lower=True), Cell(mean), Cell(above, signed=True), *map(Cell, own)]
    return lines


def latex_board(board: Leaderboard, *, intervals: bool = False) -> str:
    """A `tabular` with the rules of booktabs, the best mean rank on top, each column's best proxy bold, sizes italic. intervals: beside
    every number, which makes a wide table."""
    lines = [" & ".join(tex(head) for head in ("proxy", *heads(board))) + r" \\", r"\midrule"]
    lines += [
        " & ".join(line) + r" \\"
        for line in _lines(board, tex, lambda text: rf"\textbf{{{text}}}", lambda text: rf"\textit{{{text}}}", intervals=intervals)
    ]
    body = "\n".join([r"\toprule", *lines, r"\bottomrule"])
    columns = "r" * len(heads(board))
    return f"% jaxzc leaderboard: {len(board.judgements)} benchmarks\n\\begin{{tabular}}{{l{columns}}}\n{body}\n\\end{{tabular}}\n"


def markdown_board(board: Leaderboard, *, intervals: bool = True) -> str:
    """The same in Markdown, with intervals."""
    lines = ["| " + " | ".join(markdown(head) for head in ("proxy", *heads(board))) + " |", "|:--|" + "--:|" * len(heads(board))]
    rows = _lines(board, markdown, lambda text: f"**{text}**", lambda text: f"*{text}*", intervals=intervals)
    return "\n".join([*lines, *("| " + " | ".join(line) + " |" for line in rows)]) + "\n"


def _lines(
    board: Leaderboard, write: Callable[[str], str], bold: Callable[[str], str], italic: Callable[[str], str], *, intervals: bool
) -> list[Sequence[str]]:
    table = cells(board)
    best = _best({proxy: line for proxy, line in table.items() if proxy not in SIZES})
    lines = []
    for proxy, line in table.items():
        texts = [write(cell.text(intervals=intervals)) for cell in line]
        strong = [proxy not in SIZES and cell.estimate.value == best[k] for k, cell in enumerate(line)]
        name = italic(write(proxy)) if proxy in SIZES else write(proxy)
        lines.append([name, *(bold(text) if b else text for text, b in zip(texts, strong, strict=True))])
    return lines


def _best(table: dict[str, list[Cell]]) -> list[float]:
    """The best value of each column; NaN where none is defined."""
    columns = list(zip(*table.values(), strict=True))
    return [
        (min if column[0].lower else max)((cell.estimate.value for cell in column if math.isfinite(cell.estimate.value)), default=math.nan)
        for column in columns
    ]
