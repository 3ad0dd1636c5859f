"""Counts and residuals over energy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from xgamma.axes import BoolArray, FloatArray
from xgamma.errors import ConfigError
from xgamma.plot.figures import normalize_axes
from xgamma.plot.labels import energy_scale, label_energy, shade_bins
from xgamma.plot.legends import show_legend
from xgamma.plot.style import cycle_color, line_style, merged_style, styled

Style = Mapping[str, Any]

ROOM_BELOW_ZERO = -0.15
"""So that a point at zero is drawn whole."""

LINEAR_TOP = 15.0
"""Counts up to so many are drawn on a linear axis."""

SHARE_BELOW_ONE = 0.3
"""How high 0 to 1 is on an axis of counts, in decades."""

UNSAFE_STYLE: dict[str, Any] = {"color": "0.9", "lw": 0, "zorder": 0}
UNFITTED_STYLE: dict[str, Any] = {"facecolor": "none", "edgecolor": "0.75", "hatch": "///", "lw": 0, "zorder": 0.5}


@styled
def plot_points(
    bounds: FloatArray, values: FloatArray, errors: FloatArray, ax: Axes | None = None, **style: Any
) -> Axes:
    """Draw one point a bin: ``values`` (nbin,), ``errors`` (2, nbin) downwards and upwards; NaN is left out.

    ``bounds`` are the edges of the bins in TeV, shape (nbin, 2).
    """
    ax = normalize_axes(ax)
    edges = bounds * energy_scale(ax)
    center = np.sqrt(edges[:, 0] * edges[:, 1])
    reach = np.stack([center - edges[:, 0], edges[:, 1] - center])
    shown = np.isfinite(values)
    ax.errorbar(
        center[shown],
        values[shown],
        xerr=reach[:, shown],
        yerr=np.nan_to_num(errors[:, shown]),
        **merged_style({"marker": "o", "linestyle": "none", "markersize": 4, "linewidth": 1.2}, style),
    )
    return ax


@styled
def plot_steps(edges: FloatArray, values: FloatArray, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw ``values`` (nbin,) as a histogram line over ``edges`` in TeV."""
    ax = normalize_axes(ax)
    ax.stairs(np.nan_to_num(values), edges * energy_scale(ax), baseline=None, **merged_style({"lw": 1.4}, style))
    return ax


@styled
def plot_counts(
    edges: FloatArray,
    counts: FloatArray,
    counts_errors: FloatArray,
    background: FloatArray,
    ax: Axes | None = None,
    kwargs_counts: Style | None = None,
    kwargs_background: Style | None = None,
) -> Axes:
    """Draw counts as points and the background estimate as a line.

    Parameters
    ----------
    edges
        Energy edges in TeV, shape (nbin + 1,).
    counts, background
        Shape (nbin,).
    counts_errors
        Errors of the counts downwards and upwards, shape (2, nbin).
    ax
        Where to draw; ``None`` is the current Axes.
    kwargs_counts, kwargs_background
        Styles of matplotlib for the points and the line.
    """
    ax = normalize_axes(ax)
    plot_points(_bounds(edges), counts, counts_errors, ax, **merged_style(_points(0, "Counts"), kwargs_counts))
    plot_steps(edges, background, ax, **merged_style(line_style(1), {"label": "Background"}, kwargs_background))
    return _finish(ax, edges, "Counts", np.stack([counts + counts_errors[1], background]))


@styled
def plot_excess(
    edges: FloatArray,
    excess: FloatArray,
    excess_errors: FloatArray,
    npred_signal: FloatArray | None = None,
    ax: Axes | None = None,
    kwargs_excess: Style | None = None,
    kwargs_npred_signal: Style | None = None,
) -> Axes:
    """Draw the excess as points and, where given, the predicted signal as a line; shapes as in ``plot_counts``."""
    ax = normalize_axes(ax)
    plot_points(_bounds(edges), excess, excess_errors, ax, **merged_style(_points(0, "Excess counts"), kwargs_excess))
    seen = [excess + excess_errors[1], excess - excess_errors[0]]
    if npred_signal is not None:
        style = {"label": "Predicted signal counts", "linestyle": "-"}
        plot_steps(edges, npred_signal, ax, **merged_style(line_style(1), style, kwargs_npred_signal))
        seen.append(npred_signal)
    return _finish(ax, edges, "Excess counts", np.stack(seen))


