"""Flux points and their likelihood profiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u
from matplotlib.axes import Axes
from scipy.interpolate import CubicSpline, PchipInterpolator

from xgamma.axes import BoolArray, FloatArray
from xgamma.plot.figures import normalize_axes
from xgamma.plot.labels import axis_label, label_energies, sed_label
from xgamma.plot.legends import name_limits, show_legend
from xgamma.plot.quantities import scale_of
from xgamma.plot.style import merged_style, styled

UPPER_LIMIT_LENGTH = 0.45
"""How far the arrow of an upper limit reaches down, as a fraction of the limit."""

PROFILE_DEPTH = 4.0
"""The difference of the statistic at which a profile fades to white: two standard deviations."""

PROFILE_ROWS = 300
WIDER = 30.0
"""By this factor limits are widened at most, for a profile that fades slowly."""
MINIMUM_NODES = 4


@styled
def plot_flux_points(
    edges: FloatArray, center: FloatArray, values: FloatArray, errors: FloatArray, limits: FloatArray,
    is_limit: BoolArray, quantity: str, unit: str,
    ax: Axes | None = None, energy_power: float = 0, energy_unit: Any = None, **style: Any,
) -> Axes:  # fmt: skip
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
        The kind of spectrum, such as ``dnde``, and its unit.
    ax, **style
        Where to draw, by default the current Axes, whose units are kept, and what ``Axes.errorbar`` takes.
    energy_power, energy_unit
        The power of the energy, in TeV, that is multiplied with; another unit of energy than TeV.

    Raises
    ------
    ConfigError
        For Axes that carry a unit of another dimension.
    """
    ax = normalize_axes(ax)
    scale = label_energies(ax, unit=energy_unit)
    factor = scale_of(ax.yaxis, u.Unit(unit) * u.TeV**energy_power) * center**energy_power
    edges, center = edges * scale, center * scale
    values, errors, limits = values * factor, errors * factor, limits * factor
    height, below, above, is_limit = heights(values, errors, limits, is_limit)
    reach, shown = bars(np.stack([center - edges[:, 0], edges[:, 1] - center])), np.isfinite(height)
    bar, look = np.stack([below, above])[:, shown], {"marker": "o", "linestyle": "none", "markersize": 5}
    points = (center[shown], height[shown], bar, reach[:, shown])
    ax.errorbar(*points, uplims=is_limit[shown], **merged_style(look, {"linewidth": 1.4}, style))
    if not shown.any():
        ax.set_xlim(edges.min(), edges.max())
    ax.set_ylabel(axis_label(sed_label(quantity, energy_power), ax.yaxis.get_units()))
    _hold(ax, height[shown], (height - below)[shown], (height + above)[shown])
    name_limits(ax, bool(is_limit[shown].any()))
    show_legend(ax)
    return ax


def heights(
    values: FloatArray, errors: FloatArray, limits: FloatArray, is_limit: BoolArray
) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
    """Return where points stand, how far bars reach down and up, and which are limits; arguments as above."""
    is_limit = is_limit & np.isfinite(limits)
    arrows = np.stack([UPPER_LIMIT_LENGTH * limits, np.zeros_like(limits)])
    below, above = bars(np.where(is_limit, arrows, errors))
    return np.where(is_limit, limits, values), below, above, is_limit


def side_by_side(edges: FloatArray, number: int, count: int) -> FloatArray:
    """Return where in its bins one of several spectra is drawn, so that bars do not hide each other.

    >>> side_by_side(np.array([[1.0, 16.0]]), 0, 3).tolist(), side_by_side(np.array([[1.0, 16.0]]), 1, 3).tolist()
    ([2.0], [4.0])
    """
    share = (number + 1) / (count + 1)
    return np.asarray(edges[:, 0] ** (1 - share) * edges[:, 1] ** share)


def bars(lengths: FloatArray) -> FloatArray:
    """Return lengths that can be drawn: an error that is not known, infinite or below 0 has no bar."""
    return np.where(np.isfinite(lengths) & (lengths > 0), lengths, 0.0)


def _hold(ax: Axes, height: FloatArray, low: FloatArray, high: FloatArray) -> None:
    # A bar that reaches below zero would open the logarithmic axis over many decades.
    positive = height[height > 0]
    if not positive.size:
        return
    ax.set_yscale("log", nonpositive="clip")
    ends = 0.8 * float(np.maximum(low, 0.1 * height)[height > 0].min()), 1.25 * float(high[height > 0].max())
    if not ax.get_autoscaley_on() and ax.get_ylim()[0] > 0:
        ends = min(ends[0], ax.get_ylim()[0]), max(ends[1], ax.get_ylim()[1])
    ax.set_ylim(*_round_limits(*ends))


