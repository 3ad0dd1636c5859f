"""Spectra as OGIP files: a YAML index, and for each spectrum its counts (PHA), off counts, area and matrix.

Source: OGIP memos OGIP/92-007 and 92-007a (Arnaud, George, Tennant) and CAL/GEN/92-002.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError, DataError, InputError
from xgamma.formats.dataset_index import ENDINGS, IndexEntry, index_content, read_index, validate_file_name
from xgamma.formats.fits.encoding import Cards, Column, Hdu
from xgamma.formats.fits.hdus import fits_content, fits_text, gti_hdu, read_hdu_tables
from xgamma.formats.fits.regions import Shapes, region_hdu
from xgamma.formats.fits.tables import as_input_error
from xgamma.formats.local_files import local_path, validate_ending, validate_output, write_files
from xgamma.formats.ogip.response import SPECTRUM, area_hdu, bounds_hdu, holds, matrix_hdu
from xgamma.formats.ogip.spectrum import row_of_pha
from xgamma.formats.spectrum_fits import rows_of_tables
from xgamma.formats.spectrum_rows import SpectrumRow, dataset_of_rows, grouped_rows, spectrum_rows

log = logging.getLogger(__name__)


def write_ogip(ds: xr.Dataset, path: str | os.PathLike[str], *, overwrite: bool = False) -> list[Path]:
    """Write each row as OGIP files beside a YAML index, in double precision, and return the paths (index last).

    ``pha_obs{NAME}.fits`` holds counts, quality (0 good, 1 not in ``mask_safe``), BACKSCAL = acceptance, the
    on-region and the good time; ``_bkg`` the off counts with BACKSCAL = acceptance_off; ``_arf`` exposure / livetime
    in m2 (containment included); ``_rmf`` the energy dispersion. Gammapy and XSPEC-like programs open them. OGIP has
    no place for the ledger, the outcome, the exposure without containment, and the mask of a fit.

    Parameters
    ----------
    ds
        Reduced spectra with one region.
    path
        The index, ending in ``.yaml``.
    overwrite
        Whether files that exist are replaced.

    Raises
    ------
    ConfigError
        For another ending, a name that cannot be part of a file name, several regions, or a known background.
    DataError
        When a spectrum has no livetime.
    OutputExistsError, OutputError
        When a file exists or the folder cannot be written. All files appear, or none.

    Examples
    --------
    >>> write_ogip(runs, "ogip/index.yaml")  # doctest: +SKIP
    """
    index = local_path(path)
    validate_ending(index, ENDINGS, "The index of OGIP spectra")
    validate_output(index, overwrite)
    contents, entries = ogip_contents(ds, index.parent)
    contents[index] = index_content(entries)
    write_files(contents, overwrite=overwrite)
    return list(contents)


def ogip_contents(ds: xr.Dataset, folder: Path) -> tuple[dict[Path, bytes], list[IndexEntry]]:
    """Return the files of all rows in a folder, and what an index says of them; raises as `write_ogip`."""
    if "background" in ds:
        raise ConfigError("OGIP holds off counts and has no place for a known background. Write .fits or .zarr.")
    if ds.sizes.get("region", 1) != 1:
        raise ConfigError("OGIP holds one region a spectrum. Select one with ds.isel(region=[0]), or write .fits.")
    if "alpha_systematic" in ds:
        log.warning("OGIP has no place for the systematic error of alpha: the files do not hold it.")
    rows = list(spectrum_rows(ds.compute()))
    contents: dict[Path, bytes] = {}
    for row in rows:
        contents.update(_row_contents(row, folder))
    return contents, [IndexEntry(row.name, folder / _file_name(row.name)) for row in rows]


def read_ogip(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read OGIP spectra on one set of energy bins: a YAML index, or one PHA file.

    The area, matrix and background files named in the PHA header are looked for beside it. Exposure is area times
    EXPOSURE x AREASCAL (its EDISP weight is taken to be the same), ``mask_safe`` is quality 0, channels are added up
    as GROUPING says, and where the background was exposed differently its acceptance is scaled by EXPOSURE x AREASCAL.
    ``docs/exchange.md`` lists what the standard allows and what is done about it.

    Raises
    ------
    MissingInputError
        When a file is not there.
    InputError
        When a file is not FITS or YAML, or lacks an HDU, a column, the livetime or a response.
    DataError
        When the spectra do not share axes and region: `read_ogip_groups` reads those.
    """
    groups = read_ogip_groups(path)
    if len(groups) > 1:
        raise DataError(
            f"{path} holds spectra on {len(groups)} different sets of energy bins, regions or statistics, which are "
            "not one Dataset. Read them with read_ogip_groups."
        )
    return groups[0]


