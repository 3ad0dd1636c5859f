"""Files of datasets: the ending of the name decides, and tells the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import xarray as xr

from xgamma.axes import BoolArray
from xgamma.datasets.zarr_files import read_zarr, write_zarr
from xgamma.errors import ConfigError, LaterError, MissingInputError
from xgamma.formats.fits.hdus import read_hdu_tables
from xgamma.formats.local_files import local_path
from xgamma.formats.ogip.files import read_ogip_groups, write_ogip
from xgamma.formats.ogip.response import SPECTRUM, holds
from xgamma.formats.spectrum_fits import spectra_of_tables, write_spectrum_fits
from xgamma.schema import REGIONS, bin_dims, space_dims

MASK_FIT = "mask_fit"

Writer = Callable[[Sequence[xr.Dataset], Path, bool], None]
Reader = Callable[[Path], list[xr.Dataset]]


class Format(NamedTuple):
    """A way to keep Datasets in files."""

    write: Writer
    read: Reader


def _only(datasets: Sequence[xr.Dataset], path: Path) -> xr.Dataset:
    if len(datasets) != 1:
        raise ConfigError(
            f"{path.name}: this kind of file holds the rows of one energy binning, got {len(datasets)} Datasets; "
            "choose a name that ends in .zarr."
        )
    if space_dims(datasets[0]) != REGIONS:
        raise LaterError(f"{path.name}: windows of the sky are written to .zarr alone by this version of xgamma.")
    return datasets[0]


def _write_fits(datasets: Sequence[xr.Dataset], path: Path, overwrite: bool) -> None:
    write_spectrum_fits(_only(datasets, path), path, overwrite=overwrite)


def _read_fits(path: Path) -> list[xr.Dataset]:
    tables = read_hdu_tables(path)
    return read_ogip_groups(path) if holds(tables, SPECTRUM) else [spectra_of_tables(tables, path)]


def _write_ogip(datasets: Sequence[xr.Dataset], path: Path, overwrite: bool) -> None:
    write_ogip(_only(datasets, path), path, overwrite=overwrite)


def _write_pha(datasets: Sequence[xr.Dataset], path: Path, overwrite: bool) -> None:
    raise ConfigError(f"{path.name}: OGIP spectra are written beside an index; choose a name that ends in .yaml.")


FITS = Format(_write_fits, _read_fits)
OGIP = Format(_write_ogip, read_ogip_groups)
PHA = Format(_write_pha, read_ogip_groups)
FORMATS = {
    ".zarr": Format(write_zarr, read_zarr),
    ".fits": FITS,
    ".fits.gz": FITS,
    ".yaml": OGIP,
    ".yml": OGIP,
    ".pha": PHA,
    ".pha.gz": PHA,
    ".pi": PHA,
    ".pi.gz": PHA,
}


def file_format(path: Path) -> Format:
    """Return the format that the ending asks for; raises ``ConfigError`` for another ending."""
    for ending, found in FORMATS.items():
        if path.name.lower().endswith(ending):
            return found
    raise ConfigError(f"{path.name}: expected a name that ends in {', '.join(FORMATS)}.")


def write_datasets(datasets: Sequence[xr.Dataset], filename: str | PathLike[str], overwrite: bool = False) -> None:
    """Write Datasets under a name that ends in ``.zarr``, ``.fits``, ``.fits.gz`` or ``.yaml`` (with OGIP files).

    Raises
    ------
    ConfigError
        For another ending.
    OutputExistsError
        When the output exists and ``overwrite`` is false.
    OutputError
        When the folder cannot be written.
    """
    path = local_path(filename)
    file_format(path).write(datasets, path, overwrite)


def read_datasets(filename: str | PathLike[str]) -> list[xr.Dataset]:
    """Read what `write_datasets` wrote, and files of others.

    Raises
    ------
    MissingInputError
        When there is no such file.
    InputError
        When it is not what its name says.
    """
    path = local_path(filename)
    reader = file_format(path).read
    if not path.exists():
        raise MissingInputError(f"There is no file {path}.")
    return reader(path)


def with_mask_fit(ds: xr.Dataset, mask: BoolArray | None) -> xr.Dataset:
    """Return ``ds`` with the fit mask as the variable ``mask_fit``, which exists in files only."""
    return ds if mask is None else ds.assign({MASK_FIT: (bin_dims(ds), mask, {"units": ""})})


def without_mask_fit(ds: xr.Dataset) -> tuple[xr.Dataset, BoolArray | None]:
    """Return a Dataset from a file without ``mask_fit``, and that mask if there is one."""
    if MASK_FIT not in ds:
        return ds, None
    return ds.drop_vars(MASK_FIT), ds[MASK_FIT].values.astype(bool)
