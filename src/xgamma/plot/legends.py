"""Legends, in the corner where they cover least."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.container import ErrorbarContainer
from matplotlib.patches import Polygon, Rectangle, StepPatch

from xgamma.axes import FloatArray

LIMITS = "Upper limits"
"""The entry of arrows in a legend, its last."""

WIDTH, ROW, FRAME = 1.9, 0.18, 0.2
"""How much a legend takes, roughly, in inches: its width, and the height of an entry and of the frame."""

CORNERS = {"upper right": (1, 1), "upper left": (0, 1), "lower right": (1, 0), "lower left": (0, 0)}


def show_legend(ax: Axes, **style: Any) -> None:
    """Draw or refresh the legend if anything has a label; what was drawn twice has one entry.

    The search of matplotlib for the best place takes long, and warns of it, where much is drawn.
    """
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        entries = dict(sorted(zip(labels, handles, strict=True), key=_rank))
        ax.legend(list(entries.values()), list(entries), **{"loc": emptiest_corner(ax, len(entries)), **style})


def _rank(entry: tuple[str, Any]) -> int:
    """Points stand before lines, lines before what is shaded, and limits last."""
    label, handle = entry
    if label == LIMITS:
        return 3
    return 0 if isinstance(handle, ErrorbarContainer) else 2 if isinstance(handle, Rectangle | Polygon) else 1


def name_limits(ax: Axes, has_limits: bool) -> None:
    """Give upper limits, where there are any, an entry of their own in the legend, once."""
    if has_limits and LIMITS not in ax.get_legend_handles_labels()[1]:
        ax.plot([], [], color="0.3", marker=r"$\downarrow$", ms=9, linestyle="none", label=LIMITS)


def emptiest_corner(ax: Axes, rows: int) -> str:
    """Return the corner in which a legend of so many rows covers the fewest points of lines, bars and steps."""
    places = _places(ax)
    extent, dpi = ax.get_window_extent(), ax.figure.dpi
    wide, high = extent.width / dpi, extent.height / dpi
    width, height = min(WIDTH / wide, 1.0), min((FRAME + ROW * rows) / high, 1.0)
    covered = {}
    for name, (right, top) in CORNERS.items():
        x_inside = places[:, 0] > 1 - width if right else places[:, 0] < width
        y_inside = places[:, 1] > 1 - height if top else places[:, 1] < height
        covered[name] = int((x_inside & y_inside).sum())
    return min(covered, key=lambda name: covered[name])


def _places(ax: Axes) -> FloatArray:
    """Return points of what is drawn as fractions of the Axes, shape (point, 2)."""
    parts: list[Any] = [line.get_xydata() for line in ax.lines if line.get_transform() == ax.transData]
    parts += [segment for one in ax.collections if isinstance(one, LineCollection) for segment in one.get_segments()]
    parts += [patch.get_path().vertices for patch in ax.patches if isinstance(patch, StepPatch)]
    parts = [_finer(np.asarray(part, dtype=float)) for part in parts if len(part)]
    if not parts:
        return np.zeros((0, 2))
    with np.errstate(all="ignore"):
        places = ax.transAxes.inverted().transform(ax.transData.transform(np.concatenate(parts)))
    return np.asarray(places[np.isfinite(places).all(axis=1) & (np.abs(places - 0.5) <= 0.5).all(axis=1)])


def _finer(points: FloatArray) -> FloatArray:
    """Return points with those in the middle of bars."""
    return np.concatenate([points, 0.5 * (points[1:] + points[:-1])])
