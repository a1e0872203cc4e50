"""One look for every figure of jaxzc: sizes of printed columns, colours that colour-blind readers tell apart, text that stays text.

>>> from jaxzc import report
>>> with report.style():
...     axes = report.axes(report.ONE_COLUMN, 2)
...     axes.plot(epochs, accuracy)
>>> report.save(axes, "training.pdf")
"""

import contextlib
import io
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import matplotlib
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from jaxzc._durable.files import replacing
from jaxzc.types import JaxzcError

ONE_COLUMN, TWO_COLUMNS = 3.3, 6.9
"""Widths in inches of a figure in one column and across both columns of a conference paper."""

ACCENT, WARM, FG, MUTED, DOT, GRID = "#1f5fc4", "#c2571a", "#16181d", "#5c6370", "#8c95a6", "#e3e6eb"

SERIES = (ACCENT, WARM, "#3fb99c", "#4b1d5f", "#e3b92f")
"""Colours of series, in this order, which the colour-blind tell apart; a figure gives each series a marker or a dash of its own as well."""
MARKERS = ("o", "D", "s", "^", "v")

FORMATS = ("pdf", "svg", "png")

RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "text.color": FG,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=SERIES),
    "lines.linewidth": 1.3,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.labelcolor": MUTED,
    "text.parse_math": False,  # a name may hold a dollar sign
    "svg.fonttype": "none",  # letters, which a reader can search, and a program edit
    "pdf.fonttype": 42,
    "svg.hashsalt": "jaxzc",  # the same evaluation gives the same bytes
    "savefig.facecolor": "white",
    "savefig.bbox": None,  # "tight" would change the width, which a column of print sets
    "savefig.dpi": 200,
}


@contextlib.contextmanager
def style(overrides: Mapping[str, Any] | None = None) -> Iterator[None]:
    """A block in which matplotlib draws as jaxzc does. overrides: matplotlib settings on top, such as `{"font.family": "serif"}`."""
    settings: dict[Any, Any] = {**RC}
    settings.update(overrides or {})
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # A proxy may be called in any script; the font that comes with matplotlib draws a box for what it lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def axes(width: float = ONE_COLUMN, height: float = 2.2) -> Axes:
    """Empty axes in a new figure of `width` x `height` inches, which belongs to no window and needs no `pyplot.close`."""
    figure = Figure((width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def figure_of(drawn: Axes | Figure) -> Figure:
    """The whole figure that axes belong to."""
    figure = drawn if isinstance(drawn, Figure) else drawn.get_figure(root=True)
    if not isinstance(figure, Figure):
        raise JaxzcError(f"{drawn!r} belongs to no figure: give axes that are part of one")
    return figure


def check_format(path: str | os.PathLike[str]) -> str:
    """The format that the path's ending names, of `FORMATS`. Raises `JaxzcError` for another: before the work rather than after."""
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise JaxzcError(
            f"{path} ends in none of {', '.join('.' + k for k in FORMATS)}: choose a name of which the figure's format is plain"
        )
    return kind


def encoded(drawn: Axes | Figure, kind: str) -> bytes:
    """The figure as a file's content; `kind` is one of `FORMATS`. The same figure gives the same bytes."""
    metadata: dict[str, Any] = {"pdf": {"CreationDate": None, "Creator": "jaxzc"}, "svg": {"Date": None}, "png": {"Software": None}}[kind]
    figure, buffer = figure_of(drawn), io.BytesIO()
    with style():
        if isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine):
            figure.draw_without_rendering()
            figure.set_layout_engine("none")  # the layout stays as it is: to find it anew for every format takes seconds
        figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


def save(drawn: Axes | Figure, path: str | os.PathLike[str]) -> None:
    """Writes the figure to `path`, which ends in .pdf, .svg or .png; text stays text in the first two. The file appears complete or not at
    all. Raises `JaxzcError`: another ending; a place that cannot be written."""
    path = Path(path)
    content = encoded(drawn, check_format(path))
    if not path.absolute().parent.is_dir():
        raise JaxzcError(f"there is no directory {path.absolute().parent} for {path.name}: create it first")
    with replacing(path) as file:
        file.write(content)
