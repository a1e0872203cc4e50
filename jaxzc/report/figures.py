"""The report's figures as PNG and SVG files, for papers and slides: the same marks as on the page, on white."""

import io
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from jaxzc.evaluation import BASELINES
from jaxzc.evaluation.results import Estimate, Evaluation, Row
from jaxzc.report import columns, order
from jaxzc.report.columns import spearman
from jaxzc.report.points import DRAWN, first_seed
from jaxzc.report.sections import limits, reference_lines

ACCENT, WARM, FG, MUTED, DOT, GRID = "#1f5fc4", "#c2571a", "#16181d", "#5c6370", "#8c95a6", "#e3e6eb"
PANELS = 12
"""Proxies whose networks are drawn, the best ones; the page has them all."""

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": FG,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "text.parse_math": False,  # a name may hold a dollar sign
    "svg.hashsalt": "jaxzc",  # the same evaluation gives the same bytes
    "savefig.facecolor": "white",
}


def figures(evaluation: Evaluation) -> dict[str, bytes]:
    """File name -> content: `intervals`, `networks`, `size`, `proxies` and `cost`, each as .png (200 dots per inch) and .svg.

    A figure for which nothing is known (no cost, no partial correlation) says so on its canvas.
    """
    makers: dict[str, Callable[[Evaluation], Figure]] = {
        "intervals": _intervals,
        "networks": _networks,
        "size": _size,
        "proxies": _proxies,
        "cost": _cost,
    }
    files: dict[str, bytes] = {}
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # A proxy may be called in any script; the font that comes with matplotlib draws a box for what it lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        for name, maker in makers.items():
            figure = maker(evaluation)
            FigureCanvasAgg(figure)
            for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
                buffer = io.BytesIO()
                figure.savefig(buffer, format=kind, dpi=200, metadata=metadata, bbox_inches="tight", pad_inches=0.15)
                files[f"{name}.{kind}"] = buffer.getvalue()
    return files


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure((width, height))
    return figure, figure.add_subplot()


def _nothing(text: str) -> Figure:
    figure, axes = _figure(4, 1)
    axes.axis("off")
    axes.text(0.5, 0.5, text, ha="center", va="center", color=MUTED)
    return figure


def _names(axes: Axes, rows: Sequence[Row]) -> None:
    """Proxies down the side, the first on top; sizes in italics."""
    axes.set_yticks(range(len(rows)), [row.proxy for row in rows])
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set(color=MUTED if row.proxy in BASELINES else FG, style="italic" if row.proxy in BASELINES else "normal")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def _intervals(evaluation: Evaluation) -> Figure:
    rows = [row for row in evaluation.rows if math.isfinite(spearman(row).value)]
    if not rows:
        return _nothing("no proxy has a defined rank correlation")
    lines = reference_lines(evaluation)
    figure, axes = _figure(6.5, 0.9 + 0.22 * len(rows))
    for y, row in enumerate(rows):
        rho, hollow = spearman(row), row.proxy in BASELINES
        axes.plot([rho.low, rho.high], [y, y], color=ACCENT, alpha=0.45, linewidth=1.6, solid_capstyle="round")
        axes.plot(rho.value, y, "o", color=ACCENT, markersize=5, markerfacecolor="white" if hollow else ACCENT, markeredgecolor=ACCENT)
    styles = {"params": ("--", MUTED), "flops": (":", MUTED), "ceiling": ("-", WARM)}
    for kind, value, label in lines:
        axes.axvline(value, linestyle=styles[kind][0], color=styles[kind][1], linewidth=1.1, label=f"{label} {value:.3f}", zorder=0.9)
    _names(axes, rows)
    axes.set_xlim(*limits([v for row in rows for v in spearman(row)] + [value for _, value, _ in lines]))
    axes.set_xlabel(f"Spearman's ρ with {evaluation.metric}")
    if lines:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderaxespad=0.3, fontsize=8, labelcolor=MUTED)
    return figure


