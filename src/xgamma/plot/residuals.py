"""Residuals over energy."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.plot.counts import plot_points
from xgamma.plot.labels import label_energy, normalize_axes

RESIDUAL_LABELS = {
    "diff": "data - model",
    "diff/model": "(data - model)\n/ model",
    "diff/sqrt(model)": "(data - model)\n/ sqrt(model)",
}

# Fixed margins that hold our labels: a layout engine would draw the figure three times.
MARGINS = {"hspace": 0.07, "left": 0.16, "right": 0.96, "top": 0.96, "bottom": 0.12}


def plot_residuals(
    bounds: FloatArray,
    residuals: FloatArray,
    errors: FloatArray,
    method: str = "diff",
    ax: Axes | None = None,
    **style: Any,
) -> Axes:
    """Draw residuals (nbin,) with errors (2, nbin) around a zero line; the limits are symmetric and hold every bar.

    ``bounds`` are the edges of the bins in TeV, shape (nbin, 2); ``method`` one of ``RESIDUAL_LABELS``.
    """
    ax = normalize_axes(ax)
    plot_points(bounds, residuals, errors, ax, **{"color": "black", "ms": 3.5, **style})
    ax.axhline(0.0, color="0.4", lw=0.8, zorder=0.8)
    reach = np.abs(residuals) + np.max(np.nan_to_num(errors), axis=0)
    limit = 1.2 * np.max(reach[np.isfinite(reach)], initial=0.0)
    if limit > 0:
        ax.set_ylim(-limit, limit)
    label_energy(ax, bounds.ravel())
    ax.set_ylabel(f"Residuals\n{RESIDUAL_LABELS[method]}", fontsize="small")
    return ax


def fit_axes(ax_spectrum: Axes | None, ax_residuals: Axes | None) -> tuple[Axes, Axes]:
    """Return the two Axes given, or two new ones with a common energy axis.

    They are put into the current figure if it is empty, otherwise into a new one. Raises ``ConfigError`` when only one
    is given.
    """
    if ax_spectrum is not None and ax_residuals is not None:
        return ax_spectrum, ax_residuals
    if ax_spectrum is not None or ax_residuals is not None:
        raise ConfigError("Expected both ax_spectrum and ax_residuals or neither, got one of them.")
    figure = plt.gcf() if not plt.gcf().axes else plt.figure()
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1], gridspec_kw=MARGINS)
    plt.sca(above)
    return above, below
