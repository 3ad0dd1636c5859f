"""A table in the SED format of GADF, however its writer understood it, as flux points (DL5).

What writers leave out (units of errors, edges, words for truths) is taken from what stands beside it, or refused.

Source: https://gamma-astro-data-formats.readthedocs.io/en/latest/spectra/flux_points/index.html
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy
import xarray as xr

from xgamma.axes import Axis, BoolArray, FloatArray, bin_coords
from xgamma.dialects import fits_unit
from xgamma.errors import InputError
from xgamma.formats.fits.hdus import HduTable
from xgamma.formats.fits.tables import as_input_error
from xgamma.formats.sed.kinds import LIKELIHOOD, QUANTITIES, SED_TYPES

ENERGIES = ("e_ref", "e_min", "e_max")
_WORDS = {"TRUE": True, "T": True, "YES": True, "1": True, "FALSE": False, "F": False, "NO": False, "0": False}
# What stands in a table of text where there is nothing.
_NO_WORD = {"": False, "NAN": False, "--": False, "NONE": False}
PARTS = ("", "_err", "_errn", "_errp", "_ul", "_sensitivity")
PER_DATASET = ("counts", "npred", "npred_excess", "counts_left_out")
IN_TEV = ("e_min_fit", "e_max_fit")
TRUTHS = ("is_ul", "success")
# The spectrum that points without a reference are relative to: 1e-12 (E / TeV)^-2 cm-2 s-1 TeV-1.
_REFERENCE_AMPLITUDE = 1e-12
References = Callable[[FloatArray, FloatArray], dict[str, FloatArray]]
"""Of reference energies and edges (energy, 2) in TeV: ``ref_dnde``, ``ref_flux``, ``ref_eflux`` and ``ref_e2dnde``."""
_COORDINATES = (*ENERGIES, "energy", "energy_bounds", "bound", "dataset", "norm_scan")
_LIGHT_CURVE = ("lc", "lightcurve")
_OF_TIME = ("time", "time_min", "time_max", "time_bin_start", "time_bin_size", "tstart", "tstop", "mjd")


def energies(table: HduTable, dnde: str) -> tuple[FloatArray, FloatArray]:
    """Return e_ref, shape (energy,), and the edges, shape (energy, 2), in TeV.

    Parameters
    ----------
    table
        With ``e_ref``, or ``e_min`` and ``e_max``, or all of them.
    dnde
        The column of dN/dE, whose unit says that of energies where they have none.

    Raises
    ------
    InputError
        For energies that are no numbers above 0, or edges that are no bins.
    """
    unit = first_unit(table, ENERGIES) or _energy_in(table.units.get(dnde.upper(), ""))
    held = {name: one_a_row(table, name, "TeV", unit) for name in ENERGIES if name in table}
    e_ref, low, high = (held.get(name) for name in ENERGIES)
    if (low is None) != (high is None):
        raise InputError(f"{table.path} has one of the columns e_min and e_max; expected both, or e_ref alone.")
    if low is None or high is None or (e_ref is not None and np.isnan([low, high]).all()):
        e_ref = held["e_ref"] if "e_ref" in held else one_a_row(table, "e_ref", "TeV", unit)
        _validate_energies(table, e_ref, e_ref)
        return e_ref, _halfway(table, e_ref)
    e_ref = np.sqrt(low * high) if e_ref is None else e_ref
    _validate_energies(table, e_ref, low)
    if not np.all(np.isfinite(high) & (high > low)):
        raise InputError(f"{table.path}: e_max has to be above e_min in each row of flux points.")
    return e_ref, np.stack([low, high], axis=1)


def _validate_energies(table: HduTable, *energies: FloatArray) -> None:
    if not len(energies[0]):
        raise InputError(f"{table.path} has no flux points: its table {table.name} has no rows.")
    if not all(np.all(np.isfinite(values) & (values > 0)) for values in energies):
        raise InputError(f"{table.path}: the energies of flux points have to be numbers above 0. Leave out other rows.")


def _halfway(table: HduTable, e_ref: FloatArray) -> FloatArray:
    order = np.argsort(e_ref)
    if np.any(np.diff(e_ref[order]) == 0):
        raise InputError(
            f"{table.path} has two flux points at one energy, and no edges. Give e_min and e_max, or one point each."
        )
    bounds = np.empty((len(e_ref), 2))
    bounds[order] = Axis.from_nodes("energy", e_ref[order], "TeV", "log").bounds
    return bounds


def one_a_row(table: HduTable, name: str, unit: str, without: str) -> FloatArray:
    """Return one number a row in ``unit``, shape (row,); ``without`` is the unit of a column that has none.

    Raises ``InputError`` when neither says a unit, for one of another dimension, and for columns of arrays.
    """
    values = table.numbers(name, unit, without)
    if unit and not (table.units[name.upper()].strip() or without):
        raise InputError(f"{table.path}: column {name!r} has no unit. Give it one, such as {unit!r}.")
    if values.size != len(values):
        raise InputError(
            f"{table.path}: column {name!r} has the shape {values.shape}; expected one number in each row, as flux "
            "points are one spectrum."
        )
    return values.reshape(len(values))


def first_unit(table: HduTable, names: Iterable[str]) -> str:
    """Return the first unit of the columns that are there, empty where none has one."""
    return next((unit for name in names if (unit := table.units.get(name.upper(), "").strip())), "")


def _energy_in(dnde: str) -> str:
    """Return the unit of energy in that of a dN/dE."""
    bases = [base.to_string() for base in fits_unit(dnde).bases]
    return next((base for base in bases if base.endswith("eV")), "")


def flags(table: HduTable, name: str) -> BoolArray:
    """Return a column of truths, which writers keep as logicals, numbers and words; what is missing is false.

    Raises ``InputError`` for words that are neither.
    """
    values = table.column(name).reshape(len(table.column(name)))
    if values.dtype.kind == "b":
        return values
    if values.dtype.kind in "iuf":
        words = ["" if np.isnan(value) else f"{value:g}" for value in values]
    else:
        words = [(value.decode() if isinstance(value, bytes) else str(value)).strip().upper() for value in values]
    known = _WORDS | _NO_WORD
    odd = [word for word in words if word not in known]
    if odd:
        raise InputError(f"{table.path}: column {name!r} holds {odd[0]!r}; expected true or false, 1 or 0.")
    return np.array([known[word] for word in words], dtype=np.bool_)


def is_flux_points(table: HduTable) -> bool:
    """Whether a table has energies and at least one quantity of the SED format, or its limits, and no times."""
    return has_energies(table) and _has_quantity(table) and not _times(table)


def is_light_curve(table: HduTable) -> bool:
    """Whether a table has times beside a quantity of the SED format."""
    return bool(_times(table)) and _has_quantity(table)


def has_energies(table: HduTable) -> bool:
    """Whether a table has reference energies, or edges."""
    return "e_ref" in table or ("e_min" in table and "e_max" in table)


def _has_quantity(table: HduTable) -> bool:
    return any(_holds(table, kind) for kind in SED_TYPES)


def _times(table: HduTable) -> list[str]:
    return [name for name in _OF_TIME if name in table]


def flux_points_of_table(
    table: HduTable, sed_type: str | None = None, reference: References | None = None
) -> xr.Dataset:
    """Return the DL5 Dataset of an SED table.

    A symmetric error that is missing is the mean of the asymmetric ones; a unit that is missing is that of the other
    columns of the same quantity, and that of energies the one in dN/dE.

    Parameters
    ----------
    table
        The columns, by names in upper case.
    sed_type
        What the table holds, for a table without SED_TYPE; otherwise its columns decide.
    reference
        What fluxes are made multiples of, by default 1e-12 (E / TeV)^-2 cm-2 s-1 TeV-1. Norms have their own.

    Raises
    ------
    InputError
        When the table is not one of flux points, or holds values or units that are not those of the format.
    """
    given = with_upper_header(table)
    _validate_spectrum(given)
    with as_input_error(f"{given.path}: the table of flux points"):
        return points_of_table(given, sed_type or sed_type_of(given), reference)


def with_upper_header(table: HduTable) -> HduTable:
    """Return the table with the keywords of its header in upper case, as files in ECSV need not have them."""
    return replace(table, header={keyword.upper(): value for keyword, value in table.header.items()})


def _validate_spectrum(table: HduTable) -> None:
    times = _times(table)
    said = str(table.header.get("DATA_TYPE", table.header.get("DATATYPE", ""))).strip().lower()
    if times or said in _LIGHT_CURVE:
        what = f"column {times[0]!r}" if times else f"data type {said!r}"
        raise InputError(
            f"{table.path} holds a light curve ({what}), and flux points are one spectrum. LightCurve.read reads it; "
            "without the columns of time FluxPoints.from_table reads the rows of one time."
        )


def points_of_table(table: HduTable, kind: str, reference: References | None = None) -> xr.Dataset:
    """Return `flux_points_of_table` of a table whose columns of time nobody looks at."""
    e_ref, bounds = energies(table, "ref_dnde" if kind == LIKELIHOOD else "dnde")
    variables = _with_errors(_norms(table, kind, _references(table, kind, e_ref, bounds, reference)))
    taken = {*variables, *_COORDINATES, *(f"{quantity}{part}" for quantity in QUANTITIES for part in PARTS)}
    norm = variables["norm"][1]
    variables |= {"is_ul": ("energy", ~np.isfinite(norm), {"units": ""})}
    variables |= {"success": ("energy", np.isfinite(norm), {"units": ""})}
    for name in (column.lower() for column in table.columns):
        if name in TRUTHS:
            variables[name] = ("energy", flags(table, name), {"units": ""})
        elif name not in taken and table.column(name).dtype.kind in "bfiu":
            variables[name] = _statistic(table, name)
    ds = xr.Dataset(variables, bin_coords("energy", e_ref, bounds), _attrs(table))
    return _with_labels(ds, table).isel(energy=np.argsort(e_ref, kind="stable"))


def _holds(table: HduTable, kind: str) -> bool:
    if kind == LIKELIHOOD:
        return "ref_dnde" in table and ("norm" in table or "norm_ul" in table)
    return kind in table or f"{kind}_ul" in table


def sed_type_of(table: HduTable) -> str:
    """Return what the table holds: what it says, or else what its columns say; raises ``InputError``."""
    said = str(table.header.get("SED_TYPE", "")).strip().lower()
    if said in SED_TYPES:
        return said
    found = [kind for kind in SED_TYPES if _holds(table, kind)]
    if not found:
        raise InputError(
            f"{table.path} holds none of norm, {', '.join(QUANTITIES)}; it has {', '.join(table.columns)}."
        )
    return found[0]


# --- values


def _norms(table: HduTable, kind: str, references: dict[str, FloatArray]) -> dict[str, Any]:
    """Return norms and reference fluxes."""
    quantity, scale, unit = "norm", np.ones(len(references["ref_dnde"])), ""
    if kind != LIKELIHOOD:
        quantity, scale, unit = kind, references[f"ref_{kind}"], QUANTITIES[kind]
    held = [part for part in PARTS if f"{quantity}{part}" in table]
    if "" not in held and "_ul" not in held:
        raise InputError(f"{table.path} is of sed_type {kind!r} and has no column {quantity!r}.")
    without = first_unit(table, [f"{quantity}{part}" for part in held])
    norms = {f"norm{part}": one_a_row(table, f"{quantity}{part}", unit, without) / scale for part in held}
    return {
        name: ("energy", values, {"units": QUANTITIES.get(name.removeprefix("ref_"), "")})
        for name, values in ({"norm": np.full(len(scale), np.nan)} | norms | references).items()
    }


def _references(
    table: HduTable, kind: str, e_ref: FloatArray, bounds: FloatArray, reference: References | None
) -> dict[str, FloatArray]:
    if kind == LIKELIHOOD:
        held = {
            f"ref_{name}": one_a_row(table, f"ref_{name}", unit, "")
            for name, unit in QUANTITIES.items()
            if f"ref_{name}" in table or name == "dnde"
        }
        return {"ref_e2dnde": held["ref_dnde"] * e_ref**2} | held
    return (reference or _power_law)(e_ref, bounds)


def _power_law(e_ref: FloatArray, bounds: FloatArray) -> dict[str, FloatArray]:
    low, high = bounds.T
    return {
        "ref_dnde": _REFERENCE_AMPLITUDE * e_ref**-2,
        "ref_flux": _REFERENCE_AMPLITUDE * (1 / low - 1 / high),
        "ref_eflux": _REFERENCE_AMPLITUDE * np.log(high / low),
        "ref_e2dnde": np.full(len(e_ref), _REFERENCE_AMPLITUDE),
    }


def _with_errors(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables with ``norm_err`` in every point that has errors, and NaN where there are none."""
    result = dict(variables)
    unknown = np.full(len(result["norm"][1]), np.nan)
    if "norm_errn" in result:
        # Some writers give the error downwards its sign.
        result["norm_errn"] = ("energy", np.abs(result["norm_errn"][1]), {"units": ""})
    both, down, up = (result[name][1] if name in result else unknown for name in ("norm_err", "norm_errn", "norm_errp"))
    mean = 0.5 * (down + up)
    result["norm_err"] = ("energy", np.where(~np.isfinite(both) & np.isfinite(mean), mean, both), {"units": ""})
    return result


