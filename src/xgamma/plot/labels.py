"""Axis labels with units, energy axes, and bins, drawn or shaded."""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
from astropy import units as u
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogFormatter, NullLocator

from xgamma.axes import LABELS, Axis, BoolArray, FloatArray
from xgamma.plot.figures import normalize_axes
from xgamma.plot.quantities import scale_of
from xgamma.plot.style import styled
from xgamma.units import unit_string

EDGE = 0.35
"""How far the line of an edge reaches above and below the centres."""
ENERGY = "Energy"
ENERGY_TRUE = "True energy"

SED_NAMES = {
    "dnde": r"$\mathrm{d}N/\mathrm{d}E$",
    "e2dnde": r"$E^2\,\mathrm{d}N/\mathrm{d}E$",
    "flux": "Integral flux",
    "eflux": "Energy flux",
    "norm": "Norm",
}
"""What the vertical axis says of the kinds of spectra."""


def unit_math(unit: str | u.UnitBase) -> str:
    """Write a unit as papers do, its powers raised by mathtext.

    >>> unit_math("erg cm-2 s-1"), unit_math("TeV"), unit_math("1 / (cm2 s TeV)")
    ('erg cm$^{-2}$ s$^{-1}$', 'TeV', 'cm$^{-2}$ s$^{-1}$ TeV$^{-1}$')
    """
    return re.sub(r"([A-Za-z])\(?(-?[\d./]+)\)?", r"\1$^{\2}$", unit_string(u.Unit(unit)))


def axis_label(name: str, unit: str | u.UnitBase) -> str:
    """Return ``name [unit]``, or the bare name of a dimensionless quantity."""
    text = unit_math(unit) if unit else ""
    return f"{name} [{text}]" if text else name


def sed_label(sed_type: str, energy_power: float = 0) -> str:
    """Return what the vertical axis says of a kind of spectrum, times a power of the energy.

    >>> sed_label("flux"), sed_label("dnde", 2) == sed_label("e2dnde"), sed_label("norm", 1)
    ('Integral flux', True, '$E$ Norm')
    """
    name = SED_NAMES.get(sed_type, sed_type)
    if sed_type in ("dnde", "e2dnde"):
        weight = _power_of_energy(energy_power + 2 * (sed_type == "e2dnde"))
        return f"${weight}\\,{SED_NAMES['dnde'][1:]}" if weight else SED_NAMES["dnde"]
    return f"${_power_of_energy(energy_power)}$ {name}" if energy_power else name


def _power_of_energy(power: float) -> str:
    return "" if power == 0 else "E" if power == 1 else f"E^{power:g}" if power in range(10) else f"E^{{{power:g}}}"


class EnergyFormatter(LogFormatter):
    """Labels of a logarithmic axis of energy: 0.1, 1 and 10 as such, what is far from 1 as a power of ten."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the label of a tick, empty where it has none."""
        if x <= 0 or not super().__call__(x, pos):
            return ""
        if 0.999e-3 <= x < 1e4:
            return f"{x:.3g}" if x < 999.5 else f"{x:.0f}"
        power = np.floor(np.log10(x) + 1e-9)
        factor = x / 10**power
        return rf"$10^{{{power:.0f}}}$" if abs(factor - 1) < 1e-6 else rf"${factor:.3g}\times10^{{{power:.0f}}}$"


def energy_scale(ax: Axes, unit: Any = None) -> float:
    """Let the horizontal axis carry a unit of energy, by default its own or TeV; return that unit over TeV.

    Quantities that are drawn on it later are converted. Raises ``ConfigError`` for a unit that is none of energy.
    """
    return scale_of(ax.xaxis, "TeV", unit, "energy_unit")


def label_energy(ax: Axes, edges: FloatArray, name: str = ENERGY, unit: Any = None) -> None:
    """Make the horizontal axis a logarithmic energy axis from the first to the last edge, in TeV."""
    scale = label_energies(ax, name, unit)
    ax.set_xlim(edges[0] * scale, edges[-1] * scale)


def label_energies(ax: Axes, name: str = ENERGY, unit: Any = None) -> float:
    """Make the horizontal axis a logarithmic energy axis with the limits that it has; return its unit over TeV."""
    scale = energy_scale(ax, unit)
    ax.set_xscale("log")
    format_energies(ax.xaxis)
    ax.set_xlabel(axis_label(name, ax.xaxis.get_units()))
    return scale


def format_energies(axis: Any) -> None:
    """Label the ticks of an axis as energies, between decades where there are few of them."""
    axis.set_major_formatter(EnergyFormatter())
    axis.set_minor_formatter(EnergyFormatter(labelOnlyBase=False, minor_thresholds=(1.2, 0.5)))


def name_power(axis: Any) -> None:
    """Write the power of ten of the numbers of a linear axis into its label, before the unit, and not above it."""
    largest = max(map(abs, axis.get_view_interval()))
    power = int(np.floor(np.log10(largest))) if largest > 0 else 0
    if axis.get_scale() != "linear" or -3 < power < 4:
        return
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 10.0**power:.6g}"))
    text = re.sub(r"(\[|)10\$\^\{-?\d+\}\$ ", r"\1", axis.get_label_text())
    factor = f"10$^{{{power}}}$"
    axis.set_label_text(text.replace("[", f"[{factor} ", 1) if "[" in text else f"{text} [{factor}]")


def without_minor_ticks(*axes: Any) -> None:
    """Take the small ticks from axes whose values are names."""
    for axis in axes:
        axis.set_minor_locator(NullLocator())


def shade_bins(ax: Axes, edges: FloatArray, selected: BoolArray, **style: Any) -> None:
    """Shade each stretch of selected bins over the whole height; one entry in the legend at most."""
    steps = np.flatnonzero(np.diff(np.concatenate([[False], selected, [False]]).astype(int)))
    for first, last in zip(steps[::2], steps[1::2], strict=True):
        ax.axvspan(edges[first], edges[last], **style)
        style.pop("label", None)


@styled
def name_axis(ax: Axes, axis: Axis, along: Literal["x", "y"] = "x") -> Axes:
    """Give Axes the scale, the unit and the name of an axis along x or y, and return them."""
    shown = ax.xaxis if along == "x" else ax.yaxis
    scale_of(shown, axis.unit)
    if axis.scale == "log":
        getattr(ax, f"set_{along}scale")("log")
        if axis.name in ("energy", "energy_true"):
            format_energies(shown)
    unit: Any = shown.get_units() if axis.unit else ""  # type: ignore[no-untyped-call]
    name = LABELS.get(axis.name, {}).get("long_name") or axis.name.replace("_", " ").capitalize()
    shown.set_label_text(axis_label(name, unit))
    return ax


@styled
def plot_bins(axis: Axis, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw a line at each edge of the bins and a dot at each centre; ``style`` is that of the lines."""
    ax = normalize_axes(ax)
    name_axis(ax, axis)
    scale = scale_of(ax.xaxis, axis.unit)
    drawn = ax.vlines(axis.edges * scale, -EDGE, EDGE, **style)
    ax.plot(axis.center * scale, np.zeros(axis.nbin), ".", color=drawn.get_color()[0])
    ax.set_ylim(-1, 1)
    ax.set_yticks([])
    without_minor_ticks(ax.yaxis)
    return ax