@styled
def plot_masks(
    edges: FloatArray,
    mask_safe: BoolArray,
    mask_fit: BoolArray | None = None,
    ax: Axes | None = None,
    kwargs_safe: Style | None = None,
    kwargs_fit: Style | None = None,
) -> Axes:
    """Shade what is not used: bins outside the safe range in grey, bins that the fit leaves out hatched.

    The limits of a picture that is there stay.
    """
    ax = normalize_axes(ax)
    has_picture = ax.has_data()
    shown = edges * energy_scale(ax)
    shade_bins(ax, shown, ~mask_safe, **{**UNSAFE_STYLE, "label": "Outside the safe range", **(kwargs_safe or {})})
    if mask_fit is not None:
        left_out = mask_safe & ~mask_fit
        shade_bins(ax, shown, left_out, **{**UNFITTED_STYLE, "label": "Outside the fit range", **(kwargs_fit or {})})
    if not has_picture:
        label_energy(ax, edges)
    show_legend(ax)
    return ax


def _bounds(edges: FloatArray) -> FloatArray:
    return np.stack([edges[:-1], edges[1:]], axis=1)


def _points(number: int, label: str) -> dict[str, Any]:
    return {"color": cycle_color(number), "label": label}


def _finish(ax: Axes, edges: FloatArray, label: str, seen: FloatArray) -> Axes:
    """Label axes on which values (series, nbin) were drawn, and choose limits that hold all that is on them."""
    is_first = ax.get_autoscaley_on()
    limits, window = ax.get_ylim(), ax.get_xlim()
    label_energy(ax, edges)
    if not is_first:
        ax.set_xlim(min(window[0], ax.get_xlim()[0]), max(window[1], ax.get_xlim()[1]))
    finite = seen[np.isfinite(seen)]
    top, bottom = finite.max(initial=1.0), finite.min(initial=0.0)
    scale_counts(ax, bottom, top, limits if not is_first else None)
    ax.set_ylabel(label)
    show_legend(ax)
    return ax


def scale_counts(ax: Axes, bottom: float, top: float, limits: tuple[float, float] | None = None) -> None:
    """Make the vertical axis one of counts between two values, and within limits that it has already.

    Few counts are drawn on a linear axis. More go over decades, and an excess below zero: linear around 0, where there
    is little room for it, logarithmic beyond one count.
    """
    low, high = (bottom, top) if limits is None else (min(bottom, limits[0]), max(top, limits[1]))
    if max(high, -low) <= LINEAR_TOP and ax.get_yscale() == "linear":
        low, high = (1.15 * bottom if bottom < 0 else 0.0), 1.15 * top
    else:
        ax.set_yscale("symlog", linthresh=1.0, linscale=SHARE_BELOW_ONE, subs=np.arange(2, 10))
        ax.yaxis.set_major_formatter(FuncFormatter(_count_label))
        ax.yaxis.set_minor_formatter(NullFormatter())
        low, high = (2.0 * min(bottom, -0.5) if bottom < ROOM_BELOW_ZERO else ROOM_BELOW_ZERO), 2.0 * top
    if limits is not None:
        low, high = min(low, limits[0]), max(high, limits[1])
    ax.set_ylim(low, high)


def _count_label(value: float, _: Any) -> str:
    if abs(value) < 1e4:
        return f"{value:g}"
    return rf"${'-' if value < 0 else ''}10^{{{np.log10(abs(value)):.0f}}}$"


RESIDUAL_LABELS = {
    "diff": "Data - model",
    "diff/model": "(Data - model)\n/ model",
    "diff/sqrt(model)": "(Data - model)\n/ $\\sqrt{\\mathrm{model}}$",
}

# Fixed margins that hold our labels: a layout engine would draw the figure three times.
MARGINS = {"hspace": 0.07, "left": 0.16, "right": 0.96, "top": 0.92, "bottom": 0.12}


@styled
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
    plot_points(bounds, residuals, errors, ax, **merged_style({"color": "black", "ms": 3.5}, style))
    ax.axhline(0.0, color="0.4", lw=0.8, zorder=0.8)
    reach = np.abs(residuals) + np.max(np.nan_to_num(errors), axis=0)
    limit = 1.2 * np.max(reach[np.isfinite(reach)], initial=0.0)
    if limit > 0:
        ax.set_ylim(-limit, limit)
    label_energy(ax, bounds.ravel())
    ax.set_ylabel(RESIDUAL_LABELS[method])
    return ax


@styled
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
