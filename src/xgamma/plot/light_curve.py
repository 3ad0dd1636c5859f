"""Light curves: flux against time, for one energy bin or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import FuncFormatter

from xgamma.axes import BoolArray, FloatArray
from xgamma.errors import ConfigError, did_you_mean
from xgamma.plot.labels import axis_label, normalize_axes, show_legend
from xgamma.plot.sed import UPPER_LIMIT_LENGTH, bars

TIME_FORMATS = ("iso", "mjd")

UNIX_EPOCH = 40587.0
"""MJD of day 0 of the dates of matplotlib."""

LINEAR_RANGE = 20.0
"""Fluxes that differ by more are drawn on a logarithmic axis."""

SHORT_SPAN = 10.0
"""Days; ticks of shorter light curves count from a whole MJD, as all of its digits would not fit."""


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


def plot_light_curve(
    bounds: FloatArray,
    curves: Sequence[Curve],
    quantity: str,
    unit: str,
    ax: Axes | None = None,
    time_format: str = "iso",
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

    Raises
    ------
    ConfigError
        For another ``time_format``.
    """
    if time_format not in TIME_FORMATS:
        raise ConfigError(f"time_format: there is no {time_format!r}.{did_you_mean(time_format, TIME_FORMATS)}")
    ax = normalize_axes(ax)
    shift = UNIX_EPOCH if time_format == "iso" else 0.0
    center = bounds.mean(axis=1) - shift
    for curve in curves:
        _draw(ax, center, np.diff(bounds, axis=1)[:, 0] / 2, curve, style)
    label_time(ax, bounds, time_format)
    ax.set_ylabel(axis_label(quantity, unit))
    _scale(ax, curves)
    show_legend(ax)
    return ax


def _draw(ax: Axes, center: FloatArray, reach: FloatArray, curve: Curve, style: dict[str, Any]) -> None:
    is_limit, height = curve.is_limit & np.isfinite(curve.limits), _heights(curve)
    arrows = np.stack([UPPER_LIMIT_LENGTH * curve.limits, np.zeros_like(curve.limits)])
    below, above = bars(np.where(is_limit, arrows, curve.errors))
    shown = np.isfinite(height)
    ax.errorbar(
        center[shown],
        height[shown],
        xerr=reach[shown],
        yerr=np.stack([below, above])[:, shown],
        uplims=is_limit[shown],
        **{"fmt": "o", "ms": 4, "lw": 1.2, "label": curve.label or None, **style},
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


def label_time(ax: Axes, bounds: FloatArray, time_format: str) -> None:
    """Make the horizontal axis one of dates or of MJD; both are TT, which is 69.184 s ahead of UTC since 2017."""
    if time_format == "iso":
        locator = AutoDateLocator()
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        ax.set_xlabel("Date (TT)")
        return
    first = float(np.floor(bounds.min())) if np.ptp(bounds) < SHORT_SPAN else 0.0
    ax.xaxis.set_major_formatter(FuncFormatter(lambda day, _: f"{day - first:.6g}"))
    ax.set_xlabel(f"MJD - {first:.0f} (TT)" if first else "MJD (TT)")
