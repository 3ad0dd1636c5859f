"""Horizontal axes of time: dates or days, with the gaps between nights as they are or closed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, num2date
from matplotlib.ticker import FuncFormatter, NullLocator

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError, did_you_mean

TIME_FORMATS = ("iso", "mjd")

UNIX_EPOCH = 40587.0
"""MJD of day 0 of the dates of matplotlib."""

SHORT_SPAN = 10.0
"""Days; ticks of shorter spans count from a whole MJD, as all of its digits would not fit."""

LONG_GAP = 0.25
"""Days; a longer gap parts two nights."""

CLOSED_GAP, MARGIN = 0.08, 0.04
"""How wide closed gaps and the margins are, as fractions of all that is not in gaps."""

STEPS = np.array([1 / 288, 1 / 144, 1 / 48, 1 / 24, 1 / 12, 1 / 8, 1 / 4, 1 / 2, 1, 2, 5, 10, 20, 50, 100, 200, 500])
"""Distances of ticks in days: of 5 minutes, 10, 30, hours and days."""

LABELS_MOST, NIGHTS_LABELLED = 8, 6
"""How many labels fit, and how many nights of which each gets its times."""


@dataclass(frozen=True)
class Stretches:
    """Bins of time that are not further apart than ``LONG_GAP``, and the axis on which gaps between them are closed.

    Parameters
    ----------
    edges
        Start and stop of each stretch in days, ascending, shape (nstretch, 2).
    """

    edges: FloatArray

    @classmethod
    def of(cls, bounds: FloatArray) -> Stretches:
        """Return the stretches of bins in days, shape (ntime, 2), in any order."""
        rows = bounds[np.argsort(bounds[:, 0])]
        latest = np.maximum.accumulate(rows[:, 1])
        begins = np.concatenate([[True], rows[1:, 0] - latest[:-1] > LONG_GAP])
        ends = np.concatenate([begins[1:], [True]])
        return cls(np.stack([rows[begins, 0], latest[ends]], axis=1))

    @property
    def length(self) -> float:
        """The time inside of stretches."""
        return float(np.diff(self.edges, axis=1).sum())

    def nodes(self) -> tuple[FloatArray, FloatArray]:
        """Return the edges of all stretches, and where they stand on the axis."""
        gaps = np.minimum(self.edges[1:, 0] - self.edges[:-1, 1], CLOSED_GAP * self.length)
        steps = np.empty(self.edges.size - 1)
        steps[::2], steps[1::2] = np.diff(self.edges, axis=1)[:, 0], gaps
        return self.edges.ravel(), np.concatenate([[0.0], np.cumsum(steps)])

    def scale(self) -> tuple[Any, Any]:
        """Return the function from days to the axis and its inverse; both go on with slope 1 outside."""
        days, places = self.nodes()
        ends = np.array([-1e6, 1e6])
        x = np.concatenate([days[:1] + ends[0], days, days[-1:] + ends[1]])
        y = np.concatenate([places[:1] + ends[0], places, places[-1:] + ends[1]])
        return (lambda day: np.interp(day, x, y)), (lambda place: np.interp(place, y, x))


def validate_time_format(time_format: str) -> None:
    """Raise ``ConfigError`` unless it is one of ``TIME_FORMATS``."""
    if time_format not in TIME_FORMATS:
        raise ConfigError(f"time_format: there is no {time_format!r}.{did_you_mean(time_format, TIME_FORMATS)}")


def days_on_axis(mjd: FloatArray, time_format: str) -> FloatArray:
    """Return MJD as the numbers of the axis: days since 1970 for dates."""
    return mjd - UNIX_EPOCH if time_format == "iso" else mjd


def label_time(ax: Axes, bounds: FloatArray, time_format: str, close_gaps: bool = False) -> None:
    """Make the horizontal axis one of dates or of MJD (TT).

    Parameters
    ----------
    ax
        What is drawn on.
    bounds
        Start and stop of all bins as MJD (TT), shape (ntime, 2).
    time_format
        ``iso`` or ``mjd``.
    close_gaps
        Whether long gaps between bins are drawn as narrow grey bands.
    """
    first = float(np.floor(bounds.min())) if time_format == "mjd" and np.ptp(bounds) < SHORT_SPAN else 0.0
    ax.set_xlabel("Date (TT)" if time_format == "iso" else f"MJD - {first:.0f} (TT)" if first else "MJD (TT)")
    stretches = Stretches.of(days_on_axis(bounds, time_format))
    if close_gaps and len(stretches.edges) > 1:
        _close_gaps(ax, stretches)
        _label_stretches(ax, stretches, time_format, first)
    elif time_format == "iso":
        locator = AutoDateLocator()
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    else:
        ax.xaxis.set_major_formatter(FuncFormatter(lambda day, _: f"{day - first:.6g}"))


def _close_gaps(ax: Axes, stretches: Stretches) -> None:
    ax.set_xscale("function", functions=stretches.scale())
    margin = MARGIN * stretches.length
    for stop, start in zip(stretches.edges[:-1, 1], stretches.edges[1:, 0], strict=True):
        # Bins end at the edges of a stretch, and a band beside them would look like a part of them.
        # It covers lines behind the points.
        inside = 0.2 * (start - stop)
        ax.axvspan(stop + inside, start - inside, color="0.9", lw=0, zorder=0.6)
    ax.set_xlim(stretches.edges[0, 0] - margin, stretches.edges[-1, 1] + margin)


def _label_stretches(ax: Axes, stretches: Stretches, time_format: str, first: float) -> None:
    style: dict[str, Any] = {}
    count = len(stretches.edges)
    if count > NIGHTS_LABELLED:
        ticks = stretches.edges.mean(axis=1)[:: int(np.ceil(count / (2 * LABELS_MOST)))]
        labels = [_day(tick, time_format, first, ".1f") for tick in ticks]
        style = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    else:
        each = [_ticks(start, stop, max(LABELS_MOST // count, 1)) for start, stop in stretches.edges]
        ticks = np.concatenate(each)
        heads = {float(group[0]) for group in each}
        labels = [_time(tick, time_format, first, tick in heads) for tick in ticks.tolist()]
    ax.set_xticks(ticks, labels=labels, **style)
    ax.xaxis.set_minor_locator(NullLocator())


def _ticks(start: float, stop: float, most: int) -> FloatArray:
    """Return round days between two, a few of them; their middle where there is none."""
    for step in STEPS:
        ticks: FloatArray = np.arange(np.ceil(start / step - 1e-9), np.floor(stop / step + 1e-9) + 1) * step
        if len(ticks) <= most:
            return ticks if len(ticks) else np.array([0.5 * (start + stop)])
    return np.array([0.5 * (start + stop)])


def _day(day: float, time_format: str, first: float, digits: str) -> str:
    return num2date(day).strftime("%Y-%m-%d") if time_format == "iso" else f"{day - first:{digits}}"


def _time(day: float, time_format: str, first: float, is_first: bool) -> str:
    if time_format == "mjd":
        return f"{day - first:.2f}"
    # Half a second for days that are not whole in binary.
    text = num2date(day + 0.5 / 86400).strftime("%H:%M")
    return f"{text}\n{num2date(day).strftime('%Y-%m-%d')}" if is_first else text
