"""Energies at the door: quantities and strings in, plain TeV out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from astropy import units as u

from xgamma.errors import ConfigError

FloatArray = npt.NDArray[np.float64]

TEV = u.TeV


def normalize_energy(energy: Any, name: str = "energy") -> FloatArray:
    """Return energies in TeV from a ``Quantity`` or a string; raises ``ConfigError``."""
    try:
        quantity = u.Quantity(energy)
        return np.asarray(quantity.to_value(TEV), dtype=float)
    except (TypeError, ValueError, u.UnitConversionError):
        raise ConfigError(f"{name}: expected an energy such as 1 * u.TeV, got {energy!r}.") from None


def normalize_range(energy_min: Any, energy_max: Any) -> tuple[FloatArray, FloatArray]:
    """Return both ends in TeV."""
    return normalize_energy(energy_min, "energy_min"), normalize_energy(energy_max, "energy_max")


def normalize_bounds(bounds: Any, number: int) -> FloatArray:
    """Return ``number`` energies in TeV, evenly in their logarithm, between the ends of a pair or of an ``Axis``."""
    edges = getattr(bounds, "edges", None)
    if edges is not None:
        bounds = u.Quantity(edges, getattr(bounds, "unit", "TeV"))
    first, last = (float(normalize_energy(bounds[end], "energy_bounds")) for end in (0, -1))
    if not 0 < first < last:
        raise ConfigError(f"energy_bounds: expected 0 < first < last, got {first} TeV and {last} TeV.")
    return np.geomspace(first, last, number)
