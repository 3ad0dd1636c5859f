"""Pictures of responses: lines over energy and offset, densities, planes of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from xgamma.axes import FloatArray
from xgamma.plot.figures import normalize_axes
from xgamma.plot.labels import ENERGY_TRUE, axis_label, energy_scale, label_energy, name_power
from xgamma.plot.legends import show_legend
from xgamma.plot.quantities import scale_of
from xgamma.plot.style import line_style, merged_style, styled

FAR = 30.0
"""Lines whose largest values differ by more than this have a logarithmic axis."""
FLAT = 10.0
"""A response that varies by more than this has logarithmic colours."""
DECADES = 4.0
"""How much they span at most: at its borders a response is many times smaller."""


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
    energy_name: str = ENERGY_TRUE,
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
    energy_name
        What the horizontal axis says.
    """
    ax = normalize_axes(ax)
    label_energy(ax, energy, energy_name)
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
    edges_true: FloatArray,
    migra: FloatArray,
    density: FloatArray,
    offset: float,
    ax: Axes | None = None,
    add_cbar: bool = True,
    **style: Any,
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
    return _with_bar(ax, mesh, f"Density at {offset:.2g} deg", "", add_cbar)


@styled
def plot_densities(
    migra: FloatArray,
    density: FloatArray,
    energies: FloatArray,
    offset: float,
    ax: Axes | None = None,
    **style: Any,
) -> Axes:
    """Draw the density over energy / true energy, a line for each true energy in TeV; shape (energy_true, migra)."""
    ax = normalize_axes(ax)
    for number, (energy, line) in enumerate(zip(energies, density, strict=True)):
        look = {"label": f"{energy:.3g} TeV", "drawstyle": "steps-mid"}
        ax.plot(migra, line, **merged_style(line_style(number), look, style))
    ax.set_xlim(migra[0], min(float(migra[-1]), 2.5))
    ax.set_ylim(bottom=0.0, auto=True)
    ax.set_xlabel("Energy / true energy")
    ax.set_ylabel(f"Density at {offset:.2g} deg")
    show_legend(ax)
    return ax


@styled
def plot_radial(
    rad: FloatArray,
    values: FloatArray,
    labels: Sequence[str],
    quantity: str,
    unit: str,
    ax: Axes | None = None,
    **style: Any,
) -> Axes:
    """Draw lines over the distance from the source in degrees, values of shape (line, rad); what is 0 is left out."""
    ax = normalize_axes(ax)
    for number, (label, line) in enumerate(zip(labels, values, strict=True)):
        look = merged_style(line_style(number), {"lw": 1.4, "label": label}, style)
        ax.plot(rad, np.where(line > 0, line, np.nan), **look)
    ax.set_yscale("log")
    top = float(values.max(initial=0.0))
    if top > 0:
        ax.set_ylim(bottom=10**-DECADES * top if values[values > 0].min() < 10**-DECADES * top else None)
    ax.set_xlabel(axis_label("Distance from the source", "deg"))
    ax.set_ylabel(axis_label(quantity, unit))
    show_legend(ax)
    return ax


@styled
def plot_over_offset(
    offset: FloatArray,
    values: FloatArray,
    energies: FloatArray,
    quantity: str,
    unit: str,
    ax: Axes | None = None,
    **style: Any,
) -> Axes:
    """Draw a response over the offset in deg, (offset,), a line for each energy in TeV; values (energy, offset)."""
    ax = normalize_axes(ax)
    factor = scale_of(ax.yaxis, unit)
    for number, (energy, line) in enumerate(zip(energies, values, strict=True)):
        if (line > 0).any():
            look = merged_style(line_style(number), {"label": f"{energy:.3g} TeV"}, style)
            ax.plot(offset, np.where(line > 0, line, np.nan) * factor, **look)
    ax.set_xlim(0.0, float(offset[-1]))
    tops = values.max(axis=1)[(values > 0).any(axis=1)]
    if tops.size and tops.max() > FAR * tops.min():
        ax.set_yscale("log")
        ax.set_ylim(bottom=factor * max(float(values[values > 0].min()), float(tops.min()) / FAR))
    else:
        ax.set_ylim(bottom=0.0, auto=True)
    ax.set_xlabel(axis_label("Offset", "deg"))
    ax.set_ylabel(axis_label(quantity, ax.yaxis.get_units()))
    name_power(ax.yaxis)
    show_legend(ax)
    return ax


@styled
def plot_plane(
    edges: FloatArray,
    offset_edges: FloatArray,
    values: FloatArray,
    quantity: str,
    unit: str,
    ax: Axes | None = None,
    energy_name: str = ENERGY_TRUE,
    add_cbar: bool = True,
    **style: Any,
) -> Axes:
    """Draw a response, shape (offset, energy), as colours over energy in TeV and offset in deg, edges of both."""
    ax = normalize_axes(ax)
    label_energy(ax, edges, energy_name)
    shown = np.where(values > 0, values, np.nan)
    drawing: dict[str, Any] = {"cmap": "viridis", "rasterized": True, **style}
    if "norm" not in drawing and "vmin" not in drawing and np.isfinite(shown).any():
        top = float(np.nanmax(shown))
        if top > FLAT * float(np.nanmin(shown)):
            drawing["norm"] = LogNorm(max(float(np.nanmin(shown)), 10**-DECADES * top), top)
    mesh = ax.pcolormesh(edges * energy_scale(ax), offset_edges, shown, **drawing)
    ax.set_ylim(max(offset_edges[0], 0.0), offset_edges[-1])
    ax.set_ylabel(axis_label("Offset", "deg"))
    return _with_bar(ax, mesh, quantity, unit, add_cbar)


@styled
def plot_field(
    edges: FloatArray,
    values: FloatArray,
    quantity: str,
    unit: str,
    ax: Axes | None = None,
    add_cbar: bool = True,
    **style: Any,
) -> Axes:
    """Draw a response over the field of view, shape (lat, lon), whose edges in deg are the same in both directions."""
    ax = normalize_axes(ax)
    mesh = ax.pcolormesh(edges, edges, values, **{"cmap": "viridis", "rasterized": True, **style})
    ax.set_aspect("equal")
    ax.set_xlabel(axis_label("Longitude of the field of view", "deg"))
    ax.set_ylabel(axis_label("Latitude", "deg"))
    return _with_bar(ax, mesh, quantity, unit, add_cbar)


@styled
def plot_pixels(values: FloatArray, quantity: str, ax: Axes | None = None, add_cbar: bool = True, **style: Any) -> Axes:
    """Draw values of pixels about the middle one, shape (y, x)."""
    ax = normalize_axes(ax)
    (ny, nx), look = values.shape, {"cmap": "viridis", "origin": "lower", **style}
    image = ax.imshow(values, extent=(-nx / 2, nx / 2, -ny / 2, ny / 2), **look)
    ax.set_xlabel("Pixels from the middle")
    ax.set_ylabel("Pixels from the middle")
    return _with_bar(ax, image, quantity, "", add_cbar)


def _with_bar(ax: Axes, mesh: Any, quantity: str, unit: str, add_cbar: bool) -> Axes:
    if add_cbar:
        bar = ax.figure.colorbar(mesh, ax=ax, label=axis_label(quantity, unit))
        bar.minorticks_off()
        name_power(bar.ax.yaxis)
    return ax
