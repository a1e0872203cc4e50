"""Figures of an evaluation as matplotlib axes, for papers and slides: agreement, size, similarity, pairs.

Each function draws on the `axes` that it is given, or on new ones as wide as a column of print, and returns them.
"""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.transforms import blended_transform_factory

from jaxzc.evaluation import BASELINES
from jaxzc.evaluation.compare import Comparison
from jaxzc.evaluation.results import Evaluation, Row
from jaxzc.report import marks, order
from jaxzc.report.columns import label, spearman
from jaxzc.report.look import ACCENT, DOT, FG, GRID, MARKERS, MUTED, ONE_COLUMN, SERIES, WARM, figure_of, style
from jaxzc.report.look import axes as new_axes

LINES = {"params": ("--", MUTED), "flops": (":", MUTED), "ceiling0": ("-", WARM), "ceiling1": ("-.", SERIES[3])}
ROW = 0.155
"""Inches between two proxies, one below the other."""
DIVERGING = LinearSegmentedColormap.from_list("jaxzc", [WARM, "#f6f7f9", ACCENT])


def plot_intervals(evaluation: Evaluation, axes: Axes | None = None, *, width: float = ONE_COLUMN) -> Axes:
    """Spearman's rho of every proxy with its interval, the best on top; lines for params, FLOPs and the noise ceilings.

    axes: where to draw; None: new ones, `width` inches wide (`ONE_COLUMN`, `TWO_COLUMNS`) and as high as the proxies are many.
    """
    rows = marks.ranked(evaluation)
    with style():
        whole, axes = axes is None, axes or new_axes(width, 1.0 + ROW * len(rows))
        if not rows:
            return nothing(axes, "no proxy has a defined rank correlation")
        for y, row in enumerate(rows):
            rho, hollow = spearman(row), row.proxy in BASELINES
            axes.plot([rho.low, rho.high], [y, y], color=ACCENT, alpha=0.45, linewidth=1.6, solid_capstyle="round")
            axes.plot(rho.value, y, "o", color=ACCENT, markersize=4, markerfacecolor="white" if hollow else ACCENT)
        lines = marks.reference_lines(evaluation)
        for line in lines:
            dashes, colour = LINES[line.kind]
            axes.axvline(line.value, linestyle=dashes, color=colour, linewidth=1.1, label=f"{line.label} {line.value:.3f}", zorder=0.9)
        name_rows(axes, rows)
        axes.set_xlim(*marks.limits([v for row in rows for v in spearman(row)] + [line.value for line in lines]))
        axes.set_xlabel(f"Spearman's ρ with {evaluation.metric}")
        if lines:
            legend_above(axes, 2 if width > ONE_COLUMN else 1, whole=whole)
    return axes


def plot_size(evaluation: Evaluation, axes: Axes | None = None, *, width: float = ONE_COLUMN) -> Axes:
    """Spearman's rho of every proxy as it is, with params held fixed, and with FLOPs held fixed: what a proxy tells about networks of one
    size. The three marks stand side by side within a row, so that none hides another. axes, width: as in `plot_intervals`."""
    known = marks.size_rows(evaluation)
    with style():
        whole, axes = axes is None, axes or new_axes(width, 0.9 + 1.25 * ROW * len(known))
        if not known:
            return nothing(axes, "no correlation given size is defined")
        values = np.array([[series[kind].value for kind in marks.SIZE_SERIES] for _, series in known])
        rows = np.arange(len(known))
        axes.hlines(rows, np.nanmin(values, 1), np.nanmax(values, 1), color=GRID, linewidth=2)
        looks = [("o", "white", MUTED), ("o", ACCENT, ACCENT), ("D", WARM, WARM)]
        for place, (lane, label) in enumerate(zip(marks.lanes(3), marks.SIZE_SERIES.values(), strict=True)):
            shape, face, edge = looks[place]
            size = 3.6 if shape == "o" else 2.8
            look = {"markersize": size, "markerfacecolor": face, "markeredgecolor": edge, "linestyle": "none", "label": label}
            axes.plot(values[:, place], rows + lane, shape, **look)
        axes.axvline(0, color=DOT, linewidth=0.8)
        name_rows(axes, [row for row, _ in known])
        axes.set_xlim(*marks.limits(values.ravel().tolist()))
        axes.set_xlabel(f"Spearman's ρ with {evaluation.metric}")
        legend_above(axes, 3, whole=whole)
    return axes


