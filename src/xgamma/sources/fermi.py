"""The catalogues of Fermi-LAT: 4FGL in all its releases, 3FGL, 3FHL and 2FHL (FITS)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from xgamma.axes import FloatArray
from xgamma.datasets import LightCurve
from xgamma.datasets.text import Paragraph
from xgamma.errors import InputError
from xgamma.formats.local_files import local_path
from xgamma.models import SpatialModel, SpectralModel
from xgamma.sources.catalog import SourceCatalog
from xgamma.sources.fermi_history import light_curve
from xgamma.sources.fermi_shapes import place_of
from xgamma.sources.fermi_spectra import (
    CUTOFF_4FGL,
    CUTOFF_DR3,
    TYPES_3FGL,
    TYPES_3FHL,
    TYPES_4FGL,
    bands_table,
    spectrum_2fhl,
    spectrum_of_type,
)
from xgamma.sources.source import SourceCatalogObject
from xgamma.sources.table import SourceTable, TableRow

if TYPE_CHECKING:
    from astropy.table import Table


_FLUX, _NU_F_NU = "cm-2 s-1", "erg cm-2 s-1"
_OF_TIME = ("HIST_START", "HIST2_START", "GTI")


class _FermiSource(SourceCatalogObject):
    """A source with the row of its morphology, where it is extended, and the folders of maps."""

    points_kind = "flux"
    form_column: ClassVar[str] = "Model_Form"
    association_columns: ClassVar[tuple[str, ...]] = ()

    extended: TableRow | None = None
    folders: tuple[Path, ...] = ()
    bands: FloatArray | None = None
    times: Mapping[str, SourceTable] = MappingProxyType({})

    @property
    def is_pointlike(self) -> bool:
        """Whether the catalogue has it as a point."""
        return self.extended is None

    def spatial_model(self) -> SpatialModel:
        """Return position and morphology; raises ``MissingInputError`` where its map is not found."""
        return place_of(self.row, self.extended, self.form_column, self.folders)

    def _basic(self) -> Paragraph:
        others = ", ".join(text for name in self.association_columns if (text := self.row.text(name)))
        return [*super()._basic(), ("Associations", others or "none")]


class _FermiCatalog(SourceCatalog):
    """A catalogue with a table of extended sources, some of which are maps in files.

    Parameters
    ----------
    filename
        The file as it is published.
    templates
        The folder of the maps of extended sources; by default that of their archive beside the file.
    """

    archive: ClassVar[str] = ""

    def __init__(self, filename: str | PathLike[str] = "", templates: str | PathLike[str] | None = None) -> None:
        self._templates = None if templates is None else local_path(templates)
        super().__init__(filename)

    def _take(self, table: Table) -> None:
        super()._take(table)
        found = (each for each in self.tables.values() if {"Model_Form", "Model_SemiMajor"} <= set(each.colnames))
        extended = next(found, None)
        self._extended = None if extended is None else SourceTable(extended, self.path)
        names = [] if self._extended is None else self._extended.texts("Source_Name")
        self._extended_index = {name: row for row, name in enumerate(names)}
        self._edges = self._bands()
        self._times = {name: SourceTable(self.tables[name], self.path) for name in _OF_TIME if name in self.tables}

    @property
    def extended_sources_table(self) -> Table | None:
        """The table of extended sources."""
        return None if self._extended is None else self._extended.table

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where maps of extended sources are looked for."""
        if self._templates is not None:
            return (self._templates, self._templates / "Templates")
        return (self.path.parent / self._archive() / "Templates", self.path.parent / "Templates")

    def _archive(self) -> str:
        return self.archive

    def _bands(self) -> FloatArray | None:
        """Return the edges of bands of energy, MeV, where a table of the file has them."""
        return None

    def _source(self, index: int) -> SourceCatalogObject:
        source = super()._source(index)
        assert isinstance(source, _FermiSource)
        source.extended, source.folders, source.bands = self._extended_row(source), self.folders, self._edges
        source.times = self._times
        return source

    def _extended_row(self, source: SourceCatalogObject) -> TableRow | None:
        key = self._extended_name(source)
        if not key:
            return None
        if self._extended is None or key not in self._extended_index:
            raise InputError(
                f"{self.path}: {source.name} is extended, and no table of extended sources has {key!r}. Fetch the "
                "catalogue again."
            )
        return TableRow(self._extended, self._extended_index[key])

    def _extended_name(self, source: SourceCatalogObject) -> str:
        return source.row.text("Extended_Source_Name")


