"""The import path of Gammapy's ``maps``: axes and the geometry of a region."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy import units as u

from xgamma.axes import Axis, FloatArray, Scale
from xgamma.datasets.geom import RegionGeom, normalize_region
from xgamma.errors import ConfigError, later_names

__all__ = ["MapAxis", "RegionGeom", "normalize_region"]

_MAPS = "it belongs to sky maps, which come with a later version"

__getattr__ = later_names(
    __name__,
    {
        **dict.fromkeys(
            ("HpxGeom", "HpxNDMap", "LabelledMapAxis", "Map", "MapCoord", "Maps", "TimeMapAxis", "WcsGeom", "WcsNDMap"),
            _MAPS,
        ),
        **dict.fromkeys(("MapAxes",), "a list of axes will do"),
        **dict.fromkeys(("RegionNDMap",), "arrays of datasets are xarray.DataArray, as dataset.counts"),
    },
)


class MapAxis:
    """Makes an ``Axis`` as Gammapy does; energies are in TeV whatever unit they are given in."""

    @staticmethod
    def from_energy_bounds(
        energy_min: Any, energy_max: Any, nbin: int, unit: str | None = None, name: str = "energy",
        per_decade: bool = False,
    ) -> Axis:  # fmt: skip
        """Return bins of equal width in the logarithm of the energy, ``nbin`` of them or so many a decade.

        Raises ``ConfigError`` for bounds that do not ascend.
        """
        low, high = _values([energy_min, energy_max], unit or "TeV", "TeV")
        count = int(np.ceil(np.log10(high / low) * nbin)) if per_decade and 0 < low < high else nbin
        return Axis.from_bounds(name, float(low), float(high), count)

    @staticmethod
    def from_energy_edges(energy_edges: Any, unit: str | None = None, name: str = "energy") -> Axis:
        """Return the bins between energies; raises ``ConfigError`` unless these ascend."""
        return Axis(name, _values(energy_edges, unit or "TeV", "TeV"))

    @staticmethod
    def from_bounds(
        lo_bnd: float, hi_bnd: float, nbin: int, interp: Scale = "lin", unit: str = "", name: str = ""
    ) -> Axis:
        """Return ``nbin`` bins of equal width; raises ``ConfigError`` for bounds that do not ascend."""
        return Axis.from_bounds(name, float(lo_bnd), float(hi_bnd), nbin, unit, interp)

    @staticmethod
    def from_edges(edges: Any, interp: Scale = "lin", unit: str = "", name: str = "") -> Axis:
        """Return the bins between numbers or quantities; raises ``ConfigError`` unless these ascend."""
        own = edges.unit.to_string() if isinstance(edges, u.Quantity) else unit
        return Axis(name, _values(edges, own, own), own, interp)


def _values(given: Any, unit: str, to: str) -> FloatArray:
    try:
        parts = given if isinstance(given, u.Quantity) else [u.Quantity(value) for value in given]
        plain = not isinstance(parts, u.Quantity) and all(part.unit == u.dimensionless_unscaled for part in parts)
        quantity = u.Quantity([part.value for part in parts], unit) if plain else u.Quantity(parts)
        return np.asarray(quantity.to_value(to), dtype=float)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"MapAxis: expected values in {to or 'no unit'}, got {given!r}.") from error
