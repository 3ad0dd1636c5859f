"""Spectra as curves and error bands, factors over time, and the responses of one spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy import units as u
from matplotlib.axes import Axes

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.plot.labels import ENERGY_TRUE, axis_label, label_energy, normalize_axes


def plot_spectrum(
    energy: FloatArray, values: FloatArray, unit: str, quantity: str,
    ax: Axes | None = None, energy_power: int = 0, yunits: Any = None, **style: Any,
) -> Axes:  # fmt: skip
    """Draw a curve on logarithmic axes.

    Parameters
    ----------
    energy
        In TeV, shape (n,).
    values, unit
        The quantity at each energy and its unit.
    quantity
        The name of the quantity on the vertical axis.
    energy_power
        The power of the energy, in TeV, that the values are multiplied with.
    ax
        The Axes to draw on; the current ones by default.
    yunits
        Another unit that is shown.
    **style
        Passed to matplotlib.

    Raises
    ------
    ConfigError
        For a unit of another dimension.
    """
    ax = normalize_axes(ax)
    factor, shown = _shown(unit, yunits, energy_power)
    ax.plot(energy, values * energy**energy_power * factor, **style)
    return _label(ax, shown, quantity, energy_power)


def plot_spectrum_band(
    energy: FloatArray, low: FloatArray, high: FloatArray, unit: str, quantity: str,
    ax: Axes | None = None, energy_power: int = 0, yunits: Any = None, **style: Any,
) -> Axes:  # fmt: skip
    """Fill between two curves on logarithmic axes; arguments as in ``plot_spectrum``."""
    ax = normalize_axes(ax)
    factor, shown = _shown(unit, yunits, energy_power)
    weight = energy**energy_power * factor
    # A band that reaches below zero would leave a logarithmic axis; it is cut a decade below its upper end.
    bottom = np.maximum(low, 0.1 * np.abs(high))
    ax.fill_between(energy, bottom * weight, high * weight, **{"facecolor": "black", "alpha": 0.2, "lw": 0, **style})
    return _label(ax, shown, quantity, energy_power)


def _shown(unit: str, yunits: Any, energy_power: int) -> tuple[float, u.UnitBase]:
    """Return the factor to the unit that is shown, and that unit."""
    own = u.Unit(unit) * u.TeV**energy_power
    other = own if yunits is None else u.Unit(yunits)
    try:
        return float(own.to(other)), other
    except u.UnitConversionError:
        raise ConfigError(f"yunits: expected a unit that {own} converts to, got {other}.") from None


def _label(ax: Axes, unit: u.UnitBase, quantity: str, energy_power: int) -> Axes:
    ax.set_xscale("log")
    ax.set_yscale("log", nonpositive="clip")
    ax.set_xlabel(axis_label("Energy", "TeV"))
    name = quantity if energy_power == 0 else f"E{energy_power} {quantity}".replace("E1 ", "E ")
    ax.set_ylabel(axis_label(name, str(unit.to_string())))
    return ax


def plot_factor(at: FloatArray, values: FloatArray, axis: str, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw a factor of a flux over time or phase."""
    ax = normalize_axes(ax)
    ax.plot(at, values, **style)
    ax.set_xlabel(axis)
    ax.set_ylabel("Factor of the flux")
    return ax


def plot_exposure(edges_true: FloatArray, exposure: FloatArray, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw an exposure (nbin_true,) in m2 s over true energy in TeV."""
    ax = normalize_axes(ax)
    positive = np.where(exposure > 0, exposure, np.nan)
    ax.stairs(positive, edges_true, baseline=None, **{"lw": 1.4, **style})
    ax.set_yscale("log")
    label_energy(ax, edges_true, ENERGY_TRUE)
    ax.set_ylabel(axis_label("Exposure", "m2 s"))
    return ax


def plot_edisp(
    edges_true: FloatArray, edges: FloatArray, edisp: FloatArray, ax: Axes | None = None, **style: Any
) -> Axes:
    """Draw a migration matrix (nbin_true, nbin): the probability of each bin of energy, with a colour bar."""
    ax = normalize_axes(ax)
    mesh = ax.pcolormesh(edges_true, edges, edisp.T, **{"vmin": 0.0, "cmap": "viridis", "rasterized": True, **style})
    label_energy(ax, edges_true, ENERGY_TRUE)
    ax.set_yscale("log")
    ax.set_ylim(edges[0], edges[-1])
    ax.set_ylabel(axis_label("Energy", "TeV"))
    ax.figure.colorbar(mesh, ax=ax, label="Probability")
    return ax
