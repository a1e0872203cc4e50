"""The critical-difference figure: proxies on an axis of mean ranks, and bars that join those which the test cannot tell apart."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes

from jaxzc.evaluation.across.board import Leaderboard
from jaxzc.evaluation.across.ranking import cliques
from jaxzc.evaluation.across.results import Standing
from jaxzc.evaluation.across.text import SIZES
from jaxzc.report.columns import number
from jaxzc.report.figures import ROW, nothing
from jaxzc.report.look import ACCENT, FG, GRID, MUTED, TWO_COLUMNS, WARM, figure_of, style
from jaxzc.report.look import axes as new_axes

HEAD, GAP, LETTER, TICK = 0.62, 0.09, 0.056, 0.2
"""Inches above the axis of ranks, between two bars, of a letter of a name, and between two ticks at least."""


def plot_critical_difference(board: Leaderboard, axes: Axes | None = None, *, width: float = TWO_COLUMNS) -> Axes:
    """Mean rank of every proxy that all benchmarks have, 1 the best at the left; a bar joins proxies whose mean ranks differ by less than
    Nemenyi's critical difference, which is drawn above the axis (Demsar, JMLR 2006, figure 1). Sizes are in italics.

    axes: where to draw; None: new ones, `width` inches wide. With fewer than 2 blocks there is no test and no bar, and the figure says so.
    """
    rows = [row for row in board.standings if math.isfinite(row.rank.value)]
    difference = board.friedman.critical_difference
    groups = cliques([row.rank.value for row in rows], difference) if math.isfinite(difference) else []
    height = HEAD + GAP * len(groups) + ROW * (math.ceil(len(rows) / 2) + 0.5)
    with style():
        whole, axes = axes is None, axes or new_axes(width, height)
        if len(rows) < 2:
            return nothing(axes, "fewer than two proxies were scored on every benchmark")
        axes.axis("off")
        inches = figure_of(axes).get_figwidth() * (1 if whole else axes.get_position().width)
        side = min(LETTER * max(len(row.proxy) + 7 for row in rows) / inches, 0.42)
        axes.set_xlim(0, 1)
        axes.set_ylim(height - HEAD, -HEAD)

        scale = _Scale(side, len(rows), inches)
        _ruler(axes, scale)
        _difference(axes, scale, difference, board)
        for place, (first, last) in enumerate(groups):
            y = GAP * (place + 1)
            ends = scale.at(rows[first].rank.value) - 0.004, scale.at(rows[last].rank.value) + 0.004
            axes.plot(ends, (y, y), color=ACCENT, linewidth=2.4, solid_capstyle="round")
        _names(axes, scale, rows, GAP * (len(groups) + 1) + ROW / 2)
    return axes


class _Scale(NamedTuple):
    """Where mean ranks stand: between names as wide as `side` at both ends, of so many `proxies`, on axes so many inches wide."""

    side: float
    proxies: int
    inches: float

    def at(self, rank: float) -> float:
        return self.side + (1 - 2 * self.side) * (rank - 1) / (self.proxies - 1)


def _ruler(axes: Axes, scale: _Scale) -> None:
    last = scale.proxies
    fit = max(1.0, scale.inches * (1 - 2 * scale.side) / TICK)
    step = next((step for step in (1, 2, 5, 10, 20, 50, 100) if (last - 1) / step <= fit), last)
    between = [tick for tick in range(step, last, step) if tick - 1 >= step / 2 and last - tick >= step / 2]
    axes.plot((scale.at(1), scale.at(last)), (0, 0), color=MUTED, linewidth=1)
    for tick in (1, *between, last):
        axes.plot((scale.at(tick), scale.at(tick)), (0, -0.05), color=MUTED, linewidth=1)
        axes.text(scale.at(tick), -0.08, str(tick), ha="center", va="bottom", fontsize=7, color=MUTED)
    axes.text(0.5, -0.24, "mean rank, the best at the left", ha="center", va="bottom", fontsize=7, color=MUTED)


def _difference(axes: Axes, scale: _Scale, difference: float, board: Leaderboard) -> None:
    """The length of the critical difference above the axis, as far as the axis goes; or why there is none."""
    y = -0.44
    if math.isnan(difference):
        blocks = board.friedman.blocks
        text = f"no test: {blocks} block{'' if blocks == 1 else 's'} of benchmarks"
        axes.text(0.5, y, text, ha="center", va="center", fontsize=7, color=WARM)
        return
    end = min(1 + difference, scale.proxies)
    axes.plot((scale.at(1), scale.at(end)), (y, y), color=WARM, linewidth=1.4)
    for place in (1, end):
        axes.plot((scale.at(place), scale.at(place)), (y - 0.035, y + 0.035), color=WARM, linewidth=1.4)
    longer = ", beyond the axis" if 1 + difference > scale.proxies else ""
    text = f"critical difference {number(difference, 2)} at {board.friedman.alpha:g}{longer}"
    axes.text(0.5, y - 0.06, text, ha="center", va="bottom", fontsize=7, color=WARM)


def _names(axes: Axes, scale: _Scale, rows: Sequence[Standing], top: float) -> None:
    """The better half at the left, the best on top; the worse half at the right, the worst on top: so no two lines cross."""
    half = math.ceil(len(rows) / 2)
    for place, row in enumerate(rows):
        left = place < half
        y = top + ROW * (place if left else len(rows) - 1 - place)
        x, edge = scale.at(row.rank.value), scale.side - 0.012 if left else 1 - scale.side + 0.012
        axes.plot((x, x, edge), (0, y, y), color=GRID, linewidth=0.8, zorder=0.8, solid_joinstyle="miter")
        axes.plot(x, 0, "o", color=ACCENT, markersize=2.6)
        size = row.proxy in SIZES
        text = f"{row.proxy}  {number(row.rank.value, 2)}" if left else f"{number(row.rank.value, 2)}  {row.proxy}"
        axes.text(
            edge - 0.006 if left else edge + 0.006,
            y,
            text,
            ha="right" if left else "left",
            va="center",
            fontsize=7,
            color=MUTED if size else FG,
            style="italic" if size else "normal",
        )
