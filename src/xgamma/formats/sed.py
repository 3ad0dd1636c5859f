"""Flux points as the GADF SED format: one table of energies, a quantity with its errors, and the likelihood.

Source: https://gamma-astro-data-formats.readthedocs.io/en/latest/spectra/flux_points/index.html
"""

from __future__ import annotations

import io
import math
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from astropy import table as tables
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from scipy.special import erfinv

from xgamma.axes import LABELS, Axis, FloatArray
from xgamma.errors import ConfigError, InputError, MissingInputError, did_you_mean
from xgamma.formats import dataset_table
from xgamma.formats.atomic import local_path, validate_ending, validate_output, write_files
from xgamma.formats.hdus import Table, fits_content, read_tables, table_hdu

ENDINGS = (".fits", ".fits.gz", ".ecsv")
EXTNAME = "FLUXPOINTS"
QUANTITIES = {"dnde": "cm-2 s-1 TeV-1", "flux": "cm-2 s-1", "eflux": "TeV cm-2 s-1", "e2dnde": "TeV cm-2 s-1"}
SED_TYPES = ("likelihood", *QUANTITIES)
_PARTS = ("", "_err", "_errn", "_errp", "_ul", "_sensitivity")
_PER_DATASET = ("counts", "npred", "npred_excess", "counts_left_out")
_IN_TEV = ("e_min_fit", "e_max_fit")
_ORDER = ("ts", "sqrt_ts", "npred", "npred_excess", "stat", "stat_null", "is_ul", "counts", "success", "stat_scan")
# The spectrum that points without a reference are relative to: 1e-12 (E / TeV)^-2 cm-2 s-1 TeV-1.
_REFERENCE_AMPLITUDE = 1e-12

Columns = dict[str, tuple[npt.NDArray[Any], str]]


def write_flux_points(
    ds: xr.Dataset, path: str | os.PathLike[str], sed_type: str = "likelihood", *, overwrite: bool = False
) -> Path:
    """Write flux points (DL5) to a ``.fits``, ``.fits.gz`` or ``.ecsv`` file and return its path.

    The table is what Gammapy reads with ``FluxPoints.read``, with columns of ours after its own: where the fit
    began and ended (``e_min_fit``, ``e_max_fit``) and what it left out (``counts_left_out``). In FITS a second table
    XGAMMA holds all of the Dataset, so that `read_flux_points` gives the identical one whatever the ``sed_type``.

    Parameters
    ----------
    ds
        Flux points with dims (energy, dataset, norm_scan).
    path
        The name of the file.
    sed_type
        ``likelihood`` (norms and reference fluxes), ``dnde``, ``flux``, ``eflux`` or ``e2dnde``.
    overwrite
        Whether a file that exists is replaced.

    Raises
    ------
    ConfigError
        For another ending or ``sed_type``.
    OutputExistsError, OutputError
        When the file exists, or the folder cannot be written. Nothing half-written is left.

    Examples
    --------
    >>> write_flux_points(points, "crab.fits", sed_type="dnde")  # doctest: +SKIP
    """
    target = local_path(path)
    validate_ending(target, ENDINGS, "Flux points")
    validate_sed_type(sed_type)
    validate_output(target, overwrite)
    loaded = ds.compute()
    columns, meta = flux_points_columns(loaded, sed_type), {"SED_TYPE": sed_type, "UL_CONF": _confidence(loaded)}
    name = target.name.lower()
    if name.endswith(".ecsv"):
        content = _ecsv_content(columns, meta)
    else:
        hdus = [_table_hdu(columns, meta), dataset_table.dataset_hdu(loaded)]
        content = fits_content(hdus, dataset_table.PROMISE, compress=name.endswith(".gz"))
    write_files({target: content}, overwrite=overwrite)
    return target


def read_flux_points(path: str | os.PathLike[str], sed_type: str | None = None) -> xr.Dataset:
    """Read flux points of xgamma, Gammapy or another program that writes GADF SEDs, as a DL5 Dataset.

    Quantities become norms of a reference spectrum: the one in the file (``likelihood``), else
    1e-12 (E / TeV)^-2 cm-2 s-1 TeV-1. Where a file tells only ``e_ref``, edges lie half-way between the points.

    Parameters
    ----------
    path
        The name of the file; ``.ecsv`` is a table of text, everything else FITS.
    sed_type
        What the table holds, for a file without SED_TYPE; otherwise its columns decide.

    Raises
    ------
    MissingInputError
        When there is no such file.
    InputError
        When it holds no flux points, or in a unit that is not one of them.
    """
    source = local_path(path)
    if sed_type is not None:
        validate_sed_type(sed_type)
    if source.name.lower().endswith(".ecsv"):
        return flux_points_of_table(_read_ecsv(source), sed_type)
    found = read_tables(source)
    ours = dataset_table.dataset_of_tables(found, source)
    if ours is not None:
        return ours
    points = [table for table in found.values() if "e_ref" in table or "e_min" in table]
    if not points:
        raise InputError(f"{source} has no table of flux points (column e_ref or e_min); it has {', '.join(found)}.")
    return flux_points_of_table(points[0], sed_type)


