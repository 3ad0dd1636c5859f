"""Reduced spectra in one FITS file: the GADF-like map layout of Gammapy 2.1, and all of the Dataset beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xgamma.axes import Axis, BoolArray, FloatArray
from xgamma.errors import DataError, LaterError
from xgamma.formats.fits import dataset_table
from xgamma.formats.fits.bands import band_columns, band_header
from xgamma.formats.fits.encoding import Cards, Column, Hdu, text_values
from xgamma.formats.fits.hdus import (
    HduTable,
    axis_of_table,
    fits_content,
    fits_text,
    gti_hdu,
    gti_of_table,
    read_hdu_tables,
    table_named,
)
from xgamma.formats.fits.regions import Shapes, known_shapes, region_hdu
from xgamma.formats.local_files import local_path, validate_ending, validate_output, write_files
from xgamma.formats.spectrum_rows import SpectrumRow, dataset_of_rows, facts_of_columns, spectrum_rows
from xgamma.schema.arrays import Arrays, in_memory

ENDINGS = (".fits", ".fits.gz")
_COLUMNS = {
    "energy": ("ENERGY", "E_MIN", "E_MAX"),
    "energy_true": ("ENERGY_TRUE", "ENERGY_TRUE_MIN", "ENERGY_TRUE_MAX"),
}


def write_spectrum_fits(ds: Arrays, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write reduced spectra (all rows) to one ``.fits`` or ``.fits.gz`` file and return its path.

    The HDUs COUNTS, EXPOSURE, EDISP, EDISP_EXPOSURE, MASK_SAFE, GTI, META_TABLE, and COUNTS_OFF, ACCEPTANCE,
    ACCEPTANCE_OFF or BACKGROUND (each with _BANDS and _REGION) are what Gammapy 2.1 reads with
    ``SpectrumDatasetOnOff.read(path, format="gadf")``: the first region of the first row, in double precision. The
    HDU XGAMMA holds every row, variable, coordinate and attribute, and is what `read_spectrum_fits` reads back to the
    identical Dataset. A ``mask_fit`` variable (bool, as ``mask_safe``) is kept when there is one.

    Gammapy 2.1 has no place for the livetime in these files and shows it as NaN; it is in the header of EXPOSURE.
    Names that are not ASCII are kept in XGAMMA; headers have them with escapes.

    Parameters
    ----------
    ds
        Reduced spectra with dims (dataset, region, energy, energy_true), lazy or not.
    path
        The name of the file; ``~`` and environment variables are filled in.
    overwrite
        Whether a file that exists is replaced.

    Raises
    ------
    ConfigError
        For another ending.
    DataError
        When a variable that every spectrum file needs is missing, or there is no row.
    OutputExistsError, OutputError
        When the file exists, or the folder cannot be written. Nothing half-written is left.

    Examples
    --------
    >>> write_spectrum_fits(stacked, "crab.fits.gz")  # doctest: +SKIP
    >>> read_spectrum_fits("crab.fits.gz").identical(stacked)  # doctest: +SKIP
    True
    """
    target = local_path(path)
    validate_ending(target, ENDINGS, "Spectra in FITS")
    validate_output(target, overwrite)
    loaded = in_memory(ds)
    row = next(spectrum_rows(loaded), None)
    if row is None:
        raise DataError("There is no spectrum to write: the Dataset has no row or no region.")
    hdus = [*_row_hdus(row), dataset_table.dataset_hdu(loaded)]
    content = fits_content(
        hdus, {"NAME": fits_text(row.name), **dataset_table.PROMISE}, compress=target.name.lower().endswith(".gz")
    )
    write_files({target: content}, overwrite=overwrite)
    return target


