"""The numbers of flux points as quantities and tables: pure functions of a DL5 Dataset.

Every flux is ``norm`` times the reference flux of its kind, and so are errors and limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from astropy import units as u
from astropy.table import Column, Table

from xgamma.axes import FloatArray
from xgamma.errors import DataError, did_you_mean
from xgamma.formats.sed.columns import table_of_columns
from xgamma.formats.sed.files import validate_sed_type
from xgamma.formats.sed.points import QUANTITIES, flux_points_of_table

LIKELIHOOD = "likelihood"
ERRORS = ("_err", "_errn", "_errp", "_ul")
REQUIRED = ("norm", "is_ul", "success", "ref_dnde")
STATISTICS = ("ts", "sqrt_ts", "npred", "npred_excess", "stat", "is_ul", "counts", "success")
HONEST = ("e_min_fit", "e_max_fit", "counts_left_out", "stat_null")


def validate_flux_points(ds: xr.Dataset) -> None:
    """Raise ``DataError`` unless ``ds`` holds flux points: the dim ``energy`` with bounds, norms, a reference."""
    if "energy" not in ds.dims or "energy_bounds" not in ds.coords:
        raise DataError("Flux points need the dim 'energy' with the coordinate energy_bounds (energy, bound).")
    for name in REQUIRED:
        if name not in ds:
            raise DataError(f"Flux points need the variable {name!r}.{did_you_mean(name, map(str, ds))}")


def quantity(ds: xr.Dataset, name: str) -> u.Quantity:
    """Return one quantity of all points, shape (energy,): a variable, or norm x reference.

    Raises ``DataError`` when the product does not have it.
    """
    if name in ds:
        return u.Quantity(ds[name].values, ds[name].attrs["units"])
    sed_type, _, suffix = name.partition("_")
    norm = f"norm_{suffix}" if suffix else "norm"
    if sed_type == "ref":
        raise DataError(f"These flux points have no {name!r}: their table tells another kind of flux alone.")
    if norm not in ds or sed_type not in QUANTITIES:
        raise DataError(f"These flux points have no {name!r}; estimate them with selection_optional: all.")
    return u.Quantity(ds[norm].values * reference(ds, sed_type))


def has_quantity(ds: xr.Dataset, name: str) -> bool:
    """Whether `quantity` can give a quantity: it is there, or its norm and the reference of its kind are."""
    sed_type, _, suffix = name.partition("_")
    is_known = sed_type in QUANTITIES and (f"ref_{sed_type}" in ds or sed_type == "e2dnde")
    return name in ds or (is_known and (f"norm_{suffix}" if suffix else "norm") in ds)


def reference(ds: xr.Dataset, sed_type: str) -> u.Quantity:
    """Return what norm = 1 stands for, shape (energy,); of ``norm`` itself 1."""
    if sed_type == "norm":
        return u.Quantity(np.ones(ds.sizes["energy"]))
    if sed_type == "e2dnde" and "ref_e2dnde" not in ds:
        return u.Quantity(ds["ref_dnde"].values * ds["energy"].values ** 2, "TeV cm-2 s-1")
    return quantity(ds, f"ref_{sed_type}")


def errors(ds: xr.Dataset, sed_type: str) -> tuple[u.Quantity, u.Quantity]:
    """Return the errors downwards and upwards, shape (energy,) each: asymmetric ones where there are, NaN if none."""
    both = symmetric_error(ds, sed_type)
    held = [quantity(ds, f"{sed_type}{side}") if f"norm{side}" in ds else both for side in ("_errn", "_errp")]
    down, up = (u.Quantity(np.where(np.isnan(one.value), both.to_value(one.unit), one.value), one.unit) for one in held)
    return down, up


def symmetric_error(ds: xr.Dataset, sed_type: str) -> u.Quantity:
    """Return the Gaussian error, shape (energy,), or else the mean of the asymmetric ones; NaN if there are none."""
    if "norm_err" in ds:
        return quantity(ds, f"{sed_type}_err")
    if "norm_errn" in ds and "norm_errp" in ds:
        return u.Quantity(0.5 * (quantity(ds, f"{sed_type}_errn") + quantity(ds, f"{sed_type}_errp")))
    return u.Quantity(np.nan * reference(ds, sed_type))


def table(ds: xr.Dataset, sed_type: str) -> Table:
    """Return the points in the columns and the order of GADF's SED format, then what is honest about the binning."""
    validate_sed_type(sed_type)
    bounds = ds["energy_bounds"].values
    result = Table(meta={"SED_TYPE": sed_type, "UL_CONF": ds.attrs.get("UL_CONF", np.nan)})
    for name, values in (("e_ref", ds["energy"].values), ("e_min", bounds[:, 0]), ("e_max", bounds[:, 1])):
        result[name] = Column(values, unit="TeV")
    for name in _flux_columns(sed_type):
        if name in ds if name.startswith("ref_") else f"norm{_suffix(name)}" in ds:
            result[name] = _column(quantity(ds, name))
    scans = _scan_columns(sed_type) if "stat_scan" in ds else ()
    for name in (*STATISTICS, *scans, *HONEST):
        if name in ds.variables:
            result[name] = _variable(ds, name)
    return result