def validate_sed_type(sed_type: str) -> None:
    """Raise ``ConfigError`` unless ``sed_type`` is one of ``SED_TYPES``."""
    if sed_type not in SED_TYPES:
        raise ConfigError(f"sed_type: there is no {sed_type!r}.{did_you_mean(sed_type, SED_TYPES)}")


def flux_points_columns(ds: xr.Dataset, sed_type: str) -> Columns:
    """Return the columns of the SED table, each an array of (energy, ...) and its unit."""
    columns: Columns = {
        "e_ref": (ds["energy"].values, "TeV"),
        "e_min": (ds["energy_bounds"].values[:, 0], "TeV"),
        "e_max": (ds["energy_bounds"].values[:, 1], "TeV"),
    }
    columns |= _likelihood_columns(ds) if sed_type == "likelihood" else _quantity_columns(ds, sed_type)
    known = [name for name in _ORDER if name in ds]
    others = [str(name) for name in ds.data_vars if name not in known and not str(name).startswith(("norm", "ref_"))]
    columns |= {name: _values(ds[name]) for name in [*known, *others] if "energy" in ds[name].dims}
    if "stat_scan" in columns:
        columns["norm_scan"] = (np.broadcast_to(ds["norm_scan"].values, ds["stat_scan"].shape).copy(), "")
    return columns


def _values(variable: xr.DataArray) -> tuple[npt.NDArray[Any], str]:
    return variable.transpose("energy", ...).values, str(variable.attrs.get("units", ""))


def _likelihood_columns(ds: xr.Dataset) -> Columns:
    references: Columns = {f"ref_{name}": (ds[f"ref_{name}"].values, unit) for name, unit in QUANTITIES.items()}
    return references | {f"norm{part}": (ds[f"norm{part}"].values, "") for part in _PARTS if f"norm{part}" in ds}


def _quantity_columns(ds: xr.Dataset, quantity: str) -> Columns:
    reference, unit = ds[f"ref_{quantity}"].values, QUANTITIES[quantity]
    parts = [part for part in _PARTS if f"norm{part}" in ds]
    return {f"{quantity}{part}": (ds[f"norm{part}"].values * reference, unit) for part in parts}


def _confidence(ds: xr.Dataset) -> float:
    """Return the two-sided confidence of the upper limits."""
    return float(ds.attrs.get("UL_CONF", round(math.erf(float(ds.attrs.get("n_sigma_ul", 2.0)) / math.sqrt(2)), 7)))


def _table_hdu(columns: Columns, meta: Mapping[str, Any]) -> fits.BinTableHDU:
    return table_hdu(EXTNAME, [_column(name, *column) for name, column in columns.items()], meta)


def _column(name: str, values: npt.NDArray[Any], unit: str) -> fits.Column:
    code = {"b": "L", "i": "K", "u": "K"}.get(values.dtype.kind, "D")
    if values.ndim == 1:
        return fits.Column(name, format=code, unit=unit or None, array=values)
    dim = f"({','.join(str(size) for size in reversed(values.shape[1:]))})"
    return fits.Column(name, format=f"{int(np.prod(values.shape[1:]))}{code}", unit=unit or None, dim=dim, array=values)


def _ecsv_content(columns: Columns, meta: Mapping[str, Any]) -> bytes:
    table = tables.Table({name: values for name, (values, _) in columns.items()}, meta=dict(meta))
    for name, (_, unit) in columns.items():
        table[name].unit = unit or None
    text = io.StringIO()
    table.write(text, format="ascii.ecsv")
    return text.getvalue().encode()


def _read_ecsv(path: Path) -> Table:
    if not path.is_file():
        raise MissingInputError(f"There is no file {path}. Check the name and the folder.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            table = tables.Table.read(path.read_text(), format="ascii.ecsv")
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is not an ECSV table ({error}). Write it again, or name it after its format."
        ) from error
    columns = {name.upper(): np.ma.filled(np.ma.asarray(table[name]), np.nan) for name in table.colnames}
    units = {name.upper(): str(table[name].unit or "") for name in table.colnames}
    return Table(path, "ECSV", dict(table.meta), columns, units)


def flux_points_of_table(table: Table, sed_type: str | None = None) -> xr.Dataset:
    """Return the DL5 Dataset of an SED table; see `read_flux_points`."""
    kind = sed_type or _sed_type(table)
    e_ref, bounds = _energies(table)
    order = np.argsort(e_ref, kind="stable")
    variables = _norms(table, kind, e_ref, bounds)
    held = [name.lower() for name in table.columns]
    others = [name for name in held if name not in ("e_ref", "e_min", "e_max", "norm_scan") and name not in variables]
    taken = tuple(f"{quantity}{part}" for quantity in QUANTITIES for part in _PARTS)
    for name in others:
        if name not in taken and table.column(name).dtype.kind in "bfiu":
            variables[name] = _likelihood_variable(table, name)
    norm = variables["norm"][1]
    variables.setdefault("is_ul", ("energy", ~np.isfinite(norm), {"units": ""}))
    variables.setdefault("success", ("energy", np.isfinite(norm), {"units": ""}))
    ds = xr.Dataset(variables, _energy_coords(e_ref, bounds), _attrs(table))
    return _with_labels(ds, table).isel(energy=order)


