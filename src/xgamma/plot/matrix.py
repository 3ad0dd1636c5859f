"""A matrix of correlations between named numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xgamma.axes import FloatArray
from xgamma.plot.figures import show_title
from xgamma.plot.style import styled

SIDE = 0.75
"""Inches of a cell."""
DARK = 0.6
"""The correlation from which on numbers are written in white."""


@styled
def plot_correlation(
    matrix: FloatArray,
    names: Sequence[str],
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
    **style: Any,
) -> Axes:
    """Draw correlations, shape (name, name), each with its number; those that are not known are left empty.

    Without ``ax`` it is drawn in a new figure of a size; ``style`` is that of ``imshow``.
    """
    if ax is None:
        side = 2.5 + SIDE * len(names)
        ax = plt.figure(figsize=figsize or (side, side), layout="constrained").subplots()
    image = ax.imshow(matrix, **{"cmap": "coolwarm", "vmin": -1.0, "vmax": 1.0, **style})
    for row, column in zip(*np.nonzero(np.isfinite(matrix)), strict=True):
        value = matrix[row, column]
        color = "white" if abs(value) > DARK else "black"
        ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=color)
    places = np.arange(len(names))
    ax.set_xticks(places, names, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(places, names)
    ax.figure.colorbar(image, ax=ax, label="Correlation", shrink=0.8)
    return ax


def correlation_figure(
    matrix: FloatArray, names: Sequence[str], figsize: tuple[float, float] | None, *title: str
) -> Figure:
    """Return a new figure of correlations with a title."""
    ax = plot_correlation(matrix, names, None, figsize)
    figure = cast(Figure, ax.figure)
    show_title(figure, *title)
    return figure
