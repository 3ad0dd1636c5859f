"""Pictures of runs: their events, where they pointed, and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from xgamma.axes import FloatArray
from xgamma.plot.figures import normalize_axes
from xgamma.plot.labels import axis_label, energy_scale, label_energy
from xgamma.plot.legends import show_legend
from xgamma.plot.style import cycle_color, merged_style, point_style, styled
from xgamma.plot.time_axis import UNIX_EPOCH, label_time

OFFSET = axis_label("Offset", "deg")
BINS = 40
PIXELS = 60
TARGETS_MOST = 8
"""How many targets a legend names."""
IMAGE_SHARE = 0.98
"""How many of the events an image holds: a few stray ones would make it empty."""


@styled
def plot_event_image(x: FloatArray, y: FloatArray, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw how many events there are on the plane; ``x`` to the west, ``y`` to the north, deg, shape (event,)."""
    ax = normalize_axes(ax)
    seen = np.isfinite(x) & np.isfinite(y)
    reach = float(np.quantile(np.hypot(x[seen], y[seen]), IMAGE_SHARE)) if seen.any() else 1.0
    edges = np.linspace(-reach, reach, PIXELS + 1)
    counts, _, _ = np.histogram2d(-x[seen], y[seen], bins=(edges, edges))
    mesh = ax.pcolormesh(edges, edges, np.sqrt(counts.T), **{"cmap": "viridis", "rasterized": True, **style})
    ax.invert_xaxis()
    ax.set_aspect("equal")
    ax.set_xlabel(axis_label("East of the pointing", "deg"))
    ax.set_ylabel(axis_label("North", "deg"))
    ax.figure.colorbar(mesh, ax=ax, label="sqrt(events)").minorticks_off()
    return ax


