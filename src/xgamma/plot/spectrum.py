"""Spectra as curves and error bands, factors over time, and the responses of one spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy import units as u
from matplotlib.axes import Axes

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.plot.figures import normalize_axes
from xgamma.plot.labels import ENERGY, ENERGY_TRUE, axis_label, format_energies, label_energies, label_energy, sed_label
from xgamma.plot.quantities import scale_of
from xgamma.plot.style import BAND, merged_style, styled


@styled
def plot_spectrum(
    energy: FloatArray, values: FloatArray, unit: str, quantity: str,
    ax: Axes | None = None, energy_power: int = 0, yunits: Any = None, energy_unit: Any = None, **style: Any,
) -> Axes:  # fmt: skip
    """Draw a curve on logarithmic axes.

    Parameters
    ----------
    energy
        In TeV, shape (n,).
    values, unit
        The quantity at each energy and its unit.
    quantity
        The kind of spectrum, such as ``dnde``, that the vertical axis says.
    energy_power
        The power of the energy, in TeV, that the values are multiplied with.
    ax
        The Axes to draw on, whose units are kept; the current ones by default.
    yunits, energy_unit
        Other units that are shown.
    **style
        Passed to matplotlib.

    Raises
    ------
    ConfigError
        For a unit of another dimension.
    """
    ax = normalize_axes(ax)
    factor, scale = _label(ax, unit, quantity, energy_power, yunits, energy_unit)
    ax.plot(energy * scale, values * energy**energy_power * factor, **style)
    return _logarithmic(ax)


@styled
def plot_spectrum_band(
    energy: FloatArray, low: FloatArray, high: FloatArray, unit: str, quantity: str,
    ax: Axes | None = None, energy_power: int = 0, yunits: Any = None, energy_unit: Any = None, **style: Any,
) -> Axes:  # fmt: skip
    """Fill between two curves on logarithmic axes; arguments as in ``plot_spectrum``."""
    ax = normalize_axes(ax)
    factor, scale = _label(ax, unit, quantity, energy_power, yunits, energy_unit)
    weight = energy**energy_power * factor
    # A band that reaches below zero would leave a logarithmic axis; it is cut a decade below its upper end.
    bottom = np.maximum(low, 0.1 * np.abs(high))
    if not (high > low).any():
        # Without an error there is no band to name.
        style = {**style, "label": None}
    colors = {} if {"color", "facecolor", "fc", "facecolors"} & set(style) else {"facecolor": "black"}
    ax.fill_between(energy * scale, bottom * weight, high * weight, **{**BAND, **colors, **style})
    return _logarithmic(ax)


def band_label(name: str = "") -> str:
    """Return what a legend says of the error band of a named spectrum."""
    return rf"{name} $\pm$ 1 $\sigma$".lstrip()


def _logarithmic(ax: Axes) -> Axes:
    """Make the vertical axis logarithmic, once a curve is drawn: points alone may all lie below zero."""
    ax.set_yscale("log", nonpositive="clip")
    return ax


def _label(ax: Axes, unit: str, quantity: str, energy_power: int, yunits: Any, energy_unit: Any) -> tuple[float, float]:
    """Make axes those of a spectrum, and return the factors to the units that they show, of values and of TeV."""
    own = u.Unit(unit) * u.TeV**energy_power
    if yunits is not None and not u.Unit(yunits).is_equivalent(own):
        raise ConfigError(f"yunits: expected a unit that {own} converts to, got {u.Unit(yunits)}.")
    factor = scale_of(ax.yaxis, own, yunits, "yunits")
    ax.set_ylabel(axis_label(sed_label(quantity, energy_power), ax.yaxis.get_units()))
    return factor, label_energies(ax, ENERGY, energy_unit)


@styled
def plot_factor(at: FloatArray, values: FloatArray, axis: str, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw a factor of a flux over time or phase."""
    ax = normalize_axes(ax)
    ax.plot(at, values, **style)
    ax.margins(x=0.0)
    ax.set_xlabel(axis)
    ax.set_ylabel("Factor of the flux")
    return ax


@styled
def plot_exposure(edges_true: FloatArray, exposure: FloatArray, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw an exposure (nbin_true,) in m2 s over true energy in TeV."""
    ax = normalize_axes(ax)
    positive = np.where(exposure > 0, exposure, np.nan)
    label_energy(ax, edges_true, ENERGY_TRUE)
    factor = scale_of(ax.yaxis, "m2 s")
    ax.stairs(
        positive * factor,
        edges_true * label_energies(ax, ENERGY_TRUE),
        baseline=None,
        **merged_style({"lw": 1.4}, style),
    )
    ax.set_yscale("log")
    ax.set_ylabel(axis_label("Exposure", ax.yaxis.get_units()))
    return ax


@styled
def plot_edisp(
    edges_true: FloatArray,
    edges: FloatArray,
    edisp: FloatArray,
    ax: Axes | None = None,
    add_cbar: bool = True,
    **style: Any,
) -> Axes:
    """Draw a migration matrix (nbin_true, nbin): the probability of each bin of energy, with a colour bar."""
    ax = normalize_axes(ax)
    label_energy(ax, edges_true, ENERGY_TRUE)
    scale, scale_true = scale_of(ax.yaxis, "TeV"), label_energies(ax, ENERGY_TRUE)
    drawing = {"vmin": 0.0, "rasterized": True, **style}
    mesh = ax.pcolormesh(edges_true * scale_true, edges * scale, np.asarray(edisp).T, **drawing)
    ax.set_yscale("log")
    format_energies(ax.yaxis)
    ax.set_ylim(edges[0] * scale, edges[-1] * scale)
    ax.set_ylabel(axis_label(ENERGY, ax.yaxis.get_units()))
    if add_cbar:
        ax.figure.colorbar(mesh, ax=ax, label="Probability").minorticks_off()
    return ax


@styled
def plot_bias(energy_true: FloatArray, bias: FloatArray, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw how much larger the mean energy is than the true one in TeV, as a fraction of it; shapes (energy_true,)."""
    ax = normalize_axes(ax)
    label_energy(ax, energy_true, ENERGY_TRUE)
    ax.plot(energy_true * label_energies(ax, ENERGY_TRUE), bias, **merged_style({"lw": 1.4}, style))
    ax.axhline(0.0, color="0.4", lw=0.8, zorder=0.8)
    ax.set_ylabel("(Mean energy - true energy) / true energy")
    return ax
