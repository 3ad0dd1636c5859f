"""Spectra as curves and error bands."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy import units as u
from matplotlib.axes import Axes

from xgamma.axes import FloatArray
from xgamma.plot.labels import axis_label, normalize_axes


def plot_spectrum(
    energy: FloatArray, values: FloatArray, unit: str, quantity: str,
    ax: Axes | None = None, energy_power: int = 0, **style: Any,
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
    **style
        Passed to matplotlib.
    """
    ax = normalize_axes(ax)
    ax.plot(energy, values * energy**energy_power, **style)
    return _label(ax, unit, quantity, energy_power)


def plot_spectrum_band(
    energy: FloatArray, low: FloatArray, high: FloatArray, unit: str, quantity: str,
    ax: Axes | None = None, energy_power: int = 0, **style: Any,
) -> Axes:  # fmt: skip
    """Fill between two curves on logarithmic axes; arguments as in ``plot_spectrum``."""
    ax = normalize_axes(ax)
    weight = energy**energy_power
    # A band that reaches below zero would leave a logarithmic axis; it is cut a decade below its upper end.
    bottom = np.maximum(low, 0.1 * np.abs(high))
    ax.fill_between(energy, bottom * weight, high * weight, **{"facecolor": "black", "alpha": 0.2, "lw": 0, **style})
    return _label(ax, unit, quantity, energy_power)


def _label(ax: Axes, unit: str, quantity: str, energy_power: int) -> Axes:
    ax.set_xscale("log")
    ax.set_yscale("log", nonpositive="clip")
    ax.set_xlabel(axis_label("Energy", "TeV"))
    name = quantity if energy_power == 0 else f"E{energy_power} {quantity}".replace("E1 ", "E ")
    ax.set_ylabel(axis_label(name, str((u.Unit(unit) * u.TeV**energy_power).to_string())))
    return ax
