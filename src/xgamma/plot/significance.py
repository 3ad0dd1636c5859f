"""The distribution of the significances of a map, as it is published."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from xgamma.axes import FloatArray
from xgamma.plot.labels import normalize_axes

FINE = 400
"""How many points a curve has."""
WHOLE = 5.0
FEWEST = 0.5
"""The lowest number of pixels that the logarithmic axis shows."""


def plot_distribution(
    edges: FloatArray,
    counts: FloatArray,
    counts_outside: FloatArray,
    normal: tuple[float, float],
    errors: tuple[float, float] | None = None,
    ax: Axes | None = None,
    **style: Any,
) -> Axes:
    """Draw how many pixels have which significance, with the normal distribution of those without known sources.

    Parameters
    ----------
    edges
        Of the bins, evenly spaced, shape (bin + 1,).
    counts, counts_outside
        Pixels of each bin: all, and those outside of what is excluded, shape (bin,). Where they are the same, one is
        drawn.
    normal, errors
        Mean and width of the fitted distribution, and their errors.
    ax
        Where to draw; ``None`` is the current Axes.
    **style
        For the histogram of the pixels outside.
    """
    ax = normalize_axes(ax)
    is_excluding = not np.array_equal(counts, counts_outside)
    if is_excluding:
        ax.stairs(counts, edges, color="0.35", lw=1.4, label="All pixels")
    label = "Outside of the exclusion" if is_excluding else "All pixels"
    ax.stairs(counts_outside, edges, **{"fill": True, "color": "C0", "alpha": 0.35, **style, "label": label})
    _draw_normals(ax, edges, float(counts_outside.sum()), normal, errors)
    ax.set_yscale("log")
    ax.set_ylim(FEWEST, 3.0 * max(float(counts.max()), 1.0))
    ax.set_xlim(*_shown(edges))
    ax.set_xlabel("Significance")
    ax.set_ylabel("Pixels")
    ax.legend(loc="upper right", fontsize="small")
    return ax


def _shown(edges: FloatArray) -> tuple[float, float]:
    """Return the significances that are shown: all, and so many that the distribution of nothing is whole."""
    return min(float(edges[0]), -WHOLE), max(float(edges[-1]), WHOLE)


def _draw_normals(
    ax: Axes, edges: FloatArray, pixels: float, normal: tuple[float, float], errors: tuple[float, float] | None
) -> None:
    """Draw the fitted distribution, and the one that is expected where there is nothing."""
    x = np.linspace(*_shown(edges), FINE)
    scale = pixels * (edges[1] - edges[0]) / np.sqrt(2 * np.pi)
    mean, std = normal
    spread = ("", "") if errors is None else tuple(f" ± {error:.2f}" for error in errors)
    fitted = f"Fit: mean {mean:.2f}{spread[0]}, width {std:.2f}{spread[1]}"
    curves: tuple[tuple[tuple[float, float], dict[str, Any], str], ...] = (
        ((mean, std), {"color": "C3", "lw": 1.8}, fitted),
        ((0.0, 1.0), {"color": "0.2", "lw": 1.2, "ls": "--"}, "Mean 0, width 1"),
    )
    for (center, width), own, label in curves:
        if width > 0:
            ax.plot(x, scale / width * np.exp(-0.5 * ((x - center) / width) ** 2), label=label, **own)
