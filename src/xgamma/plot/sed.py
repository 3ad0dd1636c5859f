"""Flux points and their likelihood profiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from scipy.interpolate import CubicSpline, PchipInterpolator

from xgamma.axes import BoolArray, FloatArray
from xgamma.plot.labels import axis_label, normalize_axes

UPPER_LIMIT_LENGTH = 0.45
"""How far the arrow of an upper limit reaches down, as a fraction of the limit."""

PROFILE_DEPTH = 4.0
"""The difference of the statistic at which a profile fades to white: two standard deviations."""

PROFILE_ROWS = 300
MINIMUM_NODES = 4


def plot_flux_points(
    edges: FloatArray,
    center: FloatArray,
    values: FloatArray,
    errors: FloatArray,
    limits: FloatArray,
    is_limit: BoolArray,
    quantity: str,
    unit: str,
    ax: Axes | None = None,
    **style: Any,
) -> Axes:
    """Draw flux points, upper limits as arrows; points without a finite error have no bar.

    The vertical axis is logarithmic unless nothing is above 0.

    Parameters
    ----------
    edges
        Lower and upper edge of each point in TeV, shape (npoint, 2).
    center, values, limits
        Reference energies in TeV, the quantity and its upper limit, shape (npoint,).
    errors
        Errors downwards and upwards, shape (2, npoint).
    is_limit
        The points that are drawn as upper limits, shape (npoint,).
    quantity, unit
        What the vertical axis shows, and its unit.
    ax, **style
        Where to draw, by default the current Axes, and what ``Axes.errorbar`` takes.
    """
    ax = normalize_axes(ax)
    is_limit = is_limit & np.isfinite(limits)
    height = np.where(is_limit, limits, values)
    below, above = bars(np.where(is_limit, [UPPER_LIMIT_LENGTH * limits, np.zeros_like(limits)], errors))
    shown = np.isfinite(height)
    reach = bars(np.stack([center - edges[:, 0], edges[:, 1] - center]))
    ax.errorbar(
        center[shown],
        height[shown],
        xerr=reach[:, shown],
        yerr=np.stack([below, above])[:, shown],
        uplims=is_limit[shown],
        **{"fmt": "o", "ms": 5, "lw": 1.4, **style},
    )
    if not shown.any():
        ax.set_xlim(edges.min(), edges.max())
    _label_flux(ax, quantity, unit, is_log=bool((height[shown] > 0).any()))
    _hold(ax, height[shown], (height - below)[shown], (height + above)[shown])
    return ax


def side_by_side(edges: FloatArray, number: int, count: int) -> FloatArray:
    """Return where in its bins one of several spectra is drawn, so that bars do not hide each other.

    >>> side_by_side(np.array([[1.0, 16.0]]), 0, 3).tolist(), side_by_side(np.array([[1.0, 16.0]]), 1, 3).tolist()
    ([2.0], [4.0])
    """
    share = (number + 1) / (count + 1)
    return np.asarray(edges[:, 0] ** (1 - share) * edges[:, 1] ** share)


def _label_flux(ax: Axes, quantity: str, unit: str, is_log: bool) -> None:
    """Make the axes those of a spectral energy distribution."""
    ax.set_xscale("log")
    if is_log:
        ax.set_yscale("log", nonpositive="clip")
    ax.set_xlabel(axis_label("Energy", "TeV"))
    ax.set_ylabel(axis_label(quantity, unit))


def bars(lengths: FloatArray) -> FloatArray:
    """Return lengths that can be drawn: an error that is not known, infinite or below 0 has no bar."""
    return np.where(np.isfinite(lengths) & (lengths > 0), lengths, 0.0)


def _hold(ax: Axes, height: FloatArray, low: FloatArray, high: FloatArray) -> None:
    # A bar that reaches below zero would open the logarithmic axis over many decades.
    positive = height[height > 0]
    if not positive.size:
        return
    bottom = np.maximum(low, 0.1 * height)[height > 0].min()
    # Whole decades: an axis with one labelled tick says little, and labels between decades are too wide.
    decades = np.log10([0.8 * bottom, 1.25 * high[height > 0].max()])
    ax.set_ylim(10 ** np.floor(decades[0]), 10 ** np.ceil(decades[1]))


def stat_difference(
    norm: FloatArray,
    norm_scan: FloatArray,
    stat_scan: FloatArray,
    best_norm: float,
    best_stat: float,
    stat_null: float = np.nan,
) -> FloatArray:
    """Return how far the statistic of each ``norm`` (above 0) lies above the best fit, NaN where nothing is known.

    The scanned points and the best fit are joined by a cubic spline in ln(norm), in which profiles are smooth; below
    them, down to the statistic without the source, by a curve that does not overshoot.
    """
    known_norm, known_stat = np.append(norm_scan, best_norm), np.append(stat_scan, best_stat)
    usable = (known_norm > 0) & np.isfinite(known_stat)
    nodes, first = np.unique(known_norm[usable], return_index=True)
    if nodes.size < MINIMUM_NODES:
        return np.full(norm.shape, np.nan)
    stats = known_stat[usable][first]
    result = CubicSpline(np.log(nodes), stats, extrapolate=False)(np.log(norm))
    if np.isfinite(stat_null):
        below = PchipInterpolator(np.sqrt(np.append(0.0, nodes)), np.append(stat_null, stats), extrapolate=False)
        result = np.where(norm < nodes[0], below(np.sqrt(norm)), result)
    return np.asarray(np.maximum(result - np.nanmin(known_stat), 0.0))


@dataclass(frozen=True)
class Profiles:
    """Likelihood profiles of points.

    Parameters
    ----------
    bounds
        Lower and upper edge of each point in TeV, shape (npoint, 2).
    reference
        The quantity at norm = 1, shape (npoint,), in the unit of the vertical axis.
    norm_scan, stat_scan
        Scanned norms and the statistic there, shape (npoint, nnorm).
    best_norm, best_stat
        The best fit, shape (npoint,).
    stat_null
        The statistic without the source, NaN where it is not known, shape (npoint,).
    """

    bounds: FloatArray
    reference: FloatArray
    norm_scan: FloatArray
    stat_scan: FloatArray
    best_norm: FloatArray
    best_stat: FloatArray
    stat_null: FloatArray

    def difference(self, heights: FloatArray) -> FloatArray:
        """Return the statistic above the best fit at each height of the axis, shape (npoint, nheight)."""
        columns = (self.norm_scan, self.stat_scan, self.best_norm, self.best_stat, self.stat_null)
        rows = zip(self.reference, *columns, strict=True)
        return np.stack([stat_difference(heights / unit, *row) for unit, *row in rows])

    def limits(self) -> tuple[float, float]:
        """Return heights between which the best fits lie well inside."""
        shown = np.where(np.isfinite(self.best_norm) & (self.best_norm > 0), self.best_norm, 1.0) * self.reference
        return 0.1 * float(shown.min()), 4.0 * float(shown.max())


def plot_ts_profiles(
    profiles: Profiles,
    quantity: str,
    unit: str,
    ax: Axes | None = None,
    add_cbar: bool = True,
    in_energy: bool = True,
    **style: Any,
) -> Axes:
    """Draw the likelihood profile of each point as a coloured column: dark at the best fit, white at four above it.

    Parameters
    ----------
    profiles
        What to draw; where the Axes hold something already, their limits are kept.
    quantity, unit
        What the vertical axis shows, and its unit.
    ax
        Where to draw; ``None`` is the current Axes.
    add_cbar
        Whether a colour bar is added to the figure.
    in_energy
        Whether the horizontal axis is energy; if not, the Axes have one already.
    **style
        For ``Axes.pcolormesh``.
    """
    ax = normalize_axes(ax)
    window, limits = (
        (ax.get_xlim(), ax.get_ylim()) if ax.has_data() else (profiles.bounds.ravel()[[0, -1]], profiles.limits())
    )
    limits = (limits[0] if limits[0] > 0 else 1e-3 * limits[1], limits[1])
    heights = np.geomspace(*limits, PROFILE_ROWS + 1)
    drawing = {"vmin": -PROFILE_DEPTH, "vmax": 0.0, "cmap": "Blues", "zorder": 0.9, "rasterized": True, **style}
    depth = -profiles.difference(np.sqrt(heights[1:] * heights[:-1]))
    columns = np.ma.masked_invalid(np.where(depth >= drawing["vmin"], depth, np.nan))
    meshes = [
        ax.pcolormesh(bounds, heights, column[:, np.newaxis], **drawing)
        for bounds, column in zip(profiles.bounds, columns, strict=True)
    ]
    ax.set_yscale("log", nonpositive="clip")
    if in_energy:
        ax.set_xscale("log")
        ax.set_xlabel(axis_label("Energy", "TeV"))
    ax.set_xlim(*window)
    ax.set_ylim(*limits)
    ax.set_ylabel(axis_label(quantity, unit))
    if add_cbar:
        ax.figure.colorbar(meshes[0], ax=ax, label="Fit statistic difference")
    return ax