def plot_similarity(evaluation: Evaluation, axes: Axes | None = None, *, width: float | None = None) -> Axes:
    """Spearman's rho between every two proxies as a map, similar ones side by side; blue agrees, orange contradicts.

    axes: as in `plot_intervals`. width: of new ones, in inches; None: 0.16 for each proxy and what the names need.
    """
    picked = [k for k, line in enumerate(evaluation.correlation) if np.isfinite(np.delete(line, k)).any()]
    with style():
        side = width or max(ONE_COLUMN, 1.8 + 0.16 * len(picked))
        axes = axes or new_axes(side, side * 0.9)
        if not picked:
            return nothing(axes, "no correlation between proxies is defined")
        sequence = [picked[k] for k in order.clustered(evaluation.correlation[np.ix_(picked, picked)])]
        names = [evaluation.rows[k].proxy for k in sequence]
        image = axes.imshow(evaluation.correlation[np.ix_(sequence, sequence)], cmap=DIVERGING, vmin=-1, vmax=1)
        axes.set_xticks(range(len(names)), names, rotation=90)
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(labelcolor=FG)
        axes.spines[:].set_visible(False)
        bar = figure_of(axes).colorbar(image, ax=axes, shrink=0.5, aspect=30, ticks=[-1, -0.5, 0, 0.5, 1])
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
        bar.set_label("Spearman's ρ", color=MUTED)
    return axes


def plot_comparisons(comparisons: Sequence[Comparison], axes: Axes | None = None, *, width: float = ONE_COLUMN) -> Axes:
    """Differences of paired proxies (`jaxzc.evaluation.compare`) with their intervals; where one leaves out 0, the pair is told apart.
    axes, width: as in `plot_intervals`."""
    with style():
        axes = axes or new_axes(width, 0.8 + ROW * len(comparisons))
        if not comparisons:
            return nothing(axes, "there are no pairs to compare")
        for y, pair in enumerate(comparisons):
            value, low, high = pair.difference
            apart = low > 0 or high < 0
            axes.plot([low, high], [y, y], color=ACCENT, alpha=0.45, linewidth=1.6, solid_capstyle="round")
            axes.plot(value, y, MARKERS[0], color=ACCENT, markersize=4, markerfacecolor=ACCENT if apart else "white")
        axes.axvline(0, color=DOT, linewidth=0.8)
        axes.set_yticks(range(len(comparisons)), [f"{pair.a} \u2212 {pair.b}" for pair in comparisons])
        _stacked(axes, len(comparisons))
        statistics = dict.fromkeys(label(pair.statistic) for pair in comparisons)
        axes.set_xlabel(f"difference of {', '.join(statistics)}; filled: its interval leaves out 0")
    return axes


def nothing(axes: Axes, text: str) -> Axes:
    """Says on the canvas why it is empty."""
    axes.axis("off")
    axes.text(0.5, 0.5, text, ha="center", va="center", color=MUTED, transform=axes.transAxes)
    return axes


def name_rows(axes: Axes, rows: Sequence[Row]) -> None:
    """Proxies down the side, the first on top; sizes in italics."""
    axes.set_yticks(range(len(rows)), [row.proxy for row in rows])
    for text, row in zip(axes.get_yticklabels(), rows, strict=True):
        text.set(color=MUTED if row.proxy in BASELINES else FG, style="italic" if row.proxy in BASELINES else "normal")
    _stacked(axes, len(rows))


def _stacked(axes: Axes, count: int) -> None:
    axes.set_ylim(count - 0.4, -0.6)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def legend_above(axes: Axes, columns: int, *, whole: bool) -> None:
    """The legend on top of the axes, where it hides no mark; whole: it may begin at the figure's left edge, above the names, too."""
    figure = figure_of(axes)
    across = blended_transform_factory(figure.transFigure, axes.transAxes) if whole else axes.transAxes
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0.01 if whole else 0.0, 1.0),
        bbox_transform=across,
        ncols=columns,
        borderaxespad=0.3,
        handletextpad=0.5,
        columnspacing=1.2,
        borderpad=0.1,
    )


def finite_limits(values: np.ndarray, pad: float = 0.05) -> tuple[float, float]:
    """An axis around the finite values, with a margin."""
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    room = pad * ((high - low) or math.fabs(high) or 1.0)
    return low - room, high + room