def _statistic(table: HduTable, name: str) -> tuple[Any, npt.NDArray[Any], dict[str, str]]:
    unit = "TeV" if name in IN_TEV else ""
    stored = table.column(name)
    values = stored if stored.dtype.kind == "b" else table.numbers(name, unit if name in IN_TEV else None)
    if name in PER_DATASET:
        return ("energy", "dataset"), values.reshape(len(values), -1), {"units": unit}
    if values.ndim == 1:
        return "energy", values, {"units": unit or table.units[name.upper()]}
    dims = ["norm_scan"] if name == "stat_scan" else [f"{name}_{number}" for number in range(values.ndim - 1)]
    return ("energy", *dims), values, {"units": unit}


def _with_labels(ds: xr.Dataset, table: HduTable) -> xr.Dataset:
    """Return ``ds`` with names for its datasets, and the norms of the scan."""
    if "dataset" in ds.dims:
        ds = ds.assign_coords(dataset=[f"dataset-{number}" for number in range(ds.sizes["dataset"])])
    if "norm_scan" not in table:
        return ds
    scan = table.numbers("norm_scan")
    common = scan[np.argmax(np.isfinite(scan).all(axis=1))]
    if np.all(np.isclose(scan, common, rtol=1e-9, atol=0) | np.isnan(scan)):
        return ds.assign_coords(norm_scan=("norm_scan", common, {"units": "", "long_name": "Norms of the scan"}))
    return ds.assign_coords(norm_scan=(("energy", "norm_scan"), scan, {"units": ""}))


def _attrs(table: HduTable) -> dict[str, Any]:
    confidence = float(table.header.get("UL_CONF", math.erf(math.sqrt(2))))
    if not 0 < confidence < 1:
        raise InputError(f"{table.path} has UL_CONF = {confidence:g}; expected a confidence between 0 and 1.")
    sigma = round(float(math.sqrt(2) * scipy.special.erfinv(confidence)), 4)
    return {"source": "", "n_sigma": 1.0, "n_sigma_ul": sigma, "UL_CONF": round(confidence, 7), "telescope": ""}