def _networks(evaluation: Evaluation) -> Figure:
    """Small multiples: place by score against the metric, the proxy's first 10 marked."""
    rows = [row for row in evaluation.rows if row.proxy not in BASELINES and math.isfinite(spearman(row).value)][:PANELS]
    if not rows:
        return _nothing("no proxy has a defined rank correlation")
    wide = min(4, len(rows))
    high = -(-len(rows) // wide)
    figure = Figure((2.1 * wide, 1.9 * high), layout="constrained")
    grid = np.ravel(figure.subplots(high, wide, squeeze=False, sharey=True))
    n = len(evaluation.archs)
    drawn = np.arange(n) if n <= DRAWN else np.sort(np.random.default_rng(0).choice(n, DRAWN, replace=False))
    for axes, row in zip(grid, rows, strict=False):
        score = first_seed(evaluation, row.proxy) * (-1 if row.higher_is_better is False else 1)
        place, top = order.places(score), order.first(score, 10)
        # Thousands of vector dots would make an SVG that no program opens with pleasure.
        axes.scatter(place[drawn], evaluation.truth[drawn], s=5, color=DOT, alpha=0.5, linewidths=0, rasterized=True)
        axes.scatter(place[top], evaluation.truth[top], s=14, color=ACCENT, linewidths=0)
        axes.set_xlim(1 + 1.04 * (n - 1), 1 - 0.04 * (n - 1))
        axes.set_title(f"{row.proxy}  {columns.number(spearman(row).value, 2)}", fontsize=9, loc="left")
        axes.set_xticks([n, 1])
        axes.grid(axis="y")
    for axes in grid[len(rows) :]:
        axes.axis("off")
    figure.supxlabel("place by score, the best to the right; the first 10 in blue", fontsize=9, color=MUTED)
    figure.supylabel(evaluation.metric, fontsize=9, color=MUTED)
    return figure


def _size(evaluation: Evaluation) -> Figure:
    kinds = {"spearman": "as it is", "spearman_given_params": "given params", "spearman_given_flops": "given FLOPs"}
    styles = {"spearman": ("o", "white", MUTED), "spearman_given_params": ("o", ACCENT, ACCENT), "spearman_given_flops": ("D", WARM, WARM)}
    undefined = Estimate(math.nan)
    marks = [[row.statistics.get(kind, undefined).value for kind in kinds] for row in evaluation.rows]
    kept = [k for k, values in enumerate(marks) if np.count_nonzero(np.isfinite(values)) > 1]
    if not kept:
        return _nothing("no correlation given size is defined")
    values, rows = np.array([marks[k] for k in kept]), [evaluation.rows[k] for k in kept]
    figure, axes = _figure(6.5, 0.9 + 0.22 * len(rows))
    axes.hlines(range(len(rows)), np.nanmin(values, 1), np.nanmax(values, 1), color=GRID, linewidth=2)
    for column, (kind, label) in enumerate(kinds.items()):
        shape, face, edge = styles[kind]
        size = 5 if shape == "o" else 4
        places = np.arange(len(rows))
        axes.plot(
            values[:, column], places, shape, markersize=size, markerfacecolor=face, markeredgecolor=edge, linestyle="none", label=label
        )
    axes.axvline(0, color=DOT, linewidth=0.8)
    _names(axes, rows)
    axes.set_xlim(*limits(values.ravel().tolist()))
    axes.set_xlabel(f"Spearman's ρ with {evaluation.metric}")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.3, fontsize=8, labelcolor=MUTED)
    return figure


def _proxies(evaluation: Evaluation) -> Figure:
    picked = [k for k, line in enumerate(evaluation.correlation) if np.isfinite(np.delete(line, k)).any()]
    if not picked:
        return _nothing("no correlation between proxies is defined")
    sequence = [picked[k] for k in order.clustered(evaluation.correlation[np.ix_(picked, picked)])]
    matrix, names = evaluation.correlation[np.ix_(sequence, sequence)], [evaluation.rows[k].proxy for k in sequence]
    figure, axes = _figure(1.5 + 0.27 * len(names), 1.2 + 0.27 * len(names))
    colours = LinearSegmentedColormap.from_list("jaxzc", [WARM, "#f6f7f9", ACCENT])
    image = axes.imshow(matrix, cmap=colours, vmin=-1, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(labelcolor=FG)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, shrink=0.5, aspect=30, ticks=[-1, -0.5, 0, 0.5, 1])
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    bar.set_label("Spearman's ρ", color=MUTED)
    return figure


def _cost(evaluation: Evaluation) -> Figure:
    rows = [row for row in evaluation.rows if math.isfinite(spearman(row).value)]
    kinds = [kind for kind in columns.COSTS if any(row.cost.get(kind, -1) >= 0 for row in rows)]
    if not kinds:
        return _nothing("the cost of these scores is not known")
    figure = Figure((7, 4.2 * len(kinds)), layout="constrained")
    for axes, kind in zip(np.ravel(figure.subplots(len(kinds), 1, squeeze=False)), kinds, strict=True):
        priced = [row for row in rows if row.cost.get(kind, -1) >= 0]
        cost, rho = np.array([row.cost[kind] for row in priced]), np.array([spearman(row).value for row in priced])
        axes.plot(cost, rho, "o", color=ACCENT, markersize=5, linestyle="none")
        if cost.max() > 0:
            # Costs of 0 stand at the left, on the linear piece before the smallest that is paid.
            axes.set_xscale("symlog", linthresh=cost[cost > 0].min(), linscale=0.3)
        for row, x, y in zip(priced, cost, rho, strict=True):
            axes.annotate(row.proxy, (x, y), (5, 3), textcoords="offset points", fontsize=7)
        axes.set_xlabel(columns.COSTS[kind][1])
        axes.set_ylabel(f"Spearman's ρ with {evaluation.metric}")
        axes.grid()
    return figure
