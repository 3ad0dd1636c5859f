"""Light curves: flux against time, for one energy bin or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from xgamma.axes import BoolArray, FloatArray
from xgamma.plot.figures import normalize_axes
from xgamma.plot.labels import SED_NAMES, axis_label, name_power, sed_label, without_minor_ticks
from xgamma.plot.legends import name_limits, show_legend
from xgamma.plot.quantities import scale_of
from xgamma.plot.sed import Profiles, heights, plot_ts_profiles
from xgamma.plot.style import merged_style, point_style, styled
from xgamma.plot.time_axis import days_on_axis, label_time, validate_time_format

LINEAR_RANGE = 20.0
"""Fluxes that differ by more are drawn on a logarithmic axis."""

CHARACTERS = 70
"""How many of the names of groups fit side by side."""


@dataclass(frozen=True)
class Curve:
    """The fluxes of one bin of energy.

    Parameters
    ----------
    label
        Its entry in the legend, empty for none.
    values, limits
        The quantity and its upper limit, shape (ntime,).
    errors
        Errors downwards and upwards, shape (2, ntime).
    is_limit
        The points that are drawn as upper limits, shape (ntime,).
    """

    label: str
    values: FloatArray
    errors: FloatArray
    limits: FloatArray
    is_limit: BoolArray

    def at(self, rows: BoolArray) -> Curve:
        """Return some of its points."""
        own = (self.values[rows], self.errors[:, rows], self.limits[rows], self.is_limit[rows])
        return Curve(self.label, *own)

    def times(self, factor: float) -> Curve:
        """Return the same in another unit."""
        return Curve(self.label, self.values * factor, self.errors * factor, self.limits * factor, self.is_limit)


@styled
def plot_light_curve(
    bounds: FloatArray,
    curves: Sequence[Curve],
    quantity: str,
    unit: str,
    ax: Axes | None = None,
    time_format: str = "iso",
    close_gaps: bool = False,
    shows_zero: bool = True,
    **style: Any,
) -> Axes:
    """Draw light curves, upper limits as arrows; points without a finite error have no bar.

    The vertical axis is linear and shows 0 unless all is above 0 and differs by more than ``LINEAR_RANGE``.

    Parameters
    ----------
    bounds
        Start and stop of each bin as MJD (TT), shape (ntime, 2).
    curves
        What is drawn.
    quantity, unit
        What the vertical axis shows, and its unit.
    ax, **style
        Where to draw, by default the current Axes, and what ``Axes.errorbar`` takes.
    time_format
        ``iso`` for dates, ``mjd`` for days.
    close_gaps
        Whether long gaps, such as those between nights, are drawn as narrow grey bands.
    shows_zero
        Whether the vertical axis is made for fluxes, which have a zero.

    Raises
    ------
    ConfigError
        For another ``time_format``.
    """
    validate_time_format(time_format)
    ax = normalize_axes(ax)
    center, factor = days_on_axis(bounds.mean(axis=1), time_format), _flux_axis(ax, quantity, unit)
    drawn = [curve.times(factor) for curve in curves]
    for number, curve in enumerate(drawn):
        _draw(ax, center, np.diff(bounds, axis=1)[:, 0] / 2, curve, number if len(curves) > 1 else None, style)
    label_time(ax, bounds, time_format, close_gaps)
    if shows_zero:
        _scale(ax, drawn)
    name_power(ax.yaxis)
    show_legend(ax)
    return ax


@styled
def plot_curve_of_groups(
    groups: Sequence[str], curve: Curve, quantity: str, unit: str, ax: Axes | None = None, **style: Any
) -> Axes:
    """Draw the values of groups that have no order in time side by side, with their names below."""
    ax = normalize_axes(ax)
    places = np.arange(len(groups), dtype=float)
    factor = _flux_axis(ax, quantity, unit)
    _draw(ax, places, np.zeros(len(groups)), curve.times(factor), None, style)
    name_power(ax.yaxis)
    is_crowded = sum(map(len, groups)) > CHARACTERS
    turned: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if is_crowded else {}
    ax.set_xticks(places, labels=list(groups), **turned)
    without_minor_ticks(ax.xaxis)
    ax.set_xlim(-0.5, len(groups) - 0.5)
    return ax


def _flux_axis(ax: Axes, quantity: str, unit: str) -> float:
    """Label the vertical axis; return the factor to the unit that it shows."""
    factor = scale_of(ax.yaxis, unit)
    ax.set_ylabel(axis_label(sed_label(quantity) if quantity in SED_NAMES else quantity, ax.yaxis.get_units()))
    return factor


def _draw(
    ax: Axes, center: FloatArray, reach: FloatArray, curve: Curve, number: int | None, style: dict[str, Any]
) -> None:
    height, below, above, is_limit = heights(curve.values, curve.errors, curve.limits, curve.is_limit)
    shown = np.isfinite(height)
    usual = {"marker": "o", "linestyle": "none", "markersize": 4, "linewidth": 1.2}
    several = {} if number is None else point_style(number)
    look = merged_style(usual, several, {"label": curve.label} if curve.label else {}, style)
    ax.errorbar(
        center[shown],
        height[shown],
        xerr=reach[shown],
        yerr=np.stack([below, above])[:, shown],
        uplims=is_limit[shown],
        **look,
    )
    name_limits(ax, bool(is_limit[shown].any()))


def _scale(ax: Axes, curves: Sequence[Curve]) -> None:
    height = np.concatenate([heights(one.values, one.errors, one.limits, one.is_limit)[0] for one in curves])
    height = height[np.isfinite(height)]
    if height.size and height.min() > 0 and height.max() > LINEAR_RANGE * height.min():
        ax.set_yscale("log", nonpositive="clip")
    elif height.size and height.min() >= 0 and ax.get_yscale() == "linear":
        ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))


@styled
def plot_profiles(
    bounds: FloatArray,
    profiles: Profiles,
    quantity: str,
    unit: str,
    ax: Axes | None = None,
    add_cbar: bool = True,
    time_format: str = "iso",
    **style: Any,
) -> Axes:
    """Draw the likelihood profile of each bin of time as a coloured column, under what the Axes hold.

    Parameters
    ----------
    bounds
        Start and stop of each bin as MJD (TT), shape (ntime, 2).
    profiles
        What to draw; its ``bounds`` are those of the columns on the axis.
    quantity, unit, ax, add_cbar, **style
        As ``plot_ts_profiles`` of flux points takes them.
    time_format
        ``iso`` for dates, ``mjd`` for days.

    Raises
    ------
    ConfigError
        For another ``time_format``.
    """
    validate_time_format(time_format)
    ax = normalize_axes(ax)
    is_new = not ax.has_data()
    columns = replace(profiles, bounds=days_on_axis(bounds, time_format))
    plot_ts_profiles(columns, quantity, unit, ax, add_cbar, in_energy=False, **style)
    if is_new:
        label_time(ax, bounds, time_format)
    return ax
