"""The catalogue of the H.E.S.S. Galactic plane survey (FITS).

Spectra with a cut-off have its inverse. Sources are points, shells whose size is the outer radius, or one to three
Gaussians, whose fluxes share the spectrum of the source. Source: H.E.S.S. Collaboration 2018 (A&A 612, A1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u

from xgamma.datasets.text import Paragraph
from xgamma.errors import ConfigError, InputError, did_you_mean
from xgamma.models import (
    ExpCutoffPowerLawSpectralModel,
    GaussianSpatialModel,
    Models,
    PointSpatialModel,
    PowerLawSpectralModel,
    ShellSpatialModel,
    SkyModel,
    SpatialModel,
    SpectralModel,
)
from xgamma.sources.catalog import SourceCatalog
from xgamma.sources.composite import composite
from xgamma.sources.fitted import fitted_place, fitted_spectrum
from xgamma.sources.points import points_table
from xgamma.sources.source import SourceCatalogObject
from xgamma.sources.table import SourceTable, TableRow

if TYPE_CHECKING:
    from astropy.table import Table


SHELL_WIDTH = 0.05
"""Of the outer radius: how thick shells are taken to be, as the catalogue does not say."""
STATUS = ("independent", "linked", "merged")
_DNDE = "cm-2 s-1 TeV-1"
_SPECTRA = {"pl": "PL", "ecpl": "ECPL"}
_FORMS = ("Point-Like", "Gaussian", "2-Gaussian", "3-Gaussian", "Shell")


def _gaussian(row: TableRow) -> SpatialModel:
    """Return the Gaussian of a source or a component; one without a size is a point."""
    values = {"lon_0": (row.number("GLON", "deg"), "deg"), "lat_0": (row.number("GLAT", "deg"), "deg")}
    errors = {"lon_0": row.number("GLON_Err", "deg"), "lat_0": row.number("GLAT_Err", "deg")}
    size = row.number("Size", "deg")
    if not size > 0:
        return fitted_place(PointSpatialModel, "galactic", values, errors)
    errors["sigma"] = row.number("Size_Err", "deg")
    return fitted_place(GaussianSpatialModel, "galactic", {**values, "sigma": (size, "deg")}, errors)


def _part(spectrum: SpectralModel, share: float, linked: bool) -> SpectralModel:
    """Return a share of a spectrum; ``linked`` says whether all parameters but the amplitude are those of the whole."""
    amplitude = spectrum.parameters["amplitude"]
    part = spectrum.copy(amplitude=amplitude.quantity * share)
    part.parameters["amplitude"].error = amplitude.error * share
    for name in spectrum.parameter_names if linked else ():
        if name != "amplitude":
            setattr(part, name, getattr(spectrum, name))
    return part


class SourceCatalogObjectHGPSComponent:
    """One Gaussian that a source is made of.

    Parameters
    ----------
    row
        Its row in the table of components.
    """

    def __init__(self, row: TableRow) -> None:
        self.row = row
        self.name = row.text("Component_ID")

    @property
    def flux(self) -> float:
        """Its flux above 1 TeV in cm-2 s-1."""
        return self.row.number("Flux_Map", "cm-2 s-1")

    def spatial_model(self) -> SpatialModel:
        """Return a Gaussian, or a point where it has no size."""
        return _gaussian(self.row)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class SourceCatalogObjectHGPS(SourceCatalogObject):
    """One source of the survey."""

    components: Sequence[SourceCatalogObjectHGPSComponent] = ()
    associations: Sequence[tuple[str, str]] = ()
    """Catalogue and name of objects near the source."""

    @property
    def energy_range(self) -> u.Quantity:
        """The energies of the spectrum; 0.2 and 50 TeV where the catalogue has none."""
        ends = [self.row.number(f"Energy_Range_Spec_{end}", "TeV") for end in ("Min", "Max")]
        return u.Quantity([end if end > 0 else other for end, other in zip(ends, (0.2, 50.0), strict=True)], "TeV")

    def spectral_model(self, which: str = "best") -> SpectralModel | None:
        """Return the spectrum; ``which`` is ``best``, the one that the catalogue chose, ``pl`` or ``ecpl``.

        Where the catalogue has no flux at the pivot, as of sources taken from other papers, it is that at 1 TeV.
        """
        if which not in ("best", *_SPECTRA):
            raise ConfigError(f"which: there is no {which!r}.{did_you_mean(which, ('best', *_SPECTRA))}")
        word = self.row.text("Spectral_Model").lower() if which == "best" else which
        if word not in _SPECTRA:
            return None
        name = _SPECTRA[word]
        pivot, place = self.row.number(f"Energy_Spec_{name}_Pivot", "TeV"), "Pivot"
        if not pivot > 0 or not self.row.number(f"Flux_Spec_{name}_Diff_Pivot", _DNDE) > 0:
            pivot, place = 1.0, "1TeV"
        flux = f"Flux_Spec_{name}_Diff_{place}"
        values = {
            "index": (self.row.number(f"Index_Spec_{name}"), ""),
            "amplitude": (self.row.number(flux, _DNDE), _DNDE),
            "reference": (pivot, "TeV"),
        }
        errors = {
            "index": self.row.number(f"Index_Spec_{name}_Err"),
            "amplitude": self.row.number(f"{flux}_Err", _DNDE),
        }
        if word == "pl":
            return fitted_spectrum(PowerLawSpectralModel, values, errors)
        values["lambda_"] = (self.row.number("Lambda_Spec_ECPL", "TeV-1"), "TeV-1")
        errors["lambda_"] = self.row.number("Lambda_Spec_ECPL_Err", "TeV-1")
        return fitted_spectrum(ExpCutoffPowerLawSpectralModel, values, errors)

    @property
    def is_composite(self) -> bool:
        """Whether the source is what its components are: several, or one Gaussian whose size only its component has."""
        word = self.row.text("Spatial_Model")
        without = word == "Gaussian" and not self.row.number("Size", "deg") > 0
        return word in ("2-Gaussian", "3-Gaussian") or (without and bool(self.components))

    def spatial_model(self) -> SpatialModel:
        """Return position and morphology.

        A Gaussian without a size is a point. Of shells only the outer radius is known: ``SHELL_WIDTH`` is assumed.

        Raises
        ------
        InputError
            For several Gaussians, which are no single model, and for a form that is not known.
        """
        word = self.row.text("Spatial_Model")
        if word not in _FORMS:
            raise InputError(f"{self.name} is of the form {word!r} in its catalogue.{did_you_mean(word, _FORMS)}")
        if word in ("2-Gaussian", "3-Gaussian"):
            raise InputError(
                f"{self.name} is made of {word[0]} Gaussians: use components_models(), or sky_model() for a map."
            )
        if word == "Gaussian":
            return self.components[0].spatial_model() if self.is_composite else _gaussian(self.row)
        values = {"lon_0": (self.row.number("GLON", "deg"), "deg"), "lat_0": (self.row.number("GLAT", "deg"), "deg")}
        errors = {"lon_0": self.row.number("GLON_Err", "deg"), "lat_0": self.row.number("GLAT_Err", "deg")}
        size = self.row.number("Size", "deg")
        if word == "Point-Like" or not size > 0:
            return fitted_place(PointSpatialModel, "galactic", values, errors)
        radius = (1 - SHELL_WIDTH) * size
        values |= {"radius": (radius, "deg"), "width": (size - radius, "deg")}
        errors["radius"] = (1 - SHELL_WIDTH) * self.row.number("Size_Err", "deg")
        return fitted_place(ShellSpatialModel, "galactic", values, errors)

    def sky_model(self, which: str = "best", name: str | None = None) -> SkyModel:  # type: ignore[override]
        """Return the source as one model, called ``name`` if that is given; ``which`` as in ``spectral_model``.

        Several Gaussians become a map of their sum, with the spectrum of the source.
        """
        if len(self.components) > 1 and self.is_composite:
            places = [component.spatial_model() for component in self.components]
            return self._sky_model(self.spectral_model(which), composite(self._shares(), places, self.name), name)
        return self._sky_model(self.spectral_model(which), self.spatial_model(), name)

    def _shares(self) -> list[float]:
        """Return what each component has of the flux of all."""
        fluxes = np.array([component.flux for component in self.components])
        if not np.sum(fluxes) > 0:
            raise InputError(f"{self.name} lacks the fluxes of its components in its catalogue.")
        return list(fluxes / np.sum(fluxes))

    def components_models(self, which: str = "best", linked: bool = False) -> Models:
        """Return a model for each Gaussian of the source, or one of the source where there are not several.

        Parameters
        ----------
        which
            As in ``spectral_model``.
        linked
            Whether the Gaussians share all spectral parameters but their flux.
        """
        if not (self.is_composite and self.components):
            return Models([self.sky_model(which)])
        spectrum = self.spectral_model(which)
        models = []
        for component, share in zip(self.components, self._shares(), strict=True):
            part = None if spectrum is None else _part(spectrum, share, linked)
            models.append(self._sky_model(part, component.spatial_model(), component.name))
        return Models(models)

    @property
    def flux_points_table(self) -> Table | None:
        """The flux points; flags of limits are bytes in the file."""
        used = np.isfinite(self.row.numbers("Flux_Points_Energy", "TeV"))
        if not np.any(used):
            return None
        columns: dict[str, tuple[Any, str]] = {
            name: (self.row.numbers(f"Flux_Points_{column}", unit)[used], unit)
            for name, column, unit in (
                ("e_ref", "Energy", "TeV"), ("e_min", "Energy_Min", "TeV"), ("e_max", "Energy_Max", "TeV"),
                ("dnde", "Flux", _DNDE), ("dnde_errn", "Flux_Err_Lo", _DNDE), ("dnde_errp", "Flux_Err_Hi", _DNDE),
                ("dnde_ul", "Flux_UL", _DNDE),
            )
        }  # fmt: skip
        return points_table({**columns, "is_ul": (self.row.flags("Flux_Points_Flux_Is_UL")[used], "")}, "dnde")

    @property
    def sections(self) -> Mapping[str, Callable[[], Paragraph]]:
        """The parts of ``info`` by name; ``associations`` are objects near the source."""
        return {**super().sections, "associations": lambda: self.associations}

    def _model(self) -> Paragraph:
        if not (self.is_composite and self.components):
            return super()._model()
        return [(component.name, repr(component.spatial_model())) for component in self.components]


class SourceCatalogHGPS(SourceCatalog):
    """The catalogue of the H.E.S.S. Galactic plane survey."""

    tag = "hgps"
    description = "H.E.S.S. Galactic plane survey (HGPS) source catalog"
    filename = "$GAMMAPY_DATA/catalogs/hgps_catalog_v1.fits.gz"
    marks = ("Source_Name", "Spatial_Model", "Flux_Spec_PL_Diff_Pivot", "Flux_Map")
    alias_columns = ("Identified_Object",)
    source_object_class = SourceCatalogObjectHGPS

    @property
    def table_components(self) -> Table:
        """The table of Gaussian components."""
        return self._component_rows().table

    @property
    def table_associations(self) -> Table:
        """The table of objects near the sources."""
        return self._table("HGPS_ASSOCIATIONS")

    @property
    def table_identifications(self) -> Table:
        """The table of objects that sources are."""
        return self._table("HGPS_IDENTIFICATIONS")

    @property
    def table_large_scale_component(self) -> Table:
        """The table of the emission along the plane that is of no source."""
        return self._table("HGPS_LARGE_SCALE_COMPONENT")

    def _table(self, name: str) -> Table:
        if name not in self.tables:
            raise InputError(f"{self.path} has no table {name}. Fetch the catalogue again.")
        return self.tables[name]

    def _component_rows(self) -> SourceTable:
        return SourceTable(self._table("HGPS_GAUSS_COMPONENTS"), self.path)

    def gaussian_component(self, row_idx: int) -> SourceCatalogObjectHGPSComponent:
        """Return the component of the row ``row_idx`` of ``table_components``."""
        return SourceCatalogObjectHGPSComponent(TableRow(self._component_rows(), row_idx))

    def _source(self, index: int) -> SourceCatalogObject:
        source = super()._source(index)
        assert isinstance(source, SourceCatalogObjectHGPS)
        near = self.tables.get("HGPS_ASSOCIATIONS")
        if near is not None and "Association_Name" in near.colnames:
            mine = near[near["Source_Name"] == source.name]
            pairs = zip(mine["Association_Catalog"], mine["Association_Name"], strict=True)
            source.associations = [(str(catalog), str(name)) for catalog, name in pairs]
        names = [name.strip() for name in source.row.text("Components").split(",") if name.strip()]
        if names:
            rows = self._component_rows()
            known = {name: row for row, name in enumerate(rows.texts("Component_ID"))}
            lost = [name for name in names if name not in known]
            if lost:
                raise InputError(
                    f"{self.path}: {source.name} has the component {lost[0]!r}, which no row of components has."
                )
            source.components = [SourceCatalogObjectHGPSComponent(TableRow(rows, known[name])) for name in names]
        return source

    def to_models(  # type: ignore[override]
        self, which: str = "best", components_status: str = "independent"
    ) -> Models:
        """Return all sources as models.

        Parameters
        ----------
        which
            ``best``, ``pl`` or ``ecpl``.
        components_status
            ``independent``; ``linked``: the Gaussians of a source share all spectral parameters but their flux; or
            ``merged``: they are one model, a map of their sum.
        """
        if components_status not in STATUS:
            known = did_you_mean(components_status, STATUS)
            raise ConfigError(f"components_status: there is no {components_status!r}.{known}")
        return super().to_models(which=which, status=components_status)

    def _models_of(self, source: Any, **kwargs: Any) -> list[Any]:
        which, status = kwargs["which"], kwargs["status"]
        return [source.sky_model(which)] if status == "merged" else source.components_models(which, status == "linked")