# --- 4FGL


class SourceCatalogObject4FGL(_FermiSource):
    """One source of 4FGL."""

    association_columns = (
        "ASSOC1", "ASSOC2", "ASSOC_TEV", "ASSOC_FGL", "ASSOC_FHL", "ASSOC_GAM1", "ASSOC_GAM2", "ASSOC_GAM3",
    )  # fmt: skip

    def spectral_model(self) -> SpectralModel | None:
        """Return the spectrum of the type that the catalogue chose."""
        cutoff = CUTOFF_DR3 if "PLEC_ExpfactorS" in self.row else CUTOFF_4FGL
        return spectrum_of_type(self.row, {**TYPES_4FGL, "PLSuperExpCutoff": cutoff}, "MeV")

    @property
    def flux_points_table(self) -> Table | None:
        """Fluxes in the bands of the catalogue."""
        if self.bands is None:
            return None
        flux, ts = self.row.numbers("Flux_Band", _FLUX), self.row.numbers("Sqrt_TS_Band")
        errors, nu_f_nu = self.row.numbers("Unc_Flux_Band", _FLUX), self.row.numbers("nuFnu_Band", _NU_F_NU)
        return bands_table(self.bands, "MeV", flux, errors, nu_f_nu, ts)

    def lightcurve(self, interval: str = "1-year") -> LightCurve:
        """Return fluxes from 100 MeV to 100 GeV; ``interval`` is ``1-year`` or, in some releases, ``2-month``."""
        return light_curve(self.row, self.times, self.spectral_model(), interval)


class SourceCatalog4FGL(_FermiCatalog):
    """The fourth catalogue of Fermi-LAT, DR1 to DR4."""

    tag = "4fgl"
    description = "LAT 14-year point source catalog"
    filename = "$GAMMAPY_DATA/catalogs/fermi/gll_psc_v32.fit.gz"
    marks = ("Source_Name", "SpectrumType", "PL_Flux_Density", "LP_Flux_Density")
    alias_columns = (
        "Extended_Source_Name", "ASSOC_FGL", "ASSOC_FHL", "ASSOC_GAM1", "ASSOC_GAM2", "ASSOC_GAM3", "ASSOC_TEV",
        "ASSOC1", "ASSOC2",
    )  # fmt: skip
    source_object_class = SourceCatalogObject4FGL

    def _archive(self) -> str:
        version = int("".join(filter(str.isdigit, str(self.table.meta.get("VERSION", "")))) or "0")
        later = "Extended_14years" if version >= 32 else "Extended_12years"
        return later if version >= 28 else "LAT_extended_sources_8years"

    def _bands(self) -> FloatArray | None:
        table = self.tables.get("ENERGYBOUNDS")
        if table is None:
            return None
        rows = SourceTable(table, self.path)
        return np.unique([rows.numbers("LowerEnergy", "MeV"), rows.numbers("UpperEnergy", "MeV")])


# --- 3FGL


class SourceCatalogObject3FGL(_FermiSource):
    """One source of 3FGL."""

    association_columns = ("ASSOC1", "ASSOC2", "ASSOC_TEV", "2FGL_Name", "1FHL_Name")

    def spectral_model(self) -> SpectralModel | None:
        """Return the spectrum of the type that the catalogue chose."""
        return spectrum_of_type(self.row, TYPES_3FGL, "MeV")

    @property
    def flux_points_table(self) -> Table:
        """Fluxes in five bands from 100 MeV to 100 GeV."""
        edges = (100, 300, 1000, 3000, 10000, 100000)
        bands = [f"{low}_{high}" for low, high in itertools.pairwise(edges)]
        flux, nu_f_nu, ts = (
            np.array([self.row.number(f"{name}{band}", unit) for band in bands])
            for name, unit in (("Flux", _FLUX), ("nuFnu", _NU_F_NU), ("Sqrt_TS", ""))
        )
        errors = np.array([self.row.numbers(f"Unc_Flux{band}", _FLUX) for band in bands])
        return bands_table(np.array(edges, dtype=float), "MeV", flux, errors, nu_f_nu, ts)

    def lightcurve(self) -> LightCurve:
        """Return fluxes from 100 MeV to 100 GeV in months."""
        return light_curve(self.row, self.times, self.spectral_model(), "1-month")


