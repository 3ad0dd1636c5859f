"""Counts and residuals over energy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from xgamma.axes import BoolArray, FloatArray
from xgamma.errors import ConfigError
from xgamma.plot.labels import label_energy, normalize_axes, shade_bins, show_legend

Style = Mapping[str, Any]

ROOM_BELOW_ZERO = -0.15
"""So that a point at zero is drawn whole."""

UNSAFE_STYLE: dict[str, Any] = {"color": "0.9", "lw": 0, "zorder": 0}
UNFITTED_STYLE: dict[str, Any] = {"facecolor": "none", "edgecolor": "0.75", "hatch": "///", "lw": 0, "zorder": 0.5}


def plot_points(
    bounds: FloatArray, values: FloatArray, errors: FloatArray, ax: Axes | None = None, **style: Any
) -> Axes:
    """Draw one point a bin: ``values`` (nbin,), ``errors`` (2, nbin) downwards and upwards; NaN is left out.

    ``bounds`` are the edges of the bins in TeV, shape (nbin, 2).
    """
    ax = normalize_axes(ax)
    center = np.sqrt(bounds[:, 0] * bounds[:, 1])
    reach = np.stack([center - bounds[:, 0], bounds[:, 1] - center])
    shown = np.isfinite(values)
    ax.errorbar(
        center[shown],
        values[shown],
        xerr=reach[:, shown],
        yerr=np.nan_to_num(errors[:, shown]),
        **{"fmt": "o", "ms": 4, "lw": 1.2, **style},
    )
    return ax


def plot_steps(edges: FloatArray, values: FloatArray, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw ``values`` (nbin,) as a histogram line."""
    ax = normalize_axes(ax)
    ax.stairs(np.nan_to_num(values), edges, baseline=None, **{"lw": 1.4, **style})
    return ax


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
    plot_points(
        _bounds(edges), counts, counts_errors, ax, **{"color": "C0", "label": "Counts", **(kwargs_counts or {})}
    )
    style = {"color": "C1", "label": "Background", **(kwargs_background or {})}
    plot_steps(edges, background, ax, **style)
    return _finish(ax, edges, "Counts", np.concatenate([counts + counts_errors[1], background]))


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
    style = {"color": "C0", "label": "Excess counts", **(kwargs_excess or {})}
    plot_points(_bounds(edges), excess, excess_errors, ax, **style)
    seen = [excess + excess_errors[1], excess - excess_errors[0]]
    if npred_signal is not None:
        style = {"color": "C1", "label": "Predicted signal counts", **(kwargs_npred_signal or {})}
        plot_steps(edges, npred_signal, ax, **style)
        seen.append(npred_signal)
    return _finish(ax, edges, "Excess counts", np.concatenate(seen))


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
    shade_bins(ax, edges, ~mask_safe, **{**UNSAFE_STYLE, "label": "Outside the safe range", **(kwargs_safe or {})})
    if mask_fit is not None:
        left_out = mask_safe & ~mask_fit
        shade_bins(ax, edges, left_out, **{**UNFITTED_STYLE, "label": "Outside the fit range", **(kwargs_fit or {})})
    if not has_picture:
        label_energy(ax, edges)
    show_legend(ax)
    return ax


def _bounds(edges: FloatArray) -> FloatArray:
    return np.stack([edges[:-1], edges[1:]], axis=1)


def _finish(ax: Axes, edges: FloatArray, label: str, seen: FloatArray) -> Axes:
    label_energy(ax, edges)
    # Counts go over decades and an excess below zero: linear around 0, logarithmic beyond one count.
    ax.set_yscale("symlog", linthresh=1.0)
    finite = seen[np.isfinite(seen)]
    top, bottom = finite.max(initial=1.0), finite.min(initial=ROOM_BELOW_ZERO)
    ax.set_ylim(1.6 * bottom, 2.0 * top)
    ax.set_ylabel(label)
    show_legend(ax)
    return ax


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
