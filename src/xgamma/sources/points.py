"""Fluxes of a catalogue, relative to the spectrum of their source."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import astropy
import numpy as np
import numpy.typing as npt
from astropy import units as u

from xgamma.axes import FloatArray
from xgamma.datasets.sed_table import plain_table
from xgamma.formats.sed.points import PARTS, energies
from xgamma.models import SpectralModel

if TYPE_CHECKING:
    from astropy.table import Table


TWO_SIGMA = math.erf(math.sqrt(2))
"""The confidence of the limits of catalogues, which call two standard deviations 95 %."""


def points_table(columns: Mapping[str, tuple[npt.ArrayLike, str]], kind: str) -> Table:
    """Return a table in the SED format of GADF from values and units; a column without a finite number is left out."""
    table = astropy.table.Table(meta={"SED_TYPE": kind, "UL_CONF": TWO_SIGMA})
    for name, (values, unit) in columns.items():
        array = np.asarray(values)
        if array.dtype.kind != "f" or np.any(np.isfinite(array)):
            table[name] = astropy.table.Column(array, unit=unit or None)
    return table


def relative(table: Table, kind: str, spectrum: SpectralModel | None) -> Table:
    """Return the fluxes of a table as multiples of a spectrum, with the other columns that it has.

    Without a spectrum, or where it has no flux in one of the bins, the table is returned as it is: what reads it takes
    fluxes as multiples of a power law of index 2.

    Parameters
    ----------
    table
        See ``points_table``.
    kind
        ``flux`` or ``dnde``: the columns that count.
    spectrum
        The spectrum of the source in the catalogue.
    """
    references = {} if spectrum is None else _references(table, kind, spectrum)
    if not references or not all(np.all(np.isfinite(values) & (values > 0)) for values, _ in references.values()):
        return table
    result = astropy.table.Table(meta={**table.meta, "SED_TYPE": "likelihood"})
    for name in table.colnames:
        if not name.startswith(("dnde", "flux", "e2dnde")):
            result[name] = table[name]
    for name, (values, unit) in references.items():
        result[f"ref_{name}"] = astropy.table.Column(values, unit=unit)
    scale, unit = references[kind]
    for part in PARTS:
        if f"{kind}{part}" in table.colnames:
            result[f"norm{part}"] = table[f"{kind}{part}"].quantity.to_value(unit) / scale
    return result


def _references(table: Table, kind: str, spectrum: SpectralModel) -> dict[str, tuple[FloatArray, str]]:
    e_ref, bounds = energies(plain_table(table), kind)
    at, low, high = (u.Quantity(values, "TeV") for values in (e_ref, bounds[:, 0], bounds[:, 1]))
    found = {
        "dnde": (spectrum(at), "cm-2 s-1 TeV-1"),
        "flux": (spectrum.integral(low, high), "cm-2 s-1"),
        "eflux": (spectrum.energy_flux(low, high), "TeV cm-2 s-1"),
    }
    return {name: (np.asarray(values.to_value(unit)), unit) for name, (values, unit) in found.items()}