@styled
def plot_event_energies(energy: FloatArray, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw a histogram of energies in TeV, shape (event,)."""
    ax, edges = normalize_axes(ax), _energy_edges(energy)
    counts = np.histogram(energy, edges)[0]
    label_energy(ax, edges)
    ax.stairs(counts, edges * energy_scale(ax), **merged_style({"lw": 1.4}, style))
    if len(energy):
        ax.set_yscale("log", nonpositive="clip")
        # Half an event is where one bin with a single event still has a height.
        ax.set_ylim(0.5, 2.0 * counts.max())
    ax.set_ylabel("Events")
    return ax


@styled
def plot_event_rate(time: FloatArray, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw the rate of events over the minutes since the first; times in s, shape (event,)."""
    ax = normalize_axes(ax)
    minutes = (time - np.min(time, initial=np.inf)) / 60.0 if len(time) else np.zeros(0)
    edges = np.linspace(0.0, max(float(np.max(minutes, initial=0.0)), 1e-6), 31)
    rate = np.histogram(minutes, edges)[0] / (60.0 * np.diff(edges))
    ax.stairs(rate, edges, **merged_style({"lw": 1.4}, style))
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel(axis_label("Time since the first event", "min"))
    ax.set_ylabel(axis_label("Rate", "s-1"))
    return ax


@styled
def plot_event_offsets(offset: FloatArray, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw a histogram of squared offsets in deg2, in which an even field is flat; shape (event,)."""
    ax = normalize_axes(ax)
    edges = np.linspace(0.0, _reach(offset) ** 2, BINS + 1)
    ax.stairs(np.histogram(offset**2, edges)[0], edges, **merged_style({"lw": 1.4}, style))
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel(axis_label("Squared offset", "deg2"))
    ax.set_ylabel("Events")
    return ax


@styled
def plot_event_energy_offset(energy: FloatArray, offset: FloatArray, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw how many events there are over energy in TeV and offset in deg, shapes (event,)."""
    ax, edges = normalize_axes(ax), _energy_edges(energy)
    offsets = np.linspace(0.0, _reach(offset), BINS + 1)
    counts, _, _ = np.histogram2d(energy, offset, bins=(edges, offsets))
    shown = np.where(counts > 0, counts, np.nan).T
    norm = LogNorm() if np.isfinite(shown).any() else None
    label_energy(ax, edges)
    mesh = ax.pcolormesh(edges * energy_scale(ax), offsets, shown, **{"norm": norm, "rasterized": True, **style})
    ax.set_ylabel(OFFSET)
    ax.figure.colorbar(mesh, ax=ax, label="Events").minorticks_off()
    return ax


def _reach(offset: FloatArray) -> float:
    return float(np.quantile(offset, IMAGE_SHARE)) if len(offset) else 1.0


def _energy_edges(energy: FloatArray) -> FloatArray:
    known = energy[np.isfinite(energy) & (energy > 0)]
    low, high = (known.min(), known.max()) if len(known) else (0.1, 10.0)
    return np.geomspace(low, max(high, low * 1.01) * (1 + 1e-9), BINS + 1)


@styled
def plot_pointings(
    lon: FloatArray, lat: FloatArray, targets: Sequence[str], ax: Axes | None = None, **style: Any
) -> Axes:
    """Draw where runs pointed, ICRS degrees, shape (run,), a marker for each target, the east to the left."""
    ax = normalize_axes(ax)
    known = targets if len(set(targets)) <= TARGETS_MOST else [""] * len(targets)
    for number, target in enumerate(dict.fromkeys(known)):
        own = np.array([one == target for one in known])
        ax.plot(lon[own], lat[own], **merged_style(point_style(number), {"ms": 6, "label": target or None}, style))
    if not len(lon):
        lon, lat = np.zeros(1), np.zeros(1)
    # A degree is as long in both directions, also where all runs pointed to one place.
    middle, stretch = 0.5 * (lat.min() + lat.max()), max(np.cos(np.deg2rad(lat.mean())), 0.05)
    half = max(0.6 * float(np.ptp(lon)) * stretch, 0.6 * float(np.ptp(lat)), 0.5)
    ax.set_ylim(max(middle - half, -90.0), min(middle + half, 90.0))
    east = 0.5 * (lon.min() + lon.max()) + half / stretch * np.array([1.0, -1.0])
    ax.set_xlim(*east)
    ax.set_aspect(1 / stretch)
    ax.set_xlabel(axis_label("Right ascension", "deg"))
    ax.set_ylabel(axis_label("Declination", "deg"))
    show_legend(ax)
    return ax


@styled
def plot_over_date(
    bounds: FloatArray, values: FloatArray, quantity: str, unit: str, ax: Axes | None = None, **style: Any
) -> Axes:
    """Draw a number of each run over its time; first start and last stop as MJD (TT), shape (run, 2)."""
    ax, center = normalize_axes(ax), bounds.mean(axis=1) - UNIX_EPOCH
    look = {"marker": "o", "linestyle": "none", "ms": 4, "color": cycle_color(0)}
    ax.errorbar(center, values, xerr=np.diff(bounds, axis=1)[:, 0] / 2, **merged_style(look, {"linewidth": 1.2}, style))
    label_time(ax, bounds, "iso", close_gaps=True)
    ax.set_ylim(0.0, 1.1 * float(np.nanmax(values, initial=0.0)) or 1.0)
    ax.set_ylabel(axis_label(quantity, unit))
    return ax


@styled
def plot_intervals(bounds: FloatArray, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw how much good time has been collected over time; starts and stops as MJD (TT), shape (interval, 2)."""
    ax, hours = normalize_axes(ax), 24.0 * np.diff(bounds, axis=1)[:, 0]
    for number, (start, stop) in enumerate(bounds - UNIX_EPOCH):
        before = hours[:number].sum()
        ax.axvspan(start, stop, color=cycle_color(0), alpha=0.15, lw=0)
        look = merged_style({"lw": 1.8, "color": cycle_color(0), "linestyle": "-"}, style)
        ax.plot([start, stop], [before, before + hours[number]], **look)
    if len(bounds):
        label_time(ax, bounds, "iso", close_gaps=True)
    else:
        ax.set_xlabel("Date (TT)")
    ax.set_ylim(0.0, 1.05 * hours.sum() or 1.0)
    ax.set_ylabel(axis_label("Good time", "h"))
    return ax
