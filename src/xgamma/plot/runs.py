"""Pictures of runs: their events and their responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from xgamma.axes import FloatArray
from xgamma.plot.figures import normalize_axes
from xgamma.plot.labels import ENERGY, ENERGY_TRUE, axis_label, energy_scale, label_energy
from xgamma.plot.legends import show_legend
from xgamma.plot.quantities import scale_of
from xgamma.plot.style import line_style, merged_style, styled

OFFSET = axis_label("Offset", "deg")
BINS = 40
PIXELS = 60
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
def plot_lines(
    energy: FloatArray,
    values: FloatArray,
    offsets: FloatArray,
    quantity: str,
    unit: str,
    ax: Axes | None = None,
    label: str = "{offset:.2g} deg",
    yscale: str = "log",
    **style: Any,
) -> Axes:
    """Draw a response over energy, a line for each offset.

    Parameters
    ----------
    energy
        TeV, shape (energy,).
    values
        Shape (offset, energy); what is not above 0 is left out.
    offsets
        Deg, shape (offset,).
    quantity, unit
        What the vertical axis shows.
    ax, **style
        Where to draw, by default the current Axes, and what ``Axes.plot`` takes.
    label
        Of each line, with ``{offset}`` in it.
    yscale
        Of the vertical axis, which begins at 0 where it is ``linear``.
    """
    ax = normalize_axes(ax)
    label_energy(ax, energy, ENERGY if quantity.startswith(("Background", "Radius")) else ENERGY_TRUE)
    scale, factor = energy_scale(ax), scale_of(ax.yaxis, unit)
    for number, (offset, line) in enumerate(zip(offsets, values, strict=True)):
        shown = np.where(line > 0, line, np.nan) * factor
        look = merged_style(line_style(number), {"label": label.format(offset=offset)}, style)
        ax.plot(energy * scale, shown, **look)
    ax.set_yscale(yscale)
    if yscale == "linear":
        # More lines may follow.
        ax.set_ylim(bottom=0.0, auto=True)
    ax.set_ylabel(axis_label(quantity, ax.yaxis.get_units()))
    show_legend(ax)
    return ax


@styled
def plot_migration(
    edges_true: FloatArray, migra: FloatArray, density: FloatArray, offset: float, ax: Axes | None = None, **style: Any
) -> Axes:
    """Draw a density (migra, energy_true) over true energy, with a colour bar; edges of both axes, offset in deg."""
    ax = normalize_axes(ax)
    # The last energies of a table may hold few simulated events, all in one bin.
    top = float(np.quantile(density[density > 0], 0.99)) if (density > 0).any() else 1.0
    style = {"vmin": 0.0, "vmax": top, "cmap": "viridis", "rasterized": True, **style}
    label_energy(ax, edges_true, ENERGY_TRUE)
    mesh = ax.pcolormesh(edges_true * energy_scale(ax), migra, density, **style)
    ax.axhline(1.0, color="white", lw=0.6, ls=":")
    ax.set_ylim(migra[0], min(float(migra[-1]), 2.5))
    ax.set_ylabel("Energy / true energy")
    ax.figure.colorbar(mesh, ax=ax, label=f"Density at {offset:.2g} deg").minorticks_off()
    return ax


@styled
def plot_radial(
    rad: FloatArray, values: FloatArray, labels: Sequence[str], quantity: str, unit: str, ax: Axes | None = None
) -> Axes:
    """Draw lines over the distance from the source in degrees, values of shape (line, rad); what is 0 is left out."""
    ax = normalize_axes(ax)
    for number, (label, line) in enumerate(zip(labels, values, strict=True)):
        ax.plot(rad, np.where(line > 0, line, np.nan), lw=1.4, label=label, **line_style(number))
    ax.set_yscale("log")
    ax.set_xlabel(axis_label("Distance from the source", "deg"))
    ax.set_ylabel(axis_label(quantity, unit))
    show_legend(ax)
    return ax
