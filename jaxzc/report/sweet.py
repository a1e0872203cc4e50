"""The search for the sweet gradient interval as a figure and as the sentence that it proves."""

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from jaxzc.report.look import ACCENT, DOT, FG, MUTED, TWO_COLUMNS, style
from jaxzc.report.look import axes as new_axes
from jaxzc.scoring.space.sweet_interval import EDGES, Interval


def sweet_sentence(result: Interval, networks: int, space: str) -> str:
    """What the search found, in one sentence: how often the interval's share of a cell's weights rises from a cell to the next, less how
    often it falls, beside the second best. networks: over how many untrained ones the trend is a mean. space: its name."""
    low, high = result.interval
    place = EDGES.index(low)
    trend, best = float(result.trend[place]), float(result.trend.max())
    over = f"{networks} untrained network{'' if networks == 1 else 's'} of {space}"
    if trend <= 0:
        return (
            f"No candidate interval's share of the weights rises with depth in {over} (the best trend is {best:+.3f}): "
            f"there is no sweet interval here, and [{low:g}, {high:g}) is only the first candidate, as in the authors' code."
        )
    others = [(float(value), k) for k, value in enumerate(result.trend) if k != place]
    second, k = max(others, key=lambda pair: (pair[0], -pair[1]))
    tied = f"no more than in [{EDGES[k]:g}, {EDGES[k + 1]:g}), which is as good" if second == trend else "more than in any other candidate"
    rest = "" if second == trend else f"; the second best, [{EDGES[k]:g}, {EDGES[k + 1]:g}), has {second:+.3f}"
    return (
        f"In {over}, the share of a cell's weights whose |gradient| lies in [{low:g}, {high:g}) rises from one cell to the next more often "
        f"than it falls, by {trend:.3f} of the steps on average, {tied}{rest}."
    )


def plot_sweet_interval(result: Interval, axes: Axes | None = None, *, width: float = TWO_COLUMNS) -> Axes:
    """The trend of every candidate interval as a bar, the sweet one in blue.

    axes: where to draw; None: new ones, `width` inches wide.
    """
    with style():
        axes = axes or new_axes(width, 2.6)
        place = EDGES.index(result.interval[0])
        sweet = float(result.trend[place]) > 0
        colours = [ACCENT if k == place and sweet else DOT for k in range(len(result.trend))]
        axes.bar(range(len(result.trend)), result.trend, color=colours, width=0.8)
        # A bar stands between its two edges.
        axes.set_xticks([k - 0.5 for k in range(len(EDGES))], [f"{edge:g}" for edge in EDGES], rotation=60)
        axes.set_xlim(-0.7, len(result.trend) - 0.3)
        axes.axhline(0, color=MUTED, linewidth=0.8)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.grid(axis="y")
        axes.set_xlabel("|gradient| between")
        axes.set_ylabel("trend over depth")
        low, high = result.interval
        said = f"sweet interval [{low:g}, {high:g}): trend {float(result.trend[place]):+.3f}" if sweet else "no interval rises with depth"
        axes.set_title(said, loc="left", color=FG)
    return axes
