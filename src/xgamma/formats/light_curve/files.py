"""Light curves as files that Gammapy reads, and the files of others: a table whose rows are bins of time."""

from __future__ import annotations

import os
from pathlib import Path

import xarray as xr

from xgamma.errors import InputError
from xgamma.formats.light_curve.points import light_curve_of_table
from xgamma.formats.light_curve.table import EPOCH_CARDS, light_curve_columns
from xgamma.formats.sed.files import opened_points, write_points
from xgamma.formats.sed.points import References, flux_points_of_table, is_light_curve


def write_light_curve(
    ds: xr.Dataset, path: str | os.PathLike[str], sed_type: str = "likelihood", *, overwrite: bool = False
) -> Path:
    """Write a light curve (DL5) to a ``.fits``, ``.fits.gz`` or ``.ecsv`` file and return its path.

    The table is what Gammapy reads with ``FluxPoints.read(path, format="lightcurve")``, times in MJD (TT). In FITS a
    second table XGAMMA holds all of the Dataset, so that `read_light_curve` gives the identical one.

    Parameters
    ----------
    ds
        A light curve with dims (time, energy, dataset, norm_scan).
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
        When the light curve has no reference of that kind.
    OutputExistsError, OutputError
        When the file exists, or the folder cannot be written. Nothing half-written is left.

    Examples
    --------
    >>> write_light_curve(light_curve, "crab-nights.fits", sed_type="flux")  # doctest: +SKIP
    """
    return write_points(ds, path, sed_type, light_curve_columns, "Light curves", EPOCH_CARDS, overwrite=overwrite)


def read_light_curve(
    path: str | os.PathLike[str], sed_type: str | None = None, reference: References | None = None
) -> xr.Dataset:
    """Read a light curve of xgamma, Gammapy or another program with such a table, as a DL5 Dataset.

    Day numbers are dates in the time scale of the file (UTC where it says none, with a warning); the result is in TT.
    ``docs/light-curves.md`` says what is understood.

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
        When it holds no light curve, or values, units and times that are not those of the format.
    """
    found = read_points(path, sed_type, reference)
    if "time" not in found.dims:
        raise InputError(f"{path} holds flux points of one time, no light curve. FluxPoints.read reads it.")
    return found


def read_points(
    path: str | os.PathLike[str], sed_type: str | None = None, reference: References | None = None
) -> xr.Dataset:
    """Read flux points or a light curve, whichever a file holds; see `read_flux_points` and `read_light_curve`."""
    found = opened_points(path, sed_type)
    if isinstance(found, xr.Dataset):
        return found
    made = light_curve_of_table if is_light_curve(found) else flux_points_of_table
    return made(found, sed_type, reference)
