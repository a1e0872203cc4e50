"""Names beside the points of a chart, none on another and none on a point; a thin line leads to a name that had to go further off."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from jaxzc.report.look import FG, MUTED, figure_of

RADII = (7.0, 13.0, 20.0, 28.0, 38.0, 50.0, 64.0)
"""Distances from the point, in points of print, that are tried one after the other."""
ANGLES = (0, 180, 30, -30, 150, -150, 90, -90, 60, -60, 120, -120)
"""Directions in degrees, the most readable first."""

Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""


def name(axes: Axes, x: np.ndarray, y: np.ndarray, names: Sequence[str], size: float = 6.5) -> None:
    """Writes the names of points `x, y` (data, float `[n]`) on the axes, whose limits and labels must be final."""
    figure = figure_of(axes)
    figure.draw_without_rendering()  # the layout decides where the points are
    scale = 72 / figure.dpi
    points = axes.transData.transform(np.column_stack([x, y])) * scale
    box = axes.get_window_extent()
    frame: Box = (box.x0 * scale, box.y0 * scale, box.x1 * scale, box.y1 * scale)
    texts = [axes.text(0, 0, text, fontsize=size) for text in names]
    extents = [text.get_window_extent() for text in texts]
    sizes = [(extent.width * scale, extent.height * scale) for extent in extents]
    for text in texts:
        text.remove()
    for k, (dx, dy) in enumerate(places(points, sizes, frame)):
        far = math.hypot(dx, dy) > RADII[1]
        line = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.4, "shrinkA": 0, "shrinkB": 2} if far else None
        axis = 0 if abs(dx) < 1e-6 else math.copysign(1, dx)
        axes.annotate(
            names[k],
            (float(x[k]), float(y[k])),
            (dx, dy),
            textcoords="offset points",
            ha={0: "center", 1: "left", -1: "right"}[int(axis)],
            va="center",
            fontsize=size,
            color=FG,
            arrowprops=line,
            annotation_clip=False,
        ).set_in_layout(False)


def places(points: np.ndarray, sizes: Sequence[tuple[float, float]], frame: Box, radius: float = 3.0) -> list[tuple[float, float]]:
    """For each of `points [n, 2]` the offset of its name from it: the nearest that is free of points, of other names and of the frame's
    border; where none is, the one that covers least. sizes: width and height of each name. radius: of a point. One unit of length for all.
    """
    taken: list[Box] = [(px - radius, py - radius, px + radius, py + radius) for px, py in points.tolist()]
    placed = []
    for (px, py), (width, height) in zip(points.tolist(), sizes, strict=True):
        best: tuple[float, Box, tuple[float, float]] | None = None
        for distance in RADII:
            for angle in ANGLES:
                dx, dy = round(distance * math.cos(math.radians(angle)), 6), round(distance * math.sin(math.radians(angle)), 6)
                left = px + dx - (width / 2 if abs(dx) < 1e-6 else width if dx < 0 else 0)
                box = (left, py + dy - height / 2, left + width, py + dy + height / 2)
                covered = sum(_overlap(box, other) for other in taken) + 2 * (width * height - _overlap(box, frame))
                if best is None or covered < best[0] - 1e-9:
                    best = (covered, box, (dx, dy))
            if best is not None and best[0] < 1e-6:
                break
        assert best is not None
        taken.append(best[1])
        placed.append(best[2])
    return placed


def _overlap(a: Box, b: Box) -> float:
    """The area that two boxes share."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
