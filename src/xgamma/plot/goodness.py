"""How well models fit: the deviance of data beside that of drawn data."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from xgamma.axes import FloatArray
from xgamma.plot.figures import normalize_axes
from xgamma.plot.legends import show_legend
from xgamma.plot.style import cycle_color, styled


@styled
def plot_deviance(drawn: FloatArray, actual: float, ax: Axes | None = None) -> Axes:
    """Draw a histogram of deviances that were drawn, shape (draw,), and a line at that of the data."""
    ax = normalize_axes(ax)
    low, high = min(float(drawn.min()), actual), max(float(drawn.max()), actual)
    room = 0.03 * (high - low or 1.0)
    edges = np.linspace(low - room, high + room, 36).tolist()
    ax.hist(drawn, edges, color=cycle_color(0), alpha=0.5, label="Drawn from the fit")
    ax.axvline(actual, color=cycle_color(1), lw=1.8, label="Data")
    ax.set_xlabel("Deviance from the saturated model")
    ax.set_ylabel("Draws")
    ax.set_ylim(0, 1.3 * ax.get_ylim()[1])
    show_legend(ax)
    return ax