def read_ogip_groups(path: str | os.PathLike[str]) -> list[xr.Dataset]:
    """Read OGIP spectra of any bins: one Dataset for each set of energy bins, on-region and statistic, in order.

    An index may also name spectra in FITS of xgamma or Gammapy 2.1, which writes such an index by default.

    Raises ``InputError`` for an index that lists maps, and as ``read_ogip`` for files that cannot be read.
    """
    source = local_path(path)
    if source.name.lower().endswith(ENDINGS):
        entries = read_index(source)
        maps = [entry.kind for entry in entries if entry.is_map]
        if maps:
            raise InputError(f"{source} lists a {maps[0]}; expected spectra. Read it with Datasets.read.")
        return spectra_of_entries(entries)
    return spectra_of_entries([IndexEntry("", source)])


def spectra_of_entries(entries: Sequence[IndexEntry]) -> list[xr.Dataset]:
    """Return the spectra of an index: one Dataset for each set of energy bins, on-region and statistic, in order."""
    rows = [row for entry in entries for row in _rows_of_entry(entry)]
    return [dataset_of_rows(group) for group in grouped_rows(rows)]


def _rows_of_entry(entry: IndexEntry) -> list[SpectrumRow]:
    tables = read_hdu_tables(entry.path)
    if holds(tables, SPECTRUM) or "COUNTS" not in tables:
        with as_input_error(f"{entry.path}, or a file that it names,"):
            return [row_of_pha(tables, entry.path, entry.name)]
    rows = rows_of_tables(tables, entry.path)
    return [replace(rows[0], name=entry.name)] if entry.name and len(rows) == 1 else rows


def _file_name(name: str, part: str = "") -> str:
    return f"pha_obs{name}{part and '_'}{part}.fits"


def _validate_name(name: str) -> None:
    """Raise ``ConfigError`` for a name that cannot be in the names of files, which FITS headers name in ASCII."""
    validate_file_name(name)
    if not name.isascii():
        raise ConfigError(
            f"The name {name!r} cannot be in the header of a FITS file, which is ASCII. Rename the dataset, or write "
            ".fits or .zarr, which keep it."
        )


def _row_contents(row: SpectrumRow, folder: Path) -> dict[Path, bytes]:
    """Return the files of one spectrum, the PHA last."""
    _validate_name(row.name)
    if not row.livetime > 0:
        raise DataError(
            f"Spectrum {row.name!r} has no livetime (got {row.livetime} s), which OGIP needs to write its area. "
            "Leave the row out, or write .fits or .zarr."
        )
    telescope = fits_text(row.telescope) or "unknown"
    header = {"TELESCOP": telescope, "INSTRUME": telescope, "FILTER": "None"}
    files: dict[str, list[Any]] = {
        "arf": [area_hdu(row.energy_true, row.exposure / row.livetime, header)],
        "rmf": [matrix_hdu(row.energy_true, row.edisp, header), bounds_hdu(row.energy, header)],
    }
    if row.counts_off is not None and row.acceptance_off is not None:
        off = row.off_regions if len(row.off_regions) else row.region
        files["bkg"] = _spectrum_hdus(row, header, "BKG", row.counts_off, row.acceptance_off, off)
    pha = _spectrum_hdus(row, header, "TOTAL", row.counts, row.acceptance, row.region)
    files[""] = [*pha, gti_hdu(row.gti, row.mjdref)] if len(row.gti) else pha
    return {folder / _file_name(row.name, part): fits_content(hdus) for part, hdus in files.items()}


def _spectrum_hdus(
    row: SpectrumRow,
    header: Mapping[str, Any],
    role: str,
    counts: FloatArray,
    acceptance: FloatArray,
    shapes: Shapes,
) -> list[Any]:
    columns = [
        Column("CHANNEL", np.arange(row.energy.nbin, dtype=np.int16)),
        Column("COUNTS", counts.astype(_counts_type(counts))),
        Column("QUALITY", np.where(row.mask_safe, np.int16(0), np.int16(1))),
        Column("BACKSCAL", acceptance.astype(float, copy=False)),
    ]
    companions = {"ANCRFILE": "arf", "RESPFILE": "rmf"} | ({"BACKFILE": "bkg"} if row.counts_off is not None else {})
    cards: Cards = {
        **header,
        "EXPOSURE": (row.livetime, "s"),
        **{keyword: _file_name(row.name, part) for keyword, part in companions.items()},
        "CORRFILE": "",
        "CORRSCAL": "",
        "HDUCLASS": "OGIP",
        "HDUCLAS1": "SPECTRUM",
        "HDUCLAS2": role,
        "HDUCLAS3": "COUNT",
        "HDUCLAS4": "TYPE:1",
        "HDUVERS": "1.2.1",
        "POISSERR": True,
        "CHANTYPE": "PHA",
        "DETCHANS": row.energy.nbin,
        "GROUPING": 0,
        "AREASCAL": 1.0,
        "OBS_ID": row.name,
    }
    hdus = [Hdu("SPECTRUM", columns, cards), bounds_hdu(row.energy, header)]
    return [*hdus, region_hdu("REGION", shapes, (row.region or shapes)[0])] if shapes else hdus


def _counts_type(counts: FloatArray) -> type:
    is_whole = np.all(counts == np.rint(counts)) and np.all(np.abs(counts) < np.iinfo(np.int32).max)
    return np.int32 if is_whole else np.float64