def read_spectrum_fits(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read the spectra of a FITS file of xgamma, or of Gammapy 2.1 (``gadf``), as a Dataset.

    A file of Gammapy holds one row, without ledger, and without livetime (NaN); its exposure is taken as the weight
    of its energy dispersion where EDISP_EXPOSURE is missing. A mask of the fit comes back as the variable ``mask_fit``.

    Raises
    ------
    MissingInputError
        When there is no such file.
    InputError
        When it is not FITS, truncated, of a newer xgamma, or lacks an HDU that every spectrum needs.
    """
    source = local_path(path)
    return spectra_of_tables(read_hdu_tables(source), source)


def rows_of_tables(tables: Mapping[str, HduTable], path: Path) -> list[SpectrumRow]:
    """Return the rows of the tables of one file, of xgamma or of Gammapy; see `read_spectrum_fits`."""
    ours = dataset_table.dataset_of_tables(tables, path)
    return [row_of_tables(tables, path)] if ours is None else list(spectrum_rows(ours))


def spectra_of_tables(tables: Mapping[str, HduTable], path: Path) -> xr.Dataset:
    """Return the Dataset of the tables of one file; see `read_spectrum_fits`."""
    ours = dataset_table.dataset_of_tables(tables, path)
    return dataset_of_rows([row_of_tables(tables, path)]) if ours is None else ours


def _row_hdus(row: SpectrumRow) -> list[Hdu]:
    axes, true_axes = [row.energy], [row.energy_true]
    whole = Axis("energy", row.energy.edges[[0, -1]])
    hdus = _map_hdus("COUNTS", row.counts, axes, row.region, row.region)
    exposed: Cards = {"LIVETIME": (row.livetime, "s")} if np.isfinite(row.livetime) else {}
    hdus += _map_hdus("EXPOSURE", row.exposure, true_axes, row.region, row.region, "m2 s", exposed)
    if row.background is not None:
        hdus += _map_hdus("BACKGROUND", row.background, axes, row.region, row.region)
    hdus += _map_hdus("EDISP", row.edisp, [row.energy, row.energy_true], row.region, row.region)
    weight = row.exposure_edisp[:, np.newaxis]
    hdus += _map_hdus("EDISP_EXPOSURE", weight, [whole, row.energy_true], row.region, row.region, "m2 s")
    hdus += _map_hdus("MASK_SAFE", row.mask_safe, axes, row.region, row.region)
    if row.mask_fit is not None:
        hdus += _map_hdus("MASK_FIT", row.mask_fit, axes, row.region, row.region)
    hdus += [gti_hdu(row.gti, row.mjdref), meta_hdu(row.telescope, row.obs_id, row.pointing)]
    if row.counts_off is not None and row.acceptance_off is not None:
        off = row.off_regions if len(row.off_regions) else row.region
        hdus += _map_hdus("COUNTS_OFF", row.counts_off, axes, off, row.region)
        hdus += _map_hdus("ACCEPTANCE", row.acceptance, axes, row.region, row.region)
        hdus += _map_hdus("ACCEPTANCE_OFF", row.acceptance_off, axes, off, row.region)
    return hdus


def _map_hdus(
    name: str,
    values: FloatArray | BoolArray,
    axes: Sequence[Axis],
    shapes: Shapes,
    about: Shapes,
    unit: str = "",
    cards: Cards | None = None,
) -> list[Hdu]:
    """Return the table of values, of its bands and of its region; ``axes`` are in FITS order, the fastest first."""
    header = band_header(axes)
    stored = values if values.dtype.kind == "b" else values.astype(np.float64, copy=False)
    data = Column("DATA", stored.reshape(*values.shape, 1, 1), unit)
    columns = [Column("CHANNEL", np.arange(len(values), dtype=np.int16)), data]
    hdus = [Hdu(name, columns, {**header, **(cards or {})}), Hdu(f"{name}_BANDS", band_columns(axes), header)]
    return [*hdus, region_hdu(f"{name}_REGION", shapes, (about or shapes)[0])] if shapes else hdus


def meta_hdu(telescope: str, obs_id: int, pointing: tuple[float, float]) -> Hdu:
    """Return the table META_TABLE of Gammapy: telescope, observation and pointing (ICRS, deg) of a dataset."""
    telescope = fits_text(telescope) or "unknown"
    columns = [
        Column("TELESCOP", text_values([telescope])),
        Column("OBS_ID", np.array([obs_id], np.int64)),
        *(
            Column(name, np.array([value], float), "deg")
            for name, value in zip(("RA_PNT", "DEC_PNT"), pointing, strict=True)
        ),
    ]
    return Hdu("META_TABLE", columns)


def row_of_tables(tables: Mapping[str, HduTable], path: Path) -> SpectrumRow:
    """Return the one row of a file that Gammapy wrote; raises ``InputError`` when an HDU is missing."""
    counts, exposure, edisp = (table_named(tables, [name], path) for name in ("COUNTS", "EXPOSURE", "EDISP"))
    if "MIGRA" in str(edisp.header.get("AXCOLS1", "")):
        raise LaterError(f"{path}: its EDISP is a migration matrix; reduce with an energy-dispersion kernel instead.")
    energy, energy_true = _axis(tables, "COUNTS", "energy", path), _axis(tables, "EXPOSURE", "energy_true", path)
    ones = np.ones(energy.nbin)
    gti, mjdref = gti_of_table(tables.get("GTI"))
    values = {name: _values(tables, name, energy.nbin) for name in ("COUNTS_OFF", "ACCEPTANCE_OFF", "BACKGROUND")}
    acceptance, mask_safe = _values(tables, "ACCEPTANCE", energy.nbin), _values(tables, "MASK_SAFE", energy.nbin)
    mask_fit = _values(tables, "MASK_FIT", energy.nbin)
    exposure_values = exposure.numbers("DATA", "m2 s").reshape(energy_true.nbin)
    weight = tables["EDISP_EXPOSURE"].numbers("DATA", "m2 s") if "EDISP_EXPOSURE" in tables else exposure_values
    row = SpectrumRow(
        name=str(table_named(tables, ["PRIMARY"], path).header.get("NAME", path.name.split(".")[0])),
        energy=energy,
        energy_true=energy_true,
        counts=counts.numbers("DATA").reshape(energy.nbin),
        acceptance=ones if acceptance is None else acceptance,
        exposure=exposure_values,
        exposure_edisp=weight.reshape(energy_true.nbin),
        edisp=edisp.numbers("DATA").reshape(energy_true.nbin, energy.nbin),
        mask_safe=(ones if mask_safe is None else mask_safe).astype(bool),
        counts_off=values["COUNTS_OFF"],
        acceptance_off=values["ACCEPTANCE_OFF"],
        background=values["BACKGROUND"],
        mask_fit=None if mask_fit is None else mask_fit.astype(bool),
        region=known_shapes(tables, "COUNTS_REGION"),
        off_regions=known_shapes(tables, "COUNTS_OFF_REGION"),
        gti=gti,
        mjdref=mjdref,
        livetime=float(exposure.header.get("LIVETIME", np.nan)),
        **_facts(tables.get("META_TABLE")),
    )
    return row.without_repeated_off_region()


def _axis(tables: Mapping[str, HduTable], name: str, axis: str, path: Path) -> Axis:
    bands = table_named(tables, [f"{name}_BANDS"], path)
    return axis_of_table(bands, axis, *_COLUMNS[axis][1:])


def _values(tables: Mapping[str, HduTable], name: str, size: int) -> FloatArray | None:
    return tables[name].numbers("DATA").reshape(size) if name in tables else None


def _facts(table: HduTable | None) -> dict[str, Any]:
    return {} if table is None else facts_of_columns(table.columns)
