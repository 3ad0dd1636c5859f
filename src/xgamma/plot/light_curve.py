"""Light curves: flux against time, for one energy bin or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cbook import normalize_kwargs
from matplotlib.lines import Line2D

from xgamma.axes import BoolArray, FloatArray
from xgamma.plot.labels import axis_label, normalize_axes, show_legend
from xgamma.plot.sed import UPPER_LIMIT_LENGTH, Profiles, bars, plot_ts_profiles
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
    center = days_on_axis(bounds.mean(axis=1), time_format)
    for curve in curves:
        _draw(ax, center, np.diff(bounds, axis=1)[:, 0] / 2, curve, style)
    label_time(ax, bounds, time_format, close_gaps)
    ax.set_ylabel(axis_label(quantity, unit))
    if shows_zero:
        _scale(ax, curves)
    show_legend(ax)
    return ax


def plot_curve_of_groups(
    groups: Sequence[str], curve: Curve, quantity: str, unit: str, ax: Axes | None = None, **style: Any
) -> Axes:
    """Draw the values of groups that have no order in time side by side, with their names below."""
    ax = normalize_axes(ax)
    places = np.arange(len(groups), dtype=float)
    _draw(ax, places, np.zeros(len(groups)), curve, style)
    is_crowded = sum(map(len, groups)) > CHARACTERS
    turned: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if is_crowded else {}
    ax.set_xticks(places, labels=list(groups), **turned)
    ax.set_xlim(-0.5, len(groups) - 0.5)
    ax.set_ylabel(axis_label(quantity, unit))
    return ax


def _draw(ax: Axes, center: FloatArray, reach: FloatArray, curve: Curve, style: dict[str, Any]) -> None:
    is_limit, height = curve.is_limit & np.isfinite(curve.limits), _heights(curve)
    arrows = np.stack([UPPER_LIMIT_LENGTH * curve.limits, np.zeros_like(curve.limits)])
    below, above = bars(np.where(is_limit, arrows, curve.errors))
    shown = np.isfinite(height)
    marks = {} if "fmt" in style else {"marker": "o", "linestyle": "none"}
    ax.errorbar(
        center[shown],
        height[shown],
        xerr=reach[shown],
        yerr=np.stack([below, above])[:, shown],
        uplims=is_limit[shown],
        **{**marks, "markersize": 4, "linewidth": 1.2, "label": curve.label or None, **normalize_kwargs(style, Line2D)},
    )


def _heights(curve: Curve) -> FloatArray:
    return np.where(curve.is_limit & np.isfinite(curve.limits), curve.limits, curve.values)


def _scale(ax: Axes, curves: Sequence[Curve]) -> None:
    height = np.concatenate([_heights(curve) for curve in curves])
    height = height[np.isfinite(height)]
    if height.size and height.min() > 0 and height.max() > LINEAR_RANGE * height.min():
        ax.set_yscale("log", nonpositive="clip")
    elif height.size and height.min() >= 0 and ax.get_yscale() == "linear":
        ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))


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