def _flux_columns(sed_type: str) -> list[str]:
    if sed_type == LIKELIHOOD:
        return ["ref_dnde", "ref_flux", "ref_eflux", *(f"norm{error}" for error in ("", *ERRORS))]
    return [f"{sed_type}{error}" for error in ("", "_err", "_errp", "_errn", "_ul")]


def _suffix(name: str) -> str:
    return name[name.index("_") :] if "_" in name else ""


def _scan_columns(sed_type: str) -> tuple[str, str]:
    return ("stat_scan", "norm_scan") if sed_type == LIKELIHOOD else ("norm_scan", "stat_scan")


def scanned_norms(ds: xr.Dataset) -> FloatArray:
    """Return the norms of the profile of each point, shape (energy, norm_scan), also where all have the same."""
    return np.broadcast_to(ds["norm_scan"].values, ds["stat_scan"].shape).copy()


def _column(value: u.Quantity) -> Column:
    return Column(value.value, unit=None if value.unit == u.dimensionless_unscaled else value.unit)


def _variable(ds: xr.Dataset, name: str) -> Column:
    if name == "norm_scan":
        return Column(scanned_norms(ds))
    unit = ds[name].attrs.get("units", "")
    return Column(ds[name].values, unit=u.Unit(unit) if unit else None)


def with_formats(points: Table) -> Table:
    """Return a copy whose numbers print with three digits after the point, fluxes in powers of ten."""
    result = Table(points, copy=True)
    for name in result.colnames:
        if result[name].dtype.kind == "f":
            is_flux = any(name.removeprefix("ref_").startswith(sed_type) for sed_type in QUANTITIES)
            result[name].format = ".3e" if is_flux else ".3f"
    return result


def product(points: Table, sed_type: str | None = None) -> xr.Dataset:
    """Return the DL5 Dataset of a table in GADF's SED format; raises ``InputError`` when it is not one."""
    return flux_points_of_table(table_of_columns(points, Path("table"), "TABLE"), sed_type)


def dataframe(ds: xr.Dataset, names: Sequence[str]) -> pd.DataFrame:
    """Return one row a point; a variable with the dim ``dataset`` becomes a column for each if there are several."""
    columns = {"e_ref": ds["energy"].values, "e_min": ds["energy_bounds"].values[:, 0]}
    columns["e_max"] = ds["energy_bounds"].values[:, 1]
    units = dict.fromkeys(columns, "TeV")
    for name in names:
        if name in ds and "dataset" in ds[name].dims:
            columns |= _per_dataset(ds, name)
            continue
        value = quantity(ds, name)
        columns[name], units[name] = (ds[name].values if name in ds else value.value), value.unit.to_string("fits")
    frame = pd.DataFrame(columns)
    frame.attrs["units"] = {name: units.get(name, "") for name in columns}
    return frame


def _per_dataset(ds: xr.Dataset, name: str) -> dict[str, np.ndarray]:
    labels = [name] if ds.sizes["dataset"] == 1 else [f"{name}_{label}" for label in ds["dataset"].values]
    return dict(zip(labels, ds[name].transpose("dataset", "energy").values, strict=True))