def _round_limits(low: float, top: float) -> tuple[float, float]:
    """Return limits that hold the ends of two decades at least, as labels between them are wide.

    >>> _round_limits(0.3, 40.0), _round_limits(0.3, 7.0)
    ((0.2, 50.0), (0.2, 10.0))
    """
    limits = _nice_below(low), 1 / _nice_below(1 / top)
    if np.floor(np.log10(limits[1] * (1 + 1e-9))) > np.ceil(np.log10(limits[0] * (1 - 1e-9))):
        return limits
    return float(10 ** np.floor(np.log10(low))), float(10 ** np.ceil(np.log10(top)))


def _nice_below(value: float) -> float:
    """Return the largest of 1, 2 and 5 times a power of ten that is not above a value."""
    power = 10 ** np.floor(np.log10(value))
    return float(power * max(digit for digit in (1, 2, 5) if digit * power <= value * (1 + 1e-9)))


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

    def widened(self, low: float, high: float, factor: float = 1.0) -> tuple[float, float]:
        """Return limits between which profiles fade, those that never do excepted; ``factor`` is their unit."""
        heights = np.geomspace(low / WIDER, high * WIDER, PROFILE_ROWS) / factor
        with np.errstate(invalid="ignore"):
            is_shown = self.difference(heights) <= PROFILE_DEPTH
        low, high = low / factor, high / factor
        for column in is_shown:
            ends = heights[column][[0, -1]] if column.any() else None
            if ends is not None and heights[0] < ends[0] < low:
                low = 0.9 * float(ends[0])
            if ends is not None and high < ends[1] < heights[-1]:
                high = 1.1 * float(ends[1])
        return low * factor, high * factor


@styled
def plot_ts_profiles(
    profiles: Profiles,
    quantity: str,
    unit: str,
    ax: Axes | None = None,
    add_cbar: bool = True,
    in_energy: bool = True,
    energy_unit: Any = None,
    **style: Any,
) -> Axes:
    """Draw the likelihood profile of each point as a coloured column: dark at the best fit, white at four above it.

    Parameters
    ----------
    profiles
        What to draw; where the Axes hold something already, their limits are widened, as far as a profile fades.
    quantity, unit
        The kind of spectrum, such as ``dnde``, and its unit.
    ax
        Where to draw, in the units of the Axes; ``None`` is the current Axes.
    add_cbar
        Whether a colour bar is added to the figure.
    in_energy
        Whether the horizontal axis is energy; if not, the Axes have one already.
    energy_unit
        Another unit of energy than TeV.
    **style
        For ``Axes.pcolormesh``.
    """
    ax = normalize_axes(ax)
    is_new = not ax.has_data()
    scale = label_energies(ax, unit=energy_unit) if in_energy else 1.0
    factor = scale_of(ax.yaxis, unit)
    bounds = profiles.bounds * scale
    ends = (profiles.limits()[0] * factor, profiles.limits()[1] * factor)
    window, limits = (bounds.ravel()[[0, -1]], ends) if is_new else (ax.get_xlim(), ax.get_ylim())
    limits = profiles.widened(limits[0] if limits[0] > 0 else 1e-3 * limits[1], limits[1], factor)
    heights = np.geomspace(*limits, PROFILE_ROWS + 1)
    drawing = {"vmin": -PROFILE_DEPTH, "vmax": 0.0, "cmap": "Blues", "zorder": 0.9, "rasterized": True, **style}
    depth = -profiles.difference(np.sqrt(heights[1:] * heights[:-1]) / factor)
    columns = np.ma.masked_invalid(np.where(depth >= drawing["vmin"], depth, np.nan))
    for column_bounds, column in zip(bounds, columns, strict=True):
        mesh = ax.pcolormesh(column_bounds, heights, column[:, np.newaxis], **drawing)
    ax.set_yscale("log", nonpositive="clip")
    ax.set_xlim(*window)
    ax.set_ylim(*limits)
    ax.set_ylabel(axis_label(sed_label(quantity), ax.yaxis.get_units()))
    if add_cbar:
        ax.figure.colorbar(mesh, ax=ax, label="Fit statistic difference").minorticks_off()
    return ax
