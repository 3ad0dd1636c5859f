"""Counts, excess and masks of one spectrum over reconstructed energy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from xgamma.axes import BoolArray, FloatArray
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
    """Shade what is not used: bins outside the safe range in grey, bins that the fit leaves out hatched."""
    ax = normalize_axes(ax)
    shade_bins(ax, edges, ~mask_safe, **{**UNSAFE_STYLE, "label": "Outside the safe range", **(kwargs_safe or {})})
    if mask_fit is not None:
        left_out = mask_safe & ~mask_fit
        shade_bins(ax, edges, left_out, **{**UNFITTED_STYLE, "label": "Outside the fit range", **(kwargs_fit or {})})
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
