"""The table of flux points in the SED format of GADF: the one that is shown, and written to files.

Source: https://gamma-astro-data-formats.readthedocs.io/en/latest/spectra/flux_points/index.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import astropy
import numpy as np
import numpy.typing as npt

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError, DataError, did_you_mean
from xgamma.formats.sed.kinds import LIKELIHOOD, QUANTITIES, SED_TYPES, level_of
from xgamma.schema.arrays import NamedArrays

if TYPE_CHECKING:
    from astropy.table import Table


# Columns stand as users of Gammapy know them; what only xgamma has stands behind.
_REFERENCES = ("ref_dnde", "ref_flux", "ref_eflux")
_NORMS = ("", "_err", "_errn", "_errp", "_ul", "_sensitivity")
_FLUXES = ("", "_err", "_errp", "_errn", "_ul", "_sensitivity")
_STATISTICS = (
    "ts", "sqrt_ts", "npred", "npred_excess", "stat", "stat_null", "stat_scan", "is_ul", "counts", "success",
    "norm_scan",
)  # fmt: skip
_OWN = ("e_min_fit", "e_max_fit", "counts_left_out")

Columns = dict[str, tuple[npt.NDArray[Any], str]]


def flux_points_table(ds: NamedArrays, sed_type: str) -> Table:
    """Return flux points (DL5) as a table of astropy, see `flux_points_columns`; SED_TYPE and UL_CONF are its meta."""
    return table_of(flux_points_columns(ds, sed_type), points_meta(ds, sed_type))


def table_of(columns: Columns, meta: Mapping[str, Any]) -> Table:
    """Return columns as a table of astropy."""
    table = astropy.table.Table(meta=dict(meta))
    for name, (values, unit) in columns.items():
        table[name] = astropy.table.Column(values, unit=unit or None)
    return table


def points_meta(ds: NamedArrays, sed_type: str) -> dict[str, Any]:
    """Return what the header of a table of flux points says."""
    return {"SED_TYPE": sed_type, "UL_CONF": confidence(ds)}


def flux_points_columns(ds: NamedArrays, sed_type: str) -> Columns:
    """Return the columns of the SED table of flux points (DL5), each an array of (energy, ...) and its unit.

    Those of a light curve have the shape (time, energy, ...): a row holds the spectrum of a time.

    Energies, then references and norms (``likelihood``) or one kind of flux, then statistics; behind them what the
    format does not know: the edges of the bins that were fitted and other variables with the dim ``energy``.

    Raises
    ------
    ConfigError
        For another ``sed_type``.
    DataError
        When the points have no reference of that kind.
    """
    validate_sed_type(sed_type)
    edges = ds["energy_bounds"].values
    energies = {"e_ref": ds["energy"].values, "e_min": edges[:, 0], "e_max": edges[:, 1]}
    columns: Columns = {name: (_rows(ds, ("energy",), values), "TeV") for name, values in energies.items()}
    if sed_type == LIKELIHOOD:
        columns |= {name: _column(ds, name) for name in _REFERENCES if name in ds}
        columns |= {f"norm{part}": _column(ds, f"norm{part}") for part in _NORMS if f"norm{part}" in ds}
    else:
        reference, unit = reference_flux(ds, sed_type), QUANTITIES[sed_type]
        held = [part for part in _FLUXES if f"norm{part}" in ds]
        columns |= {f"{sed_type}{part}": (ds[f"norm{part}"].values * reference, unit) for part in held}
    return columns | {name: _column(ds, name) for name in _others(ds, sed_type)}


def _others(ds: NamedArrays, sed_type: str) -> list[str]:
    """Return the names of statistics, of what is of xgamma alone, and of what came with a file, in this order."""
    known = [name for name in (*_STATISTICS, *_OWN) if name in ds.variables]
    if "stat_scan" not in ds and "norm_scan" in known:
        known.remove("norm_scan")
    references = ["ref_e2dnde"] if sed_type == LIKELIHOOD and "ref_e2dnde" in ds else []
    data = [str(name) for name in ds.variables if name not in ds.coords]
    others = [name for name in data if not name.startswith(("norm", "ref_")) and name not in known]
    return [*known, *references, *(name for name in others if set(row_dims(ds)) <= set(ds[name].dims))]


def row_dims(ds: NamedArrays) -> tuple[str, ...]:
    """Return the dims of a norm: (energy,) of flux points, (time, energy) of a light curve."""
    return ("time", "energy") if "time" in ds.sizes else ("energy",)


def _rows(ds: NamedArrays, dims: tuple[Any, ...], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return values of energies, or of all points, with the dims of a norm first."""
    shape = tuple(ds.sizes[dim] for dim in row_dims(ds))
    held = [dims.index(dim) for dim in row_dims(ds) if dim in dims]
    array = np.moveaxis(values, held, range(len(held)))
    return np.broadcast_to(array, (*shape, *array.shape[len(held) :]))


def _column(ds: NamedArrays, name: str) -> tuple[npt.NDArray[Any], str]:
    values = scanned_norms(ds) if name == "norm_scan" else _rows(ds, ds[name].dims, ds[name].values)
    return values, str(ds[name].attrs.get("units", ""))


def scanned_norms(ds: NamedArrays) -> FloatArray:
    """Return the norms of the profile of each point in the dims of ``stat_scan``, also where all have the same."""
    return np.broadcast_to(ds["norm_scan"].values, ds["stat_scan"].shape).copy()


def reference_flux(ds: NamedArrays, quantity: str) -> FloatArray:
    """Return what norm = 1 stands for in the unit of ``QUANTITIES``, shape (energy,).

    Raises ``DataError`` where the points do not have it.
    """
    if f"ref_{quantity}" in ds:
        return np.asarray(ds[f"ref_{quantity}"].values)
    if quantity == "e2dnde":
        return np.asarray(ds["ref_dnde"].values * ds["energy"].values ** 2)
    raise DataError(
        f"These flux points have no ref_{quantity}, as their table tells another kind of flux alone, so that they "
        f"cannot be given as {quantity!r}."
    )


def confidence(ds: NamedArrays) -> float:
    """Return the two-sided confidence of the upper limits."""
    return float(ds.attrs.get("UL_CONF", level_of(float(ds.attrs.get("n_sigma_ul", 2.0)))))


def validate_sed_type(sed_type: str) -> None:
    """Raise ``ConfigError`` unless ``sed_type`` is one of ``SED_TYPES``."""
    if sed_type not in SED_TYPES:
        raise ConfigError(f"sed_type: there is no {sed_type!r}.{did_you_mean(sed_type, SED_TYPES)}")
