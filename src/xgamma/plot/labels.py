"""Axis labels with units, energy axes, and shaded bins."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from astropy import units as u
from matplotlib.axes import Axes

from xgamma.axes import BoolArray, FloatArray
from xgamma.units import unit_string

ENERGY = "Energy"
ENERGY_TRUE = "True energy"


def normalize_axes(ax: Axes | None) -> Axes:
    """Return ``ax``, or the current Axes of pyplot for ``None``."""
    return plt.gca() if ax is None else ax


def unit_label(unit: str) -> str:
    """Write a unit for the eye.

    >>> unit_label("erg cm-2 s-1"), unit_label("TeV"), unit_label("cm-2 s-1 TeV-1")
    ('erg / (cm2 s)', 'TeV', '1 / (cm2 s TeV)')
    """
    parsed = u.Unit(unit)
    bases, powers = parsed.bases, parsed.powers
    factors = list(zip(bases, powers, strict=True))
    above = unit_string(_product([(base, power) for base, power in factors if power > 0]))
    below = unit_string(_product([(base, -power) for base, power in factors if power < 0]))
    if not below:
        return above
    return f"{above or '1'} / ({below})" if " " in below else f"{above or '1'} / {below}"


def _product(factors: list[tuple[Any, Any]]) -> u.UnitBase:
    result = u.dimensionless_unscaled
    for base, power in factors:
        result = result * base**power
    return result


def axis_label(name: str, unit: str) -> str:
    """Return ``name [unit]``, or the bare name of a dimensionless quantity."""
    return f"{name} [{unit_label(unit)}]" if unit else name


def label_energy(ax: Axes, edges: FloatArray, name: str = ENERGY) -> None:
    """Make the horizontal axis a logarithmic energy axis from the first to the last edge, in TeV."""
    ax.set_xscale("log")
    ax.set_xlim(edges[0], edges[-1])
    ax.set_xlabel(axis_label(name, "TeV"))


def show_legend(ax: Axes) -> None:
    """Draw or refresh the legend if anything has a label; what was drawn twice has one entry."""
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        entries = dict(zip(labels, handles, strict=True))
        ax.legend(list(entries.values()), list(entries), fontsize="small")


def shade_bins(ax: Axes, edges: FloatArray, selected: BoolArray, **style: Any) -> None:
    """Shade each stretch of selected bins over the whole height; one entry in the legend at most."""
    steps = np.flatnonzero(np.diff(np.concatenate([[False], selected, [False]]).astype(int)))
    for first, last in zip(steps[::2], steps[1::2], strict=True):
        ax.axvspan(edges[first], edges[last], **style)
        style.pop("label", None)
