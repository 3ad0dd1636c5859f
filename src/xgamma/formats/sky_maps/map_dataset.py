"""A dataset of maps in one FITS file: counts, exposure, background, responses and masks, each a map with its axes.

The names of the HDUs are those of Gammapy, whose ``MapDataset.read`` and ``MapDatasetOnOff.read`` open the files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xgamma.axes import Axis, BoolArray, FloatArray
from xgamma.errors import ConfigError, InputError
from xgamma.formats.fits.hdus import HduTable, fits_text, gti_hdu, gti_of_table
from xgamma.formats.fits.images import FitsFile
from xgamma.formats.sky_maps.files import maps_content
from xgamma.formats.sky_maps.map_row import MapRow, ResponseGrid
from xgamma.formats.sky_maps.response_maps import (
    EDISP,
    EXPOSURE,
    PSF,
    at_pixels,
    exposure_values,
    responses_of_maps,
)
from xgamma.formats.sky_maps.sky_map import SkyMap
from xgamma.formats.spectrum_fits import meta_hdu
from xgamma.formats.spectrum_rows import facts_of_columns
from xgamma.sky import SkySpace
from xgamma.units import canonical, unit_factor

COUNTS = "COUNTS"
TYPES = {False: "MapDataset", True: "MapDatasetOnOff"}
"""What an index calls datasets of maps, without and with off counts."""
IN_BINS = ("counts", "background", "mask_safe", "mask_fit", "counts_off", "acceptance", "acceptance_off")
"""What has a value in each bin of reconstructed energy, by the name of its HDU in small letters."""


# --- read


def is_map_dataset(file: FitsFile) -> bool:
    """Whether a file holds a dataset of maps."""
    return COUNTS in file.images


def map_row_of_file(file: FitsFile, maps: Mapping[str, SkyMap], path: Path) -> MapRow:
    """Return the dataset of maps of a file of any program.

    Parameters
    ----------
    file
        The images and tables of the file.
    maps
        Its maps by the name of their HDU.
    path
        Its place, for sentences.

    Raises
    ------
    InputError
        When there are no counts in energies, maps have other pixels than the counts, or units of another kind.
    """
    if "PRIMARY" in file.tables and "SED_TYPE" in file.tables["PRIMARY"].header:
        raise InputError(f"{path} holds maps of fluxes; expected a dataset. Read it with FluxMaps.read.")
    if COUNTS not in maps:
        raise InputError(f"{path} has no image {COUNTS}; expected a dataset of maps.")
    counts = maps[COUNTS]
    if [axis.name for axis in counts.axes] != ["energy"]:
        names = ", ".join(axis.name for axis in counts.axes) or "none"
        raise InputError(f"{path}: its counts have the axes {names}; expected reconstructed energy.")
    space, energy = counts.space, counts.axis("energy")
    exposure = maps.get(EXPOSURE.strip("_"))
    energy_true = _true_energies(maps, energy)
    bins = {name: _in_bins(maps[name.upper()], counts, path) for name in IN_BINS if name.upper() in maps}
    values, usable = _usable(bins.pop("counts"))
    mask = bins.pop("mask_safe", np.ones_like(usable))
    mask_fit = bins.pop("mask_fit", None)
    gti, mjdref = gti_of_table(file.tables.get("GTI"))
    meta = file.tables.get("META_TABLE")
    return MapRow(
        name=_name(file.tables, path),
        space=space,
        energy=energy,
        energy_true=energy_true,
        counts=values,
        mask_safe=_truths(mask) & usable,
        mask_fit=None if mask_fit is None else _truths(mask_fit),
        exposure=None if exposure is None else _exposure(exposure, space, path),
        responses=responses_of_maps(maps, energy, energy_true, path, exposure),
        gti=gti,
        mjdref=mjdref,
        livetime=_livetime(exposure),
        **{name: np.nan_to_num(values) for name, values in bins.items()},
        **({} if meta is None else facts_of_columns(meta.columns)),
    )


def _name(tables: Mapping[str, HduTable], path: Path) -> str:
    header = tables["PRIMARY"].header if "PRIMARY" in tables else {}
    return str(header.get("NAME", "")).strip() or path.name.split(".")[0]


def _true_energies(maps: Mapping[str, SkyMap], energy: Axis) -> Axis:
    """Return the true energies of the exposure, else of the responses; without any, those of the counts."""
    for name in (EXPOSURE.strip("_"), EDISP, PSF):
        for axis in maps[name].axes if name in maps else ():
            if axis.name == "energy_true":
                return axis
    return Axis("energy_true", energy.edges, energy.unit, energy.scale)


def _in_bins(each: SkyMap, counts: SkyMap, path: Path) -> npt.NDArray[Any]:
    """Return values in the bins of the counts, (energy, y, x)."""
    if each.values.shape != counts.values.shape or each.space != counts.space:
        raise InputError(
            f"{path}: {each.name} has other pixels or energies than {COUNTS}. Write both on the same ones."
        )
    factor = unit_factor(each.unit, "", f"{path}: {each.name}")
    return each.values if factor == 1 else each.values * factor


def _usable(counts: npt.NDArray[Any]) -> tuple[FloatArray, BoolArray]:
    """Return counts with 0 where they are no numbers, and where they are."""
    known = np.isfinite(counts)
    return np.where(known, counts, 0), known


def _truths(values: npt.NDArray[Any]) -> BoolArray:
    return np.asarray(np.nan_to_num(values) != 0)


def _exposure(each: SkyMap, space: SkySpace, path: Path) -> FloatArray:
    values = exposure_values(each, path)
    return values if each.space == space else at_pixels(values, each.space, space, "bilinear")


def _livetime(exposure: SkyMap | None) -> float:
    """Return the livetime in seconds, NaN where the file does not say it."""
    said = "" if exposure is None else exposure.meta.get("livetime", "")
    try:
        return canonical(said, "s", "livetime") if isinstance(said, str) and said else np.nan
    except ConfigError:
        return np.nan


# --- write


def map_row_content(
    row: MapRow, tables: Sequence[Any] = (), cards: Mapping[str, Any] | None = None, *, compress: bool = False
) -> bytes:
    """Return the bytes of the file of a dataset of maps, with further tables and cards of the primary header."""
    further = [gti_hdu(row.gti, row.mjdref), meta_hdu(row.telescope, row.obs_id, row.pointing), *tables]
    primary = {"NAME": fits_text(row.name), **(cards or {})}
    return maps_content(maps_of_row(row), further, primary, compress=compress)


def maps_of_row(row: MapRow) -> list[SkyMap]:
    """Return the maps of a dataset in the order of their HDUs."""
    space = row.space
    bins = {name: getattr(row, name) for name in IN_BINS}
    maps = [
        SkyMap.of_space(_shown(values), (row.energy,), space, "", name.upper())
        for name, values in bins.items()
        if values is not None
    ]
    if row.exposure is not None:
        meta = {"livetime": f"{float(row.livetime)!r} s"} if np.isfinite(row.livetime) else {}
        exposure = SkyMap.of_space(row.exposure, (row.energy_true,), space, "m2 s", EXPOSURE.strip("_"), meta)
        maps.insert(1, exposure)
    return maps if row.responses is None else [*maps, *_response_maps(row, row.responses)]


def _shown(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return whole numbers in single precision where it is exact, else in double: Gammapy adds to them."""
    if values.dtype.kind not in "iu":
        return values
    return values.astype(np.float32 if values.max(initial=0) < 1 << 24 else np.float64)


def _response_maps(row: MapRow, grid: ResponseGrid) -> list[SkyMap]:
    true, space = row.energy_true, grid.space
    maps: list[SkyMap] = []
    if grid.edisp is not None:
        maps.append(SkyMap.of_space(grid.edisp, (true, row.energy), space, "", EDISP))
        maps.append(_weight_map(grid, true, _whole(row.energy), EDISP))
    if grid.rad is not None and grid.psf is not None:
        maps.append(SkyMap.of_space(grid.psf, (true, grid.rad), space, "sr-1", PSF))
        maps.append(_weight_map(grid, true, _whole(grid.rad), PSF))
    elif grid.rad is not None and grid.psf_reco is not None:
        maps.append(SkyMap.of_space(grid.psf_reco, (row.energy, grid.rad), space, "sr-1", PSF))
    return maps


def _weight_map(grid: ResponseGrid, true: Axis, other: Axis, name: str) -> SkyMap:
    return SkyMap.of_space(grid.exposure[:, None], (true, other), grid.space, "m2 s", f"{name}{EXPOSURE}")


def _whole(axis: Axis) -> Axis:
    return Axis(axis.name, axis.edges[[0, -1]], axis.unit, axis.scale)