def _sed_type(table: Table) -> str:
    said = str(table.header.get("SED_TYPE", "")).strip().lower()
    if said in SED_TYPES:
        return said
    found = [kind for kind in SED_TYPES if ("norm" if kind == "likelihood" else kind) in table]
    if not found:
        raise InputError(
            f"{table.path} holds none of norm, {', '.join(QUANTITIES)}; it has {', '.join(table.columns)}."
        )
    return found[0]


def _energies(table: Table) -> tuple[FloatArray, FloatArray]:
    """Return e_ref, shape (energy,), and the edges, shape (energy, 2), in TeV."""
    if "e_min" in table and "e_max" in table:
        bounds = np.stack([table.numbers("e_min", "TeV"), table.numbers("e_max", "TeV")], axis=1)
        return (table.numbers("e_ref", "TeV") if "e_ref" in table else np.sqrt(bounds[:, 0] * bounds[:, 1])), bounds
    e_ref = table.numbers("e_ref", "TeV")
    order = np.argsort(e_ref)
    bounds = np.empty((len(e_ref), 2))
    bounds[order] = Axis.from_nodes("energy", e_ref[order], "TeV", "log").bounds
    return e_ref, bounds


def _energy_coords(e_ref: FloatArray, bounds: FloatArray) -> dict[str, Any]:
    attrs = {"units": "TeV", "bounds": "energy_bounds", "scale": "log", **LABELS["energy"]}
    return {"energy": ("energy", e_ref, attrs), "energy_bounds": (("energy", "bound"), bounds, {"units": "TeV"})}


def _norms(table: Table, kind: str, e_ref: FloatArray, bounds: FloatArray) -> dict[str, Any]:
    """Return norms and reference fluxes."""
    references = _references(table, kind, e_ref, bounds)
    quantity, scale, unit = "norm", np.ones(len(e_ref)), ""
    if kind != "likelihood":
        quantity, scale, unit = kind, references[f"ref_{kind}"], QUANTITIES[kind]
    if quantity not in table:
        raise InputError(f"{table.path} is of sed_type {kind!r} and has no column {quantity!r}.")
    norms = {
        f"norm{part}": ("energy", table.numbers(f"{quantity}{part}", unit) / scale, {"units": ""})
        for part in _PARTS
        if f"{quantity}{part}" in table
    }
    return norms | {
        name: ("energy", values, {"units": QUANTITIES[name.removeprefix("ref_")]})
        for name, values in references.items()
    }


def _references(table: Table, kind: str, e_ref: FloatArray, bounds: FloatArray) -> dict[str, FloatArray]:
    low, high = bounds.T
    if kind == "likelihood":
        held = {
            f"ref_{name}": table.numbers(f"ref_{name}", unit)
            for name, unit in QUANTITIES.items()
            if f"ref_{name}" in table or name == "dnde"
        }
        return {"ref_e2dnde": held["ref_dnde"] * e_ref**2} | held
    return {
        "ref_dnde": _REFERENCE_AMPLITUDE * e_ref**-2,
        "ref_flux": _REFERENCE_AMPLITUDE * (1 / low - 1 / high),
        "ref_eflux": _REFERENCE_AMPLITUDE * np.log(high / low),
        "ref_e2dnde": np.full(len(e_ref), _REFERENCE_AMPLITUDE),
    }


def _likelihood_variable(table: Table, name: str) -> tuple[Any, npt.NDArray[Any], dict[str, str]]:
    unit = "TeV" if name in _IN_TEV else ""
    stored = table.column(name)
    values = stored if stored.dtype.kind == "b" else table.numbers(name, unit if name in _IN_TEV else None)
    if name in _PER_DATASET:
        return ("energy", "dataset"), values.reshape(len(values), -1), {"units": unit}
    if values.ndim == 1:
        return "energy", values, {"units": unit or table.units[name.upper()]}
    return ("energy", "norm_scan" if name == "stat_scan" else f"{name}_dim"), values, {"units": unit}


def _with_labels(ds: xr.Dataset, table: Table) -> xr.Dataset:
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


def _attrs(table: Table) -> dict[str, Any]:
    confidence = float(table.header.get("UL_CONF", math.erf(math.sqrt(2))))
    sigma = round(float(math.sqrt(2) * erfinv(confidence)), 4)
    return {"source": "", "n_sigma": 1.0, "n_sigma_ul": sigma, "UL_CONF": round(confidence, 7), "telescope": ""}
