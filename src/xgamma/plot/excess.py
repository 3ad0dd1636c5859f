"""Excess and significance: over live time, over time, over the square of the angle to a position."""

from __future__ import annotations

import numpy as np
from astropy.table import Table
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xgamma.axes import FloatArray
from xgamma.plot.labels import axis_label
from xgamma.plot.legends import show_legend
from xgamma.plot.style import cycle_color, styled
from xgamma.plot.time_axis import UNIX_EPOCH, label_time

SIGNIFICANCE = "Significance"
EXCESS = "Excess counts"
POINTS = {"fmt": "o", "ms": 4, "lw": 1.2}


@styled
def plot_over_livetime(
    hours: FloatArray, excess: FloatArray, sqrt_ts: FloatArray, figsize: tuple[float, float] = (10, 4)
) -> Figure:
    """Draw what has been collected after so many hours of live time, all of shape (n,), in a new figure."""
    figure, axes = plt.subplots(1, 2, figsize=figsize, layout="constrained")
    for ax, values, label in zip(axes, (excess, sqrt_ts), (EXCESS, SIGNIFICANCE), strict=True):
        ax.plot(hours, values, "o-", ms=4, lw=1.0, color=cycle_color(0))
        ax.set_xlabel(axis_label("Live time", "h"))
        ax.set_ylabel(label)
        ax.set_xlim(left=0.0)
        _with_zero(ax)
    return figure


@styled
def plot_over_time(
    bounds: FloatArray,
    excess: FloatArray,
    errors: FloatArray,
    sqrt_ts: FloatArray,
    figsize: tuple[float, float] = (7, 6),
) -> Figure:
    """Draw what each row holds, in a new figure.

    Parameters
    ----------
    bounds
        First start and last stop of the good time of each row, MJD in TT, shape (row, 2).
    excess, errors, sqrt_ts
        Shape (row,).
    figsize
        Of the figure, inches.
    """
    figure, axes = plt.subplots(2, 1, figsize=figsize, sharex=True, layout="constrained")
    center, reach = bounds.mean(axis=1) - UNIX_EPOCH, np.diff(bounds, axis=1)[:, 0] / 2
    for ax, values, bars, label in ((axes[0], excess, errors, EXCESS), (axes[1], sqrt_ts, None, SIGNIFICANCE)):
        ax.errorbar(center, values, xerr=reach, yerr=bars, color=cycle_color(0), **POINTS)
        label_time(ax, bounds, "iso")
        ax.set_ylabel(label)
        _with_zero(ax)
    axes[0].label_outer()
    return figure


def _with_zero(ax: Axes) -> None:
    low, high = ax.get_ylim()
    margin = 0.05 * (max(high, 0.0) - min(low, 0.0))
    ax.set_ylim(low - margin * (high <= 0) if low < 0 else 0.0, high + margin * (low >= 0) if high > 0 else 0.0)
    ax.axhline(0.0, color="0.4", lw=0.8, zorder=0.8)


@styled
def plot_theta2(
    edges: FloatArray,
    counts: FloatArray,
    background: FloatArray,
    background_errors: FloatArray,
    excess: FloatArray,
    excess_errors: FloatArray,
    sqrt_ts: FloatArray,
    figsize: tuple[float, float] = (7, 6),
) -> Figure:
    """Draw counts on and off, excess and significance over the square of an angle, in a new figure.

    Parameters
    ----------
    edges
        Of the bins, deg2, shape (bin + 1,).
    counts, background, background_errors, excess, sqrt_ts
        Shape (bin,).
    excess_errors
        Downwards and upwards, shape (2, bin).
    figsize
        Of the figure, inches.
    """
    figure, (above, below) = plt.subplots(
        2, 1, figsize=figsize, sharex=True, height_ratios=[2.2, 1], layout="constrained"
    )
    center, reach = 0.5 * (edges[1:] + edges[:-1]), 0.5 * np.diff(edges)
    above.errorbar(center, counts, xerr=reach, yerr=np.sqrt(counts), color=cycle_color(0), label="Counts", **POINTS)
    style = {"color": cycle_color(1), "label": "Background", **POINTS}
    above.errorbar(center, background, xerr=reach, yerr=background_errors, **style)
    style = {"color": "0.3", "label": "Excess", **POINTS, "fmt": "s", "ms": 3.5, "mfc": "none"}
    above.errorbar(center, excess, xerr=reach, yerr=np.nan_to_num(excess_errors), **style)
    above.set_ylabel("Counts")
    below.errorbar(center, sqrt_ts, xerr=reach, color=cycle_color(0), **POINTS)
    below.set_ylabel(SIGNIFICANCE)
    below.set_xlabel(axis_label("Squared angle", "deg2"))
    below.set_xlim(edges[0], edges[-1])
    for ax in (above, below):
        _with_zero(ax)
    show_legend(above)
    return figure


@styled
def plot_theta_squared_table(table: Table, figsize: tuple[float, float] = (7, 6)) -> Figure:
    """Draw a table of ``make_theta_squared_table`` in a new figure, and return it."""
    edges = np.append(table["theta2_min"].quantity.to_value("deg2"), table["theta2_max"].quantity.to_value("deg2")[-1])
    counts, off, alpha, excess, sqrt_ts = (
        np.asarray(table[name], float) for name in ("counts", "counts_off", "alpha", "excess", "sqrt_ts")
    )
    errors = np.stack([table["excess_errn"], table["excess_errp"]])
    return plot_theta2(edges, counts, alpha * off, alpha * np.sqrt(off), excess, errors, sqrt_ts, figsize)
