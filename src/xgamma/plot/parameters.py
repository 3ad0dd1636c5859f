"""Numbers of a model, a row each: the value with its error, and the limits that a fit keeps to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from xgamma.plot.figures import add_axes, new_figure, show_title
from xgamma.plot.labels import unit_math, without_minor_ticks
from xgamma.plot.style import cycle_color, styled

REACH = 4.0
"""So many errors to both sides of a value are shown, limits up to twice as far off too."""
HEIGHT = 0.62
"""Inches of a row."""
WIDTH = 7.0
NOT_ALLOWED: dict[str, Any] = {"facecolor": "0.85", "edgecolor": "0.6", "hatch": "////", "lw": 0.0}


@dataclass(frozen=True)
class Row:
    """A value, its error (0 for none) and its limits (not finite for none), all in one unit; ``text`` is the value."""

    name: str
    value: float
    error: float
    low: float
    high: float
    unit: str
    text: str
    is_frozen: bool

    def shown(self) -> tuple[float, float]:
        """Return the ends of what is shown."""
        step = self.error if self.error > 0 and np.isfinite(self.error) else 0.1 * abs(self.value) or 1.0
        ends = []
        for side, limit in ((-1.0, self.low), (1.0, self.high)):
            end = self.value + side * REACH * step
            if np.isfinite(limit) and side * (limit - self.value) <= 2 * REACH * step:
                # A little of what is not allowed is seen too.
                end = limit + side * max(abs(end - self.value), abs(limit - self.value)) / 8
            ends.append(end)
        return min(ends[0], self.value), max(ends[1], self.value)


@styled
def plot_parameter(row: Row, ax: Axes) -> Axes:
    """Draw a value with its error as a point; hatched is what is beyond its limits, empty the point of a frozen one."""
    first, last = row.shown()
    color = cycle_color(0)
    face = "white" if row.is_frozen else color
    error = row.error if row.error > 0 and np.isfinite(row.error) else None
    ax.errorbar([row.value], [0.0], xerr=error, color=color, marker="o", mfc=face, linestyle="none", zorder=3)
    for start, end in ((first, row.low), (row.high, last)):
        if start < end:
            ax.axvspan(start, end, **NOT_ALLOWED)
    ax.set_xlim(first, last)
    ax.set_ylim(-1, 1)
    ax.set_yticks([0.0], [row.name])
    ax.xaxis.set_major_locator(MaxNLocator(4, min_n_ticks=2))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    without_minor_ticks(ax.yaxis)
    ax.tick_params(axis="y", length=0)
    frozen = "frozen" if row.is_frozen else ""
    said = "  ".join(part for part in (row.text, unit_math(row.unit) if row.unit else "", frozen) if part)
    ax.text(1.02, 0.5, said, transform=ax.transAxes, va="center")
    return ax


@styled
def parameters_figure(rows: Sequence[Row], figsize: tuple[float, float] | None, *title: str) -> Figure:
    """Return a new figure of values, a row each, with a title."""
    figure = new_figure(figsize or (WIDTH, 0.5 + HEIGHT * len(rows)))
    for number, row in enumerate(rows, 1):
        plot_parameter(row, add_axes(figure, (len(rows), 1, number)))
    show_title(figure, *title)
    return figure
