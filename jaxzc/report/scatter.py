"""Figures of points as matplotlib axes: networks under a proxy, agreement against cost."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from jaxzc.evaluation import BASELINES
from jaxzc.evaluation.results import Evaluation
from jaxzc.report import columns, labels, marks, order
from jaxzc.report.columns import compact, number, spearman
from jaxzc.report.figures import finite_limits, nothing
from jaxzc.report.look import ACCENT, DOT, MUTED, ONE_COLUMN, TWO_COLUMNS, style
from jaxzc.report.look import axes as new_axes
from jaxzc.types import JaxzcError

PANELS = 12
"""Proxies whose networks are drawn where none are named: the best ones."""


def plot_network_places(evaluation: Evaluation, proxy: str, axes: Axes | None = None, *, width: float = ONE_COLUMN, top: int = 10) -> Axes:
    """Every network's place by one proxy against the metric, the proxy's first `top` marked; a random sample where there are thousands.
    axes, width: as in `plot_intervals`. Raises `JaxzcError` for an unknown proxy."""
    row = columns.by_name(evaluation.rows)(proxy)
    if row is None:
        known = ", ".join(row.proxy for row in evaluation.rows)
        raise JaxzcError(f"the evaluation has no proxy {proxy!r}: choose one of {known}")
    with style():
        axes = axes or new_axes(width, 0.75 * width)
        n = len(evaluation.archs)
        drawn, score = order.sample(n), marks.first_seed(evaluation, row, turned=True)
        place, first = order.places(score), order.first(score, top)
        # Thousands of vector dots would make a file that no program opens with pleasure.
        axes.scatter(place[drawn], evaluation.truth[drawn], s=4, color=DOT, alpha=0.5, linewidths=0, rasterized=True)
        axes.scatter(place[first], evaluation.truth[first], s=12, color=ACCENT, linewidths=0)
        axes.set_xlim(1 + 1.04 * max(n - 1, 1), 1 - 0.04 * max(n - 1, 1))
        axes.set_ylim(*finite_limits(evaluation.truth))
        axes.set_title(f"{row.proxy}  {number(spearman(row).value)}", loc="left")
        axes.set_xticks([n, 1], [f"{n:,}", "1"])
        axes.grid(axis="y")
        axes.set_xlabel(f"place by score; blue: the first {top}")
        axes.set_ylabel(evaluation.metric)
    return axes


def plot_networks(evaluation: Evaluation, proxies: Sequence[str] | None = None, *, width: float = TWO_COLUMNS, top: int = 10) -> list[Axes]:
    """`plot_network_places` of several proxies as small multiples of one figure; None: of the best 12. One axes per proxy."""
    if proxies is None:
        proxies = [row.proxy for row in marks.ranked(evaluation) if row.proxy not in BASELINES][:PANELS]
    with style():
        if not proxies:
            return [nothing(new_axes(width, 1), "no proxy has a defined rank correlation")]
        wide = min(4 if width > ONE_COLUMN else 2, len(proxies))
        high = -(-len(proxies) // wide)
        figure = Figure((width, 0.4 + 0.85 * high * width / wide), layout="constrained")
        grid = np.ravel(figure.subplots(high, wide, squeeze=False, sharey=True)).tolist()
        for axes, proxy in zip(grid, proxies, strict=False):
            plot_network_places(evaluation, proxy, axes, top=top).set(xlabel="", ylabel="")
        for axes in grid[len(proxies) :]:
            axes.axis("off")
        figure.supxlabel(f"place by score, the best to the right; the first {top} in blue", fontsize=8, color=MUTED)
        figure.supylabel(evaluation.metric, fontsize=8, color=MUTED)
    return grid[: len(proxies)]


def plot_cost(evaluation: Evaluation, kind: str | None = None, axes: Axes | None = None, *, width: float = TWO_COLUMNS) -> Axes:
    """Spearman's rho against what one score costs, every mark named; proxies that coincide share a mark.

    kind: `passes`, `seconds` or `flops`; None: the first that is known. axes, width: as in `plot_intervals`. Raises `JaxzcError` for a
    kind of which nothing is known.
    """
    known = marks.costs(evaluation)
    if kind is not None and kind not in known:
        raise JaxzcError(f"the cost in {kind!r} of these scores is not known: choose one of {', '.join(known) or 'none'}")
    with style():
        axes = axes or new_axes(width, max(3.4, 0.62 * width))
        if not known:
            return nothing(axes, "the cost of these scores is not known")
        kind = kind or next(iter(known))
        points = known[kind]
        cost, rho = np.array([point.cost for point in points]), np.array([point.rho for point in points])
        faces = ["white" if all(row.proxy in BASELINES for row in point.rows) else ACCENT for point in points]
        axes.scatter(cost, rho, s=20, c=faces, edgecolors=ACCENT, linewidths=1)
        _cost_axis(axes, cost)
        low, high = finite_limits(rho, 0.1)
        axes.set_ylim(min(low, 0), high)
        axes.set_xlabel(columns.COST_AXES[kind])
        axes.set_ylabel(f"Spearman's ρ with {evaluation.metric}")
        axes.grid()
        labels.name(axes, cost, rho, [point.label for point in points], size=5.5 if width <= ONE_COLUMN else 6.5)
    return axes


def _cost_axis(axes: Axes, cost: np.ndarray) -> None:
    """A logarithmic axis on which a cost of 0 has its place too: at the left, on a linear piece before the smallest that is paid."""
    paid = cost[cost > 0]
    axes.xaxis.set_minor_locator(NullLocator())
    if not len(paid):
        axes.set_xticks([0.0], ["0"])
        return
    low, high = float(paid.min()), float(paid.max())
    free = len(paid) < len(cost)
    if free:
        axes.set_xscale("symlog", linthresh=low, linscale=0.25)
    else:
        axes.set_xscale("log")
    steps = (1,) if high / low > 100 else (1, 2, 5)
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [step * 10.0**power for power in decades for step in steps]
    shown = [tick for tick in ticks if low <= tick * 1.0001 and tick <= high * 1.5]
    axes.xaxis.set_major_locator(FixedLocator(([0.0] if free else []) + shown))
    # Words of our own: matplotlib writes powers of ten as TeX, which names with dollar signs forbid.
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(-0.35 * low if free else low / 1.4, high * (high / low) ** 0.12 * 1.2)
