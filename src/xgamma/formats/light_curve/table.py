"""The table of a light curve: a row for each bin of time, in each column the spectrum of that time.

Source: the format ``lightcurve`` of Gammapy's ``FluxPoints``, whose columns are those of the SED format of GADF,
https://gamma-astro-data-formats.readthedocs.io/en/latest/spectra/flux_points/index.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xgamma.axes import FloatArray
from xgamma.formats.sed.points import PER_DATASET
from xgamma.formats.sed.table import Columns, flux_points_columns, points_meta, table_of
from xgamma.schema.arrays import NamedArrays
from xgamma.times import SECONDS_PER_DAY

if TYPE_CHECKING:
    from astropy.table import Table


# Gammapy takes the value of a column for days, or what TIMEUNIT says, since the reference epoch.
EPOCH_CARDS: dict[str, Any] = {"MJDREFI": 0, "MJDREFF": 0.0, "TIMESYS": "tt", "TIMEUNIT": "d"}


def mjd_of(ds: NamedArrays, name: str) -> FloatArray:
    """Return a variable of seconds since ``mjdref`` as MJD (TT), in its shape."""
    return np.asarray(float(ds.attrs["mjdref"]) + ds[name].values / SECONDS_PER_DAY)


def light_curve_columns(ds: NamedArrays, sed_type: str) -> Columns:
    """Return the columns of a light curve (DL5), each an array of (time, ...) and its unit.

    ``time_min`` and ``time_max`` in MJD (TT), then what `flux_points_columns` gives with the shape (time, energy, ...).
    Counts are those of all datasets of the bin, with one dataset at the end as Gammapy has it. Behind that what only
    xgamma has: ``ontime``, ``livetime``, and first start and last stop of good time (``exposed_min``, ``exposed_max``).

    Raises
    ------
    ConfigError
        For another ``sed_type``.
    DataError
        When the light curve has no reference of that kind.
    """
    start, stop = mjd_of(ds, "time_bounds").T
    columns: Columns = {"time_min": (start, ""), "time_max": (stop, "")}
    for name, (values, unit) in flux_points_columns(ds, sed_type).items():
        columns[name] = (values[..., np.newaxis] if name in PER_DATASET else values, unit)
    columns |= {name: (ds[name].values, "s") for name in ("ontime", "livetime") if name in ds}
    if "time_exposed" in ds:
        first, last = mjd_of(ds, "time_exposed").T
        columns |= {"exposed_min": (first, ""), "exposed_max": (last, "")}
    return columns


def light_curve_table(ds: NamedArrays, sed_type: str) -> Table:
    """Return a light curve (DL5) as a table of astropy, see `light_curve_columns`; its meta says epoch and scale."""
    return table_of(light_curve_columns(ds, sed_type), {**points_meta(ds, sed_type), **EPOCH_CARDS})
