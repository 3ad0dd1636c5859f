"""Light curves of the catalogues of Fermi-LAT: fluxes from 100 MeV to 100 GeV in bins of mission time."""

from __future__ import annotations

from collections.abc import Mapping

import astropy
import numpy as np

from xgamma.datasets import LightCurve
from xgamma.errors import ConfigError, InputError, did_you_mean
from xgamma.models import SpectralModel
from xgamma.sources.fermi_spectra import bands_table
from xgamma.sources.points import relative
from xgamma.sources.table import SourceTable, TableRow

ENERGIES = np.array([100.0, 100_000.0])
# Of each interval the columns of a source, and the table of the starts of bins.
INTERVALS: Mapping[str, tuple[str, str]] = {
    "1-year": ("Flux_History", "HIST_START"), "1-month": ("Flux_History", "HIST_START"),
    "2-month": ("Flux2_History", "HIST2_START"),
}  # fmt: skip
_FLUX = "cm-2 s-1"


def light_curve(
    row: TableRow, tables: Mapping[str, SourceTable], spectrum: SpectralModel | None, interval: str
) -> LightCurve:
    """Return the light curve of a source.

    Parameters
    ----------
    row
        Its row.
    tables
        The tables of the catalogue by name: the starts of bins, of which the last is an end, and good time.
    spectrum
        Its spectrum, which the fluxes become multiples of.
    interval
        One of ``INTERVALS``.

    Raises
    ------
    ConfigError
        For another interval.
    InputError
        When the catalogue has no light curve in these intervals.
    """
    if interval not in INTERVALS:
        raise ConfigError(f"interval: there is no {interval!r}.{did_you_mean(interval, INTERVALS)}")
    column, name = INTERVALS[interval]
    if column not in row or name not in tables:
        raise InputError(f"{row.text('Source_Name')} has no light curve of bins of {interval} in its catalogue.")
    starts = tables[name]
    edges = starts.numbers(next(each for each in starts.table.colnames if each.upper() == name), "s")
    flux, errors = row.numbers(column, _FLUX), row.numbers(f"Unc_{column}", _FLUX)
    number = len(flux)
    if len(edges) != number + 1:
        raise InputError(f"{row.text('Source_Name')} has {number} bins in time, and {name} {len(edges)} edges of them.")
    significance = f"Sqrt_TS{column.removeprefix('Flux')}"
    sqrt_ts = row.numbers(significance) if significance in row else np.full(number, np.nan)
    points = bands_table(ENERGIES, "MeV", flux, errors, np.full(number, np.nan), sqrt_ts)
    points["time_min"], points["time_max"] = (
        astropy.table.Column(edges[:-1], unit="s"),
        astropy.table.Column(edges[1:], unit="s"),
    )
    points.meta |= _reference(starts, tables.get("GTI"))
    return LightCurve.from_table(relative(points, "flux", spectrum))


def _reference(starts: SourceTable, good_time: SourceTable | None) -> dict[str, object]:
    """Return what mission times count from; some files say it with good time only, and the fraction as a text."""
    for rows in (starts, good_time):
        if rows is not None and "MJDREFI" in rows.table.meta:
            meta = rows.table.meta
            fraction = float(str(meta.get("MJDREFF", 0)).replace("D", "e"))
            return {"MJDREFI": int(meta["MJDREFI"]), "MJDREFF": fraction, "TIMESYS": str(meta.get("TIMESYS", "TT"))}
    raise InputError("The catalogue does not say what its times count from: no MJDREFI in its tables of time.")
