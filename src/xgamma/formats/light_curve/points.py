"""A table of a light curve, of Gammapy or of others, as a light curve (DL5)."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from astropy.time import Time

from xgamma.axes import FloatArray
from xgamma.errors import InputError
from xgamma.formats.fits.hdus import HduTable
from xgamma.formats.fits.tables import as_input_error
from xgamma.formats.sed.kinds import LIKELIHOOD
from xgamma.formats.sed.points import (
    ENERGIES,
    PER_DATASET,
    References,
    energies,
    has_energies,
    points_of_table,
    sed_type_of,
    with_upper_header,
)
from xgamma.times import FIRST_UTC, LAST_EPOCH, SECONDS_PER_DAY, seconds_of_times, time_scale
from xgamma.units import unit_factor

log = logging.getLogger(__name__)

EDGES = ("time_min", "time_max")
EXPOSED = ("exposed_min", "exposed_max")
# Without TIMESYS, times are UTC: FITS standard 4.0, section 9.2.1; Gammapy takes them so too.
_NO_TIMESYS = "UTC"
_ROUNDING = 1e-6


def light_curve_of_table(
    table: HduTable, sed_type: str | None = None, reference: References | None = None
) -> xr.Dataset:
    """Return the DL5 Dataset of a table with a row for each bin of time, in time order.

    Each column holds one number a row, or the spectrum of the row, shape (energy, ...). A day number is a date in the
    scale of the table, also in UTC, where Gammapy reads it as elapsed days and is off by the leap seconds.

    Parameters
    ----------
    table
        ``time_min`` and ``time_max``, energies, and a quantity of the SED format with its errors.
    sed_type
        What the table holds, for a table without SED_TYPE; otherwise its columns decide.
    reference
        As of `flux_points_of_table`.

    Raises
    ------
    InputError
        When the table is none of a light curve, or holds values, units or times that are not those of the format.
    """
    given = with_upper_header(table)
    _validate(given)
    with as_input_error(f"{given.path}: the table of the light curve"):
        kind = sed_type or sed_type_of(given)
        bounds, mjdref = _bounds(given)
        return _dataset(given, kind, bounds, mjdref, reference).isel(time=np.argsort(bounds[:, 0], kind="stable"))


def _validate(table: HduTable) -> None:
    missing = [name for name in EDGES if name not in table]
    if missing:
        raise InputError(
            f"{table.path} has no column {missing[0]!r}; a light curve has time_min and time_max, the edges of its "
            f"bins in time. Its columns are {', '.join(name.lower() for name in table.columns)}."
        )
    if not has_energies(table):
        raise InputError(
            f"{table.path} has times but no energies. Add the columns e_min and e_max with the range of each flux."
        )
    if not len(table.column(EDGES[0])):
        raise InputError(f"{table.path} holds a light curve without rows.")


# --- times


def _bounds(table: HduTable) -> tuple[FloatArray, float]:
    """Return start and stop of each bin in TT seconds since a whole MJD, shape (time, 2), and that MJD."""
    start, stop = (_times(table, name) for name in EDGES)
    mjdref = float(np.floor(start.tt.mjd.min()))
    bounds = np.stack([seconds_of_times(edge, mjdref) for edge in (start, stop)], axis=1)
    if not (bounds[:, 0] < bounds[:, 1]).all():
        raise InputError(f"{table.path}: time_max has to be after time_min in each row of a light curve.")
    _say_of_scale(table, start, mjdref)
    return bounds, mjdref


def _times(table: HduTable, name: str) -> Time:
    scale = time_scale(table.header.get("TIMESYS", _NO_TIMESYS))
    whole, fraction = _reference(table)
    unit = table.units[name.upper()].strip() or str(table.header.get("TIMEUNIT", "d")).strip()
    days = table.numbers(name).reshape(-1) * unit_factor(unit, "d", f"{table.path}: column {name!r}")
    first = FIRST_UTC if scale == "utc" else 0
    if not ((whole + days >= first) & (whole + days <= LAST_EPOCH)).all():
        raise InputError(
            f"{table.path}: column {name!r} holds times that are no MJD from {first} to {LAST_EPOCH}. Correct them, or "
            "MJDREFI, MJDREFF and TIMEUNIT in the header of the table."
        )
    if whole and scale == "utc" and unit_factor(unit, "s", name) == 1:
        # Seconds since an epoch are elapsed ones; day numbers are dates.
        elapsed = seconds_of_times(Time(whole, fraction, format="mjd", scale=scale), whole) + days * SECONDS_PER_DAY
        return Time(whole, elapsed / SECONDS_PER_DAY, format="mjd", scale="tt")
    return Time(whole + fraction, days, format="mjd", scale=scale) if whole else Time(days, format="mjd", scale=scale)


def _reference(table: HduTable) -> tuple[float, float]:
    header = table.header
    if "MJDREFI" not in header and "MJDREF" in header:
        return float(header["MJDREF"]), 0.0
    return float(header.get("MJDREFI", 0)), float(header.get("MJDREFF", 0.0))


def _say_of_scale(table: HduTable, start: Time, mjdref: float) -> None:
    if start.scale != "utc":
        return
    said = "is in UTC" if "TIMESYS" in table.header else "does not say its time scale and is taken as UTC"
    ahead = float(seconds_of_times(Time(mjdref, format="mjd", scale="utc"), mjdref))
    log.warning(
        "%s %s: its day numbers are read as dates. Gammapy reads such a file %.0f s early; if it was read and written "
        "there, its times are wrong by that.", table.path, said, ahead - 32.184,
    )  # fmt: skip


# --- the spectra


def _dataset(table: HduTable, kind: str, bounds: FloatArray, mjdref: float, reference: References | None) -> xr.Dataset:
    count = len(bounds)
    e_ref, edges = _common_energies(table, kind, count)
    n_energy = len(e_ref)
    tiled = {name.upper(): np.tile(row, count) for name, row in zip(ENERGIES, (e_ref, *edges.T), strict=True)}
    spectra, of_time = dict(tiled), {}
    quantity = "norm" if kind == LIKELIHOOD else kind
    for name, values in table.columns.items():
        if name.lower() in (*EDGES, *EXPOSED, *ENERGIES):
            continue
        if values.ndim > 1 and values.shape[1] == n_energy:
            spectra[name] = values.reshape(count * n_energy, *values.shape[2:])
        elif n_energy == 1 and not _is_of_time(name):
            spectra[name] = values
        elif values.ndim == 1 and values.dtype.kind in "bfiu" and not name.lower().startswith(quantity):
            of_time[name.lower()] = ("time", values, {"units": table.units[name]})
        elif values.dtype.kind in "bfiu":
            raise InputError(
                f"{table.path}: column {name.lower()!r} has the shape {values.shape}; expected {n_energy} numbers in "
                "each row, one for each bin of energy."
            )
    units = {**table.units} | dict.fromkeys((name.upper() for name in ENERGIES), "TeV")
    flat = points_of_table(replace(table, columns=spectra, units=units), kind, reference)
    ds = _unfolded(flat, table, count, n_energy).assign(of_time)
    return ds.assign(_exposed(table, mjdref)).assign_coords(_time_coords(bounds)).assign_attrs(
        mjdref=mjdref, time_scale="tt"
    )  # fmt: skip


def _is_of_time(name: str) -> bool:
    return name.lower() in ("ontime", "livetime")


def _common_energies(table: HduTable, kind: str, count: int) -> tuple[FloatArray, FloatArray]:
    """Return e_ref and edges in TeV, which have to be those of each row."""
    held = [name for name in ENERGIES if name in table]
    rows = {name.upper(): table.numbers(name).reshape(count, -1) for name in held}
    for name, values in rows.items():
        if not np.allclose(values, values[:1], rtol=_ROUNDING, atol=0):
            raise InputError(
                f"{table.path}: column {name.lower()!r} changes from row to row; the bins of energy of a light curve "
                "are the same at all times. Read each range by itself, in a row for each bin of time."
            )
    first = replace(table, columns={**table.columns, **{name: values[0] for name, values in rows.items()}})
    return energies(first, "ref_dnde" if kind == LIKELIHOOD else "dnde")


def _unfolded(flat: xr.Dataset, table: HduTable, count: int, n_energy: int) -> xr.Dataset:
    """Return flux points of all times, sorted by energy, as (time, energy)."""
    variables: dict[Any, Any] = {}
    for name, variable in flat.variables.items():
        if "energy" not in variable.dims or name in ("energy", "energy_bounds"):
            continue
        values = variable.values.reshape(n_energy, count, *variable.shape[1:])
        if str(name).startswith("ref_"):
            variables[name] = ("energy", _reference_of_all(values, str(name), table), variable.attrs)
        elif name in PER_DATASET:
            variables[name] = (("time", "energy"), _sum_of_datasets(values).swapaxes(0, 1), variable.attrs)
        else:
            variables[name] = (("time", "energy", *variable.dims[1:]), values.swapaxes(0, 1), variable.attrs)
    coords = {name: flat[name].variable[::count] for name in ("energy", "energy_bounds")}
    if "norm_scan" in flat and flat["norm_scan"].ndim == 1:
        coords["norm_scan"] = flat["norm_scan"].variable
    elif "norm_scan" in variables:
        coords["norm_scan"] = variables.pop("norm_scan")
    return xr.Dataset(variables, coords, flat.attrs)


def _reference_of_all(values: FloatArray, name: str, table: HduTable) -> FloatArray:
    if not np.allclose(values, values[:, :1], rtol=_ROUNDING, atol=0):
        raise InputError(
            f"{table.path}: column {name!r} changes from row to row; expected norms of one spectrum. Read the fluxes "
            "instead: write the file with sed_type flux."
        )
    return values[:, 0]


def _sum_of_datasets(values: npt.NDArray[Any]) -> FloatArray:
    """Return the sum over datasets, of which those of other times are NaN; NaN where there is none."""
    return np.where(np.isnan(values).all(axis=-1), np.nan, np.nansum(values, axis=-1))


def _time_coords(bounds: FloatArray) -> dict[str, Any]:
    attrs = {"units": "s", "long_name": "Time since mjdref", "bounds": "time_bounds"}
    return {
        "time": ("time", bounds.mean(axis=1), attrs),
        "time_bounds": (("time", "bound"), bounds, {"units": "s", "long_name": "Start and stop of the bin"}),
    }


def _exposed(table: HduTable, mjdref: float) -> dict[str, Any]:
    if not all(name in table for name in EXPOSED):
        return {}
    values = np.stack([seconds_of_times(_times(table, name), mjdref) for name in EXPOSED], axis=1)
    return {"time_exposed": (("time", "bound"), values, {"units": "s", "long_name": "First and last good time"})}
