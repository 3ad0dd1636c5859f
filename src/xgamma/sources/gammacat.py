"""gamma-cat, the open catalogue of TeV sources: FITS, ECSV and YAML of its releases.

A Gaussian has ``morph_sigma`` along its position angle and ``morph_sigma2`` across, whichever is larger; the angle is
counted from north to east in its own frame. Source: https://gamma-cat.readthedocs.io, and its input schemas.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from xgamma.errors import InputError, did_you_mean
from xgamma.models import (
    ExpCutoffPowerLawSpectralModel,
    GaussianSpatialModel,
    PointSpatialModel,
    PowerLaw2SpectralModel,
    PowerLawSpectralModel,
    ShellSpatialModel,
    SpatialModel,
    SpectralModel,
)
from xgamma.sources.catalog import SourceCatalog
from xgamma.sources.fitted import Value, ellipse, fitted_place, fitted_spectrum, longitude_error
from xgamma.sources.points import points_table
from xgamma.sources.source import SourceCatalogObject
from xgamma.sources.table import TableRow

if TYPE_CHECKING:
    from astropy.table import Table


SHELL_WIDTH = 0.2
"""Of the outer radius: how thick shells are taken to be, as the catalogue does not say."""
MOST_ENERGY = 1e5
"""The end of an integral flux in TeV where the catalogue has none."""
_DNDE, _FLUX = "cm-2 s-1 TeV-1", "cm-2 s-1"
_NONE = ("", "none")
_SPECTRA = ("pl", "pl2", "ecpl")
_FORMS = ("point", "gauss", "shell")
# Frames of angles, and the columns of positions in them: as measured, and of the object.
_FRAMES = {
    "icrs": (("pos_ra", "pos_dec"), ("ra", "dec")),
    "galactic": (("pos_glon", "pos_glat"), ("glon", "glat")),
}
_FRAME_WORDS = {"radec": "icrs", "icrs": "icrs", "galactic": "galactic"}


class SourceCatalogObjectGammaCat(SourceCatalogObject):
    """One source of gamma-cat."""

    def spectral_model(self) -> SpectralModel | None:
        """Return the spectrum with statistical errors, ``None`` where the catalogue has none."""
        word = self.row.text("spec_type").lower()
        if word in _NONE:
            return None
        if word not in _SPECTRA:
            raise InputError(f"{self.name} has the spectrum {word!r} in its catalogue.{did_you_mean(word, _SPECTRA)}")
        number = _Numbers(self.row, word)
        index = (number("index"), "")
        if word == "pl2":
            end = number("e_max", "TeV")
            values = {
                "amplitude": (number("flux", _FLUX), _FLUX), "index": index, "emin": (number("e_min", "TeV"), "TeV"),
                "emax": (end if end > 0 else MOST_ENERGY, "TeV"),
            }  # fmt: skip
            errors = {"amplitude": number("flux_err", _FLUX), "index": number("index_err")}
            return fitted_spectrum(PowerLaw2SpectralModel, values, errors)
        values = {
            "amplitude": (number("norm", _DNDE), _DNDE), "index": index, "reference": (number("e_ref", "TeV"), "TeV"),
        }  # fmt: skip
        errors = {"amplitude": number("norm_err", _DNDE), "index": number("index_err")}
        if word == "pl":
            return fitted_spectrum(PowerLawSpectralModel, values, errors)
        cutoff, error = number("e_cut", "TeV"), number("e_cut_err", "TeV")
        if not cutoff > 0:
            return None
        values["lambda_"] = (1 / cutoff, "TeV-1")
        return fitted_spectrum(ExpCutoffPowerLawSpectralModel, values, errors | {"lambda_": error / cutoff**2})

    def spatial_model(self) -> SpatialModel | None:
        """Return position and morphology, ``None`` where the catalogue has no morphology.

        The position is the measured one; without one it is that of the object. A Gaussian with an angle is in the frame
        of the angle, others are in Galactic coordinates. Of shells only the outer radius is known, see ``SHELL_WIDTH``.
        """
        word = self.row.text("morph_type").lower()
        if word in _NONE:
            return None
        if word not in _FORMS:
            raise InputError(f"{self.name} is of the form {word!r} in its catalogue.{did_you_mean(word, _FORMS)}")
        size = self.row.optional("morph_sigma", "deg")
        if word == "point" or not size > 0:
            return self._placed(PointSpatialModel, "galactic", {})
        if word == "gauss":
            return self._gaussian(size)
        width = SHELL_WIDTH * size
        return self._placed(
            ShellSpatialModel,
            "galactic",
            {"radius": (size - width, "deg"), "width": (width, "deg")},
            {"radius": (1 - SHELL_WIDTH) * self.row.optional("morph_sigma_err", "deg")},
        )

    def _gaussian(self, along: float) -> SpatialModel:
        across, angle = (self.row.optional(name, "deg") for name in ("morph_sigma2", "morph_pa"))
        error = self.row.optional("morph_sigma_err", "deg")
        if not across > 0 or math.isnan(angle):
            return self._placed(GaussianSpatialModel, "galactic", {"sigma": (along, "deg")}, {"sigma": error})
        word = self.row.text("morph_pa_frame").lower()
        if word not in _FRAME_WORDS:
            known = did_you_mean(word, _FRAME_WORDS)
            raise InputError(f"{self.name} has a position angle in the frame {word!r} in its catalogue.{known}")
        if across > along:
            along, across, angle = across, along, angle + 90.0
            error = self.row.optional("morph_sigma2_err", "deg")
        values = {"sigma": (along, "deg"), "e": (ellipse(along, across), ""), "phi": (angle, "deg")}
        errors = {"sigma": error, "phi": self.row.optional("morph_pa_err", "deg")}
        return self._placed(GaussianSpatialModel, _FRAME_WORDS[word], values, errors)

    def _placed(
        self, kind: type[SpatialModel], frame: str, values: dict[str, Value], errors: dict[str, float] | None = None
    ) -> SpatialModel:
        measured, of_object = ([self.row.optional(name, "deg") for name in columns] for columns in _FRAMES[frame])
        lon, lat = measured if np.all(np.isfinite(measured)) else of_object
        error = self.row.optional("pos_err", "deg")
        place = {"lon_0": (lon, "deg"), "lat_0": (lat, "deg")}
        return fitted_place(
            kind, frame, place | values, {"lon_0": longitude_error(error, lat), "lat_0": error, **(errors or {})}
        )

    @property
    def flux_points_table(self) -> Table | None:
        """The flux points, which only the FITS file of the catalogue has."""
        if "sed_e_ref" not in self.row or np.ndim(self.row.columns.table["sed_e_ref"]) < 2:
            return None
        used = np.isfinite(self.row.numbers("sed_e_ref", "TeV"))
        if not np.any(used):
            return None
        units = {"e_ref": "TeV", "e_min": "TeV", "e_max": "TeV"}
        units |= {f"dnde{part}": _DNDE for part in ("", "_err", "_errn", "_errp", "_ul")}
        held = {name: unit for name, unit in units.items() if f"sed_{name}" in self.row}
        columns = {name: (self.row.numbers(f"sed_{name}", unit)[used], unit) for name, unit in held.items()}
        columns["is_ul"] = (~np.isfinite(columns["dnde"][0]), "")
        return points_table(columns, "dnde")


class _Numbers:
    """The numbers of a spectrum: in columns of its type, or in the common columns of the catalogue in YAML."""

    def __init__(self, row: TableRow, word: str) -> None:
        self._row, self._word = row, word
        common = {"flux": "norm", "flux_err": "norm_err", "e_ref": "ref", "e_min": "ref", "e_cut": "ecut",
                  "e_cut_err": "ecut_err"}  # fmt: skip
        self._has_own = any(f"spec_{word}_{name}" in row for name in ("norm", "flux"))
        self._common = common

    def __call__(self, name: str, unit: str = "") -> float:
        if self._has_own:
            return self._row.number(f"spec_{self._word}_{name}", unit)
        return self._row.optional(f"spec_{self._common.get(name, name)}", unit)


class SourceCatalogGammaCat(SourceCatalog):
    """gamma-cat, the open catalogue of TeV sources."""

    tag = "gamma-cat"
    description = "An open catalog of gamma-ray sources"
    filename = "$GAMMAPY_DATA/catalogs/gammacat/gammacat.fits.gz"
    marks = ("common_name", "morph_type", "spec_type")
    name_column = "common_name"
    alias_columns = ("other_names", "gamma_names")
    source_object_class = SourceCatalogObjectGammaCat
