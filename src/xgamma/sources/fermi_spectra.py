"""Spectra of the catalogues of Fermi-LAT, and their flux in bands of energy.

The cut-off of 4FGL is another function since DR3: ``PLEC_Expfactor`` has the hidden unit MeV^-index_2 and belongs to
``exp(a (E0^b - E^b))``, ``PLEC_ExpfactorS`` is a curvature at the pivot without a unit. Sources: Acero et al. 2015
(ApJS 218, 23; 3FGL), Abdollahi et al. 2020 (ApJS 247, 33; 4FGL) and 2022 (ApJS 260, 53; 4FGL-DR3), Ackermann et al.
2016 (ApJS 222, 5; 2FHL), Ajello et al. 2017 (ApJS 232, 18; 3FHL).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from xgamma.axes import FloatArray
from xgamma.errors import InputError, did_you_mean
from xgamma.models import (
    ExpCutoffPowerLaw3FGLSpectralModel,
    LogParabolaSpectralModel,
    PowerLaw2SpectralModel,
    PowerLawSpectralModel,
    SpectralModel,
    SuperExpCutoffPowerLaw3FGLSpectralModel,
    SuperExpCutoffPowerLaw4FGLDR3SpectralModel,
    SuperExpCutoffPowerLaw4FGLSpectralModel,
)
from xgamma.sources.fitted import Value, fitted_spectrum
from xgamma.sources.points import points_table
from xgamma.sources.table import TableRow

if TYPE_CHECKING:
    from astropy.table import Table


Columns = Mapping[str, str]
"""The column of each parameter."""

_PIVOT = {"reference": "Pivot_Energy"}
TYPES_4FGL: Mapping[str, tuple[type[SpectralModel], Columns]] = {
    "PowerLaw": (PowerLawSpectralModel, {"amplitude": "PL_Flux_Density", "index": "PL_Index", **_PIVOT}),
    "LogParabola": (
        LogParabolaSpectralModel,
        {"amplitude": "LP_Flux_Density", "alpha": "LP_Index", "beta": "LP_beta", **_PIVOT},
    ),
}
_CUTOFF = {"amplitude": "PLEC_Flux_Density", "index_2": "PLEC_Exp_Index", **_PIVOT}
CUTOFF_4FGL: tuple[type[SpectralModel], Columns] = (
    SuperExpCutoffPowerLaw4FGLSpectralModel,
    {"index_1": "PLEC_Index", "expfactor": "PLEC_Expfactor", **_CUTOFF},
)
CUTOFF_DR3: tuple[type[SpectralModel], Columns] = (
    SuperExpCutoffPowerLaw4FGLDR3SpectralModel,
    {"index_1": "PLEC_IndexS", "expfactor": "PLEC_ExpfactorS", **_CUTOFF},
)
_DENSITY = {"amplitude": "Flux_Density", **_PIVOT}
TYPES_3FGL: Mapping[str, tuple[type[SpectralModel], Columns]] = {
    "PowerLaw": (PowerLawSpectralModel, {**_DENSITY, "index": "Spectral_Index"}),
    "LogParabola": (LogParabolaSpectralModel, {**_DENSITY, "alpha": "Spectral_Index", "beta": "beta"}),
    "PLExpCutoff": (ExpCutoffPowerLaw3FGLSpectralModel, {**_DENSITY, "index": "Spectral_Index", "ecut": "Cutoff"}),
    "PLSuperExpCutoff": (
        SuperExpCutoffPowerLaw3FGLSpectralModel,
        {**_DENSITY, "index_1": "Spectral_Index", "index_2": "Exp_Index", "ecut": "Cutoff"},
    ),
}
TYPES_3FHL: Mapping[str, tuple[type[SpectralModel], Columns]] = {
    "PowerLaw": (PowerLawSpectralModel, {**_DENSITY, "index": "PowerLaw_Index"}),
    "LogParabola": TYPES_3FGL["LogParabola"],
}
# Parameters that are no energy; an amplitude is per energy.
_PLAIN = ("index", "index_1", "index_2", "alpha", "beta", "expfactor")


def spectrum_of_type(
    row: TableRow, types: Mapping[str, tuple[type[SpectralModel], Columns]], energy: str
) -> SpectralModel | None:
    """Return the spectrum of the type that a row says, parameters in a unit of energy.

    Raises ``InputError`` for a type that is none of ``types``.
    """
    word = row.text("SpectrumType")
    if word not in types:
        raise InputError(
            f"{row.text('Source_Name')} has the spectrum {word!r} in its catalogue.{did_you_mean(word, types)}"
        )
    kind, columns = types[word]
    units = {"amplitude": f"cm-2 s-1 {energy}-1"} | dict.fromkeys(_PLAIN, "")
    values: dict[str, Value] = {}
    errors: dict[str, float] = {}
    for name, column in columns.items():
        unit = units.get(name, energy)
        values[name] = (row.number(column, unit), unit)
        if name not in _PIVOT:
            errors[name] = row.number(f"Unc_{column}", unit)
    return fitted_spectrum(kind, values, errors)


def spectrum_2fhl(row: TableRow) -> SpectralModel | None:
    """Return the power law of 2FHL, whose amplitude is the flux from 50 GeV to 2 TeV."""
    values = {
        "amplitude": (row.number("Flux50", "cm-2 s-1"), "cm-2 s-1"),
        "index": (row.number("Spectral_Index"), ""),
        "emin": (0.05, "TeV"),
        "emax": (2.0, "TeV"),
    }
    errors = {"amplitude": row.number("Unc_Flux50", "cm-2 s-1"), "index": row.number("Unc_Spectral_Index")}
    return fitted_spectrum(PowerLaw2SpectralModel, values, errors)


def bands_table(
    edges: FloatArray, unit: str, flux: FloatArray, errors: FloatArray, nu_f_nu: FloatArray, sqrt_ts: FloatArray
) -> Table:
    """Return fluxes in bands of energy as a table.

    Where there is no error downwards, the flux is that of a fit which found next to nothing: the limit is two errors
    upwards above it.

    Parameters
    ----------
    edges, unit
        Of the bands, shape (band + 1,), and their unit; of one band, for several fluxes in it, the two of that.
    flux, errors
        In cm-2 s-1, shape (band,) and (band, 2): downwards, with the minus sign of the files, and upwards.
    nu_f_nu
        In erg cm-2 s-1, NaN where the catalogue has none.
    sqrt_ts
        NaN where the catalogue has none.
    """
    down, up = np.abs(errors[:, 0]), errors[:, 1]
    is_ul = np.isnan(down)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(flux > 0, nu_f_nu / flux, np.nan)
    ends = (np.broadcast_to(each, flux.shape) for each in (edges[:-1], edges[1:]))
    columns = {name: (each, unit) for name, each in zip(("e_min", "e_max"), ends, strict=True)}
    for name, factor, of in (("flux", 1.0, "cm-2 s-1"), ("e2dnde", scale, "erg cm-2 s-1")):
        columns |= {name: (flux * factor, of), f"{name}_errn": (down * factor, of), f"{name}_errp": (up * factor, of)}
        columns[f"{name}_ul"] = (np.where(is_ul, flux + 2 * up, np.nan) * factor, of)
    return points_table({**columns, "is_ul": (is_ul, ""), "sqrt_ts": (sqrt_ts, "")}, "flux")
