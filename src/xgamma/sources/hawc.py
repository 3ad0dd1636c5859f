"""The catalogues of HAWC: 2HWC and 3HWC.

Spectral indices and lower errors are negative in the files. Fluxes are at 7 TeV, which no column says. Sources:
Abeysekara et al. 2017 (ApJ 843, 40; 2HWC), Albert et al. 2020 (ApJ 905, 76; 3HWC).
"""

from __future__ import annotations

import math

from xgamma.errors import ConfigError, InputError
from xgamma.models import DiskSpatialModel, PointSpatialModel, PowerLawSpectralModel, SkyModel, SpatialModel
from xgamma.sources.catalog import SourceCatalog
from xgamma.sources.fitted import fitted_place, fitted_spectrum, longitude_error
from xgamma.sources.source import SourceCatalogObject

PIVOT = 7.0
_DNDE = "cm-2 s-1 TeV-1"


class _HawcSource(SourceCatalogObject):
    """What both catalogues have: two columns of Galactic position, power laws at 7 TeV, the radius of a disk."""

    def _power_law(self, number: int, errors: tuple[float, float]) -> PowerLawSpectralModel | None:
        values = {
            "amplitude": (self.row.number(f"spec{number}_dnde", _DNDE), _DNDE),
            "index": (-self.row.number(f"spec{number}_index"), ""),
            "reference": (PIVOT, "TeV"),
        }
        return fitted_spectrum(PowerLawSpectralModel, values, dict(zip(("amplitude", "index"), errors, strict=True)))

    def _place(self, radius: float) -> SpatialModel:
        """Return a disk of a radius in degrees; without one, or of 0, a point."""
        lon, lat, error = (self.row.number(name, "deg") for name in ("glon", "glat", "pos_err"))
        values = {"lon_0": (lon, "deg"), "lat_0": (lat, "deg")}
        errors = {"lon_0": longitude_error(error, lat), "lat_0": error}
        if not radius > 0:
            return fitted_place(PointSpatialModel, "galactic", values, errors)
        return fitted_place(DiskSpatialModel, "galactic", {**values, "r_0": (radius, "deg")}, errors)


class SourceCatalogObject2HWC(_HawcSource):
    """One source of 2HWC, with a spectrum as a point and, of some, one as a disk."""

    @property
    def n_models(self) -> int:
        """How many models there are: 2 where it was also measured as extended."""
        return 1 if math.isnan(self.row.optional("spec1_dnde", _DNDE)) else 2

    def _number(self, which: str) -> int:
        if which not in ("point", "extended"):
            raise ConfigError(f"which: expected 'point' or 'extended', got {which!r}.")
        if which == "extended" and self.n_models == 1:
            raise InputError(f"{self.name} was not measured as extended; use which='point'.")
        return int(which == "extended")

    def spectral_model(self, which: str = "point") -> PowerLawSpectralModel | None:
        """Return the power law; ``which`` is ``point`` or ``extended``, an ``InputError`` where it was not measured."""
        number = self._number(which)
        errors = (self.row.number(f"spec{number}_dnde_err", _DNDE), self.row.number(f"spec{number}_index_err"))
        return self._power_law(number, errors)

    def spatial_model(self, which: str = "point") -> SpatialModel:
        """Return a point, or the disk that the spectrum is of if ``which`` is ``extended``."""
        return self._place(self.row.number("spec1_radius", "deg") if self._number(which) else 0.0)

    def sky_model(self, which: str = "point", name: str | None = None) -> SkyModel:  # type: ignore[override]
        """Return the source as a model, called ``name`` if that is given: ``which`` is ``point`` or ``extended``."""
        return self._sky_model(self.spectral_model(which), self.spatial_model(which), name)


class SourceCatalog2HWC(SourceCatalog):
    """The second catalogue of HAWC (ECSV)."""

    tag = "2hwc"
    description = "2HWC catalog from the HAWC observatory"
    filename = "$GAMMAPY_DATA/catalogs/2HWC.ecsv"
    marks = ("source_name", "spec0_dnde", "spec0_dnde_err", "spec1_radius")
    name_column = "source_name"
    source_object_class = SourceCatalogObject2HWC


class SourceCatalogObject3HWC(_HawcSource):
    """One source of 3HWC; the one without numbers in its row has no spectrum."""

    n_models = 1

    @property
    def is_pointlike(self) -> bool:
        """Whether it was measured as a point."""
        return not self.row.number("spec0_radius", "deg") > 0

    def spectral_model(self) -> PowerLawSpectralModel | None:
        """Return the power law; its errors are the means of those upwards and downwards."""
        errors = [
            0.5 * (self.row.number(f"{name}_errp", unit) + abs(self.row.number(f"{name}_errn", unit)))
            for name, unit in (("spec0_dnde", _DNDE), ("spec0_index", ""))
        ]
        return self._power_law(0, (errors[0], errors[1]))

    def spatial_model(self) -> SpatialModel:
        """Return a point, or the disk that the search was made with."""
        return self._place(self.row.number("spec0_radius", "deg"))


class SourceCatalog3HWC(SourceCatalog):
    """The third catalogue of HAWC (ECSV)."""

    tag = "3hwc"
    description = "3HWC catalog from the HAWC observatory"
    filename = "$GAMMAPY_DATA/catalogs/3HWC.ecsv"
    marks = ("source_name", "spec0_dnde", "spec0_dnde_errn", "spec0_dnde_errp")
    name_column = "source_name"
    source_object_class = SourceCatalogObject3HWC