class SourceCatalog3FGL(_FermiCatalog):
    """The third catalogue of Fermi-LAT."""

    tag = "3fgl"
    description = "LAT 4-year point source catalog"
    filename = "$GAMMAPY_DATA/catalogs/fermi/gll_psc_v16.fit.gz"
    marks = ("Source_Name", "SpectrumType", "Spectral_Index", "Flux100_300")
    alias_columns = (
        "Extended_Source_Name", "0FGL_Name", "1FGL_Name", "2FGL_Name", "1FHL_Name", "ASSOC_TEV", "ASSOC1", "ASSOC2",
    )  # fmt: skip
    source_object_class = SourceCatalogObject3FGL
    archive = "Extended_archive_v15"


# --- 3FHL


class SourceCatalogObject3FHL(_FermiSource):
    """One source of 3FHL."""

    form_column = "Spatial_Function"
    association_columns = ("ASSOC1", "ASSOC2", "ASSOC_TEV", "ASSOC_GAM")

    def spectral_model(self) -> SpectralModel | None:
        """Return the spectrum of the type that the catalogue chose."""
        return spectrum_of_type(self.row, TYPES_3FHL, "GeV")

    @property
    def flux_points_table(self) -> Table:
        """Fluxes in five bands from 10 GeV to 2 TeV."""
        flux, ts = self.row.numbers("Flux_Band", _FLUX), self.row.numbers("Sqrt_TS_Band")
        errors, nu_f_nu = self.row.numbers("Unc_Flux_Band", _FLUX), self.row.numbers("nuFnu", _NU_F_NU)
        return bands_table(np.array([10.0, 20, 50, 150, 500, 2000]), "GeV", flux, errors, nu_f_nu, ts)


class SourceCatalog3FHL(_FermiCatalog):
    """The third catalogue of Fermi-LAT above 10 GeV."""

    tag = "3fhl"
    description = "LAT third high-energy source catalog"
    filename = "$GAMMAPY_DATA/catalogs/fermi/gll_psch_v13.fit.gz"
    marks = ("Source_Name", "SpectrumType", "PowerLaw_Index", "Flux_Band")
    alias_columns = ("ASSOC1", "ASSOC2", "ASSOC_TEV", "ASSOC_GAM")
    source_object_class = SourceCatalogObject3FHL
    archive = "Extended_archive_v18"


# --- 2FHL


class SourceCatalogObject2FHL(_FermiSource):
    """One source of 2FHL."""

    association_columns = ("ASSOC", "3FGL_Name", "1FHL_Name", "TeVCat_Name")

    def spectral_model(self) -> SpectralModel | None:
        """Return a power law."""
        return spectrum_2fhl(self.row)

    @property
    def flux_points_table(self) -> Table:
        """Fluxes in three bands from 50 GeV to 2 TeV."""
        bands = ("50_171GeV", "171_585GeV", "585_2000GeV")
        flux = np.array([self.row.number(f"Flux{band}", _FLUX) for band in bands])
        errors = np.array([self.row.numbers(f"Unc_Flux{band}", _FLUX) for band in bands])
        none = np.full(len(bands), np.nan)
        return bands_table(np.array([50.0, 171, 585, 2000]), "GeV", flux, errors, none, none)


class SourceCatalog2FHL(_FermiCatalog):
    """The second catalogue of Fermi-LAT above 50 GeV."""

    tag = "2fhl"
    description = "LAT second high-energy source catalog"
    filename = "$GAMMAPY_DATA/catalogs/fermi/gll_psch_v09.fit.gz"
    marks = ("Source_Name", "Flux50", "Spectral_Index", "Flux50_171GeV")
    alias_columns = ("ASSOC", "3FGL_Name", "1FHL_Name", "TeVCat_Name")
    source_object_class = SourceCatalogObject2FHL
    archive = "Extended_archive_v15"

    def _extended_name(self, source: SourceCatalogObject) -> str:
        return source.name if source.name.endswith("e") else ""
