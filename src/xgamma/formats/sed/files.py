"""Flux points as the GADF SED format: one table of energies, a quantity with its errors, and the likelihood.

Source: https://gamma-astro-data-formats.readthedocs.io/en/latest/spectra/flux_points/index.html
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.errors import InputError, MissingInputError
from xgamma.formats.fits import dataset_table
from xgamma.formats.fits.encoding import Column, Hdu
from xgamma.formats.fits.hdus import ECSV, HduTable, ecsv_table, fits_content, read_hdu_tables
from xgamma.formats.fits.tables import read_raw
from xgamma.formats.local_files import local_path, validate_ending, validate_output, write_files
from xgamma.formats.sed.points import (
    References,
    flux_points_of_table,
    has_energies,
    is_flux_points,
    is_light_curve,
)
from xgamma.formats.sed.table import Columns, flux_points_columns, points_meta, table_of, validate_sed_type
from xgamma.schema.arrays import Arrays, NamedArrays, in_memory

if TYPE_CHECKING:
    from astropy import table as tables


TEXT_ENDINGS = (".ecsv", ".csv")
"""Tables of text: ECSV with blanks or, as every program reads it, with commas between the columns."""
ENDINGS = (".fits", ".fits.gz", *TEXT_ENDINGS)
EXTNAME = "FLUXPOINTS"
_FITS, _GZIP = b"SIMPLE", b"\x1f\x8b"


def write_flux_points(
    ds: Arrays, path: str | os.PathLike[str], sed_type: str = "likelihood", *, overwrite: bool = False
) -> Path:
    """Write flux points (DL5) to a ``.fits``, ``.fits.gz``, ``.ecsv`` or ``.csv`` file and return its path.

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
    DataError
        When the points have no reference of that kind.
    OutputExistsError, OutputError
        When the file exists, or the folder cannot be written. Nothing half-written is left.

    Examples
    --------
    >>> write_flux_points(points, "crab.fits", sed_type="dnde")  # doctest: +SKIP
    """
    return write_points(ds, path, sed_type, flux_points_columns, "Flux points", overwrite=overwrite)


def write_points(
    ds: Arrays,
    path: str | os.PathLike[str],
    sed_type: str,
    columns_of: Callable[[NamedArrays, str], Columns],
    what: str,
    cards: Mapping[str, Any] | None = None,
    *,
    overwrite: bool,
) -> Path:
    """Write the columns of a Dataset as `write_flux_points` does; ``cards`` are added to the header of the table."""
    target = local_path(path)
    validate_ending(target, ENDINGS, what)
    validate_sed_type(sed_type)
    validate_output(target, overwrite)
    loaded = in_memory(ds)
    name = target.name.lower()
    columns, meta = columns_of(loaded, sed_type), {**points_meta(loaded, sed_type), **(cards or {})}
    if name.endswith(TEXT_ENDINGS):
        content = _text_content(table_of(columns, meta), target)
    else:
        hdus = [_table_hdu(columns, meta), dataset_table.dataset_hdu(loaded)]
        content = fits_content(hdus, dataset_table.PROMISE, compress=name.endswith(".gz"))
    write_files({target: content}, overwrite=overwrite)
    return target


def read_flux_points(
    path: str | os.PathLike[str], sed_type: str | None = None, reference: References | None = None
) -> xr.Dataset:
    """Read flux points of xgamma, Gammapy or another program that writes GADF SEDs, as a DL5 Dataset.

    Quantities become norms of a reference spectrum: the one in the file (``likelihood``), else
    1e-12 (E / TeV)^-2 cm-2 s-1 TeV-1. Where a file tells only ``e_ref``, edges lie half-way between the points. A
    symmetric error that is missing is the mean of the asymmetric ones. ``docs/exchange.md`` lists what is understood.

    Parameters
    ----------
    path
        The name of the file; ECSV or FITS, whatever its ending.
    sed_type
        What the table holds, for a file without SED_TYPE; otherwise its columns decide.
    reference
        As of `flux_points_of_table`.

    Raises
    ------
    MissingInputError
        When there is no such file.
    InputError
        When it is neither FITS nor ECSV, holds no flux points or several tables of them, or values and units that are
        not those of the format; for a light curve.
    """
    found = opened_points(path, sed_type)
    if not isinstance(found, xr.Dataset):
        return flux_points_of_table(found, sed_type, reference)
    if "time" in found.dims:
        raise InputError(f"{path} holds a light curve, and flux points are one spectrum. LightCurve.read reads it.")
    return found


def opened_points(path: str | os.PathLike[str], sed_type: str | None = None) -> HduTable | xr.Dataset:
    """Return the table of flux points or of a light curve of a file, of one of ours the whole Dataset."""
    source = local_path(path)
    if sed_type is not None:
        validate_sed_type(sed_type)
    if not source.exists():
        raise MissingInputError(f"There is no file {source}. Check the name and the folder.")
    raw = read_raw(source)
    if source.name.lower().endswith(".ecsv") or raw.startswith(ECSV):
        return ecsv_table(raw, source)
    if not raw.startswith((_FITS, _GZIP)):
        raise InputError(
            f"{source} is neither a FITS nor an ECSV file. Read it as a table of astropy, give its columns the names "
            "of the format (e_ref, dnde, dnde_errn, ...) and units, and FluxPoints.from_table reads it."
        )
    found = read_hdu_tables(source)
    ours = dataset_table.dataset_of_tables(found, source)
    return _points_table(found, source) if ours is None else ours


def write_table(table: tables.Table, path: str | os.PathLike[str], what: str, *, overwrite: bool = False) -> Path:
    """Write a table of astropy as ECSV, with commas where the name ends in ``.csv``, and return its path.

    Raises
    ------
    ConfigError
        For another ending than ``.ecsv`` and ``.csv``.
    OutputExistsError, OutputError
        When the file exists, or the folder cannot be written.
    """
    target = local_path(path)
    validate_ending(target, TEXT_ENDINGS, what)
    validate_output(target, overwrite)
    write_files({target: _text_content(table, target)}, overwrite=overwrite)
    return target


def _points_table(found: Mapping[str, HduTable], path: Path) -> HduTable:
    """Return the table of flux points of a file; raises ``InputError`` when none or several could be it."""
    points = [table for table in found.values() if is_flux_points(table)]
    named = [table for table in points if table.name == EXTNAME] or points
    if len(named) > 1:
        raise InputError(
            f"{path} has {len(named)} tables of flux points: {', '.join(table.name for table in named)}. Read one with "
            "astropy.table.Table.read(path, hdu=...) and give it to FluxPoints.from_table."
        )
    # Tables with energies alone are refused by what they lack.
    others = (table for table in found.values() if has_energies(table) or is_light_curve(table))
    candidates = named or list(others)
    if not candidates:
        raise InputError(f"{path} has no table of flux points (column e_ref or e_min); it has {', '.join(found)}.")
    return candidates[0]


def _table_hdu(columns: Columns, meta: Mapping[str, Any]) -> Hdu:
    return Hdu(EXTNAME, [_column(name, *column) for name, column in columns.items()], meta)


def _column(name: str, values: npt.NDArray[Any], unit: str) -> Column:
    stored: type = {"b": np.bool_, "i": np.int64, "u": np.int64}.get(values.dtype.kind, np.float64)
    return Column(name, values.astype(stored, copy=False), unit)


def _text_content(table: tables.Table, path: Path) -> bytes:
    text = io.StringIO()
    table.write(text, format="ascii.ecsv", delimiter="," if path.name.lower().endswith(".csv") else " ")
    return text.getvalue().encode()
