"""Responses that rows have on a coarse image, as files of other programs hold them: at positions, and of stacks.

Beside responses at nodes of offset, which reductions make, these are what `nodes.responses_at` asks. A point spread
function is the mean of the four pixels about a position, each weighted with its exposure; an energy dispersion is that
of the nearest pixel. The images that rows are windows of are told here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from xgamma import schema
from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.errors import DataError, LaterError
from xgamma.schema.response_grids import (
    EDISP_GRID,
    EXPOSURE_GRID,
    GRID_CELLS,
    GRIDS,
    IMAGE_IRF,
    PSF_GRID,
    PSF_RECO_GRID,
)
from xgamma.sky import IMAGE, ORIGIN, SkySpace
from xgamma.sky_sampling import corners, nearest


@dataclass(frozen=True)
class ResponsesAt:
    """The responses of one row at some positions.

    Parameters
    ----------
    exposure
        In m2 s, shape (place, energy_true).
    edisp
        The kernel, shape (place, energy_true, energy); ``None`` where the row has none.
    psf
        In sr-1, its integral over the axis ``rad`` is 1, shape (place, energy_true, rad); ``None`` where it has none.
    """

    exposure: FloatArray
    edisp: FloatArray | None
    psf: FloatArray | None


def has_grids(ds: xr.Dataset) -> bool:
    """Whether rows have their responses on a coarse image."""
    return EXPOSURE_GRID in ds


def validate_one_kind(datasets: Sequence[xr.Dataset]) -> None:
    """Raise ``DataError`` where some rows have their responses on a coarse image, and others not or on another one."""
    images = [ds[IMAGE_IRF].attrs if has_grids(ds) else None for ds in datasets]
    if any(image != images[0] for image in images):
        raise DataError(
            "Expected rows that all have the responses of their runs, or all those of files on one coarse image, got "
            "several kinds; stack each kind by itself."
        )


def has_response(ds: xr.Dataset, name: str) -> bool:
    """Whether rows have a ``psf`` or an ``edisp``, of their runs or on a coarse image."""
    return name in ds or f"{name}_grid" in ds


def rad_axis(ds: xr.Dataset) -> Axis:
    """Return the distances at which the rows hold their point spread functions."""
    return Axis.from_coords(ds.coords, "rad")


def space_of_windows(ds: xr.Dataset) -> SkySpace:
    """Return the space of rows that are windows of the sky."""
    return SkySpace.from_coords(ds.variables, tuple(ds.sizes[dim] for dim in schema.WINDOWS.cells))


def image_of_row(ds: xr.Dataset, row: int = 0) -> SkySpace:
    """Return the window of one row as an image of its own."""
    v, u = (int(ds.variables[name].values[row]) for name in ORIGIN)
    return space_of_windows(ds).cut((v, u))


def grid_space(ds: xr.Dataset) -> SkySpace:
    """Return the coarse image."""
    attrs = ds[IMAGE_IRF].attrs
    nx, ny = attrs["npix"]
    return SkySpace.from_coords({IMAGE: ds[IMAGE_IRF]}, (ny, nx))


def responses_on_grid(ds: xr.Dataset, row: int, lon: FloatArray, lat: FloatArray) -> ResponsesAt:
    """Return the responses of one row at ICRS positions (place,); beyond the image those of its edge.

    Raises
    ------
    LaterError
        For a point spread function of reconstructed energy, which is not used yet.
    """
    if PSF_RECO_GRID in ds:
        raise LaterError(
            "The point spread function of this dataset is one of reconstructed energy, which is not used yet. Write "
            "its PSF in true energy."
        )
    space = grid_space(ds)
    flat = {
        name: _flat(ds[name].isel(dataset=row).values) for name in (EXPOSURE_GRID, EDISP_GRID, PSF_GRID) if name in ds
    }
    weight, between, at = flat[EXPOSURE_GRID], corners(space, lon, lat), nearest(space, lon, lat)
    edisp, psf = flat.get(EDISP_GRID), flat.get(PSF_GRID)
    return ResponsesAt(
        _exposure(ds, row, lon, lat, between.mean(weight)),
        None if edisp is None else np.moveaxis(at.mean(edisp), -1, 0),
        None if psf is None else _of_one(np.moveaxis(between.mean(psf, weight[:, None]), -1, 0), ds),
    )


def _flat(values: FloatArray) -> FloatArray:
    return np.asarray(values, dtype=float).reshape(*values.shape[:-2], -1)


def _exposure(ds: xr.Dataset, row: int, lon: FloatArray, lat: FloatArray, coarse: FloatArray) -> FloatArray:
    """Return the exposure between pixels of the row (place, energy_true), of the coarse image where it has none."""
    if "exposure" not in ds:
        return coarse.T
    window = image_of_row(ds, row)
    return corners(window, lon, lat).mean(_flat(ds["exposure"].isel(dataset=row).values)).T


def _of_one(psf: FloatArray, ds: xr.Dataset) -> FloatArray:
    """Return point spread functions (..., rad) whose integral is 1, or 0 where there is none."""
    rings = np.pi * np.diff(np.deg2rad(rad_axis(ds).edges) ** 2)
    total = (psf @ rings)[..., None]
    return np.divide(psf, total, out=np.zeros_like(psf), where=total > 0)


def stacked_grids(ds: xr.Dataset, groups: IntArray, count: int) -> dict[str, FloatArray]:
    """Return the responses on the coarse image of groups of rows, by variable name, shape (group, ...).

    A row counts at a coarse pixel where any of its bins is safe in the nearest pixel of its window, and its energy
    dispersion in the bins that are safe there.
    """
    space = grid_space(ds)
    lon, lat = space.positions()
    names = [name for name in GRIDS if name in ds]
    total = {name: np.zeros((count, *ds[name].shape[1:-2], len(lon))) for name in names}
    for row, group in enumerate(groups.tolist()):
        safe = _safe_at(ds, row, lon, lat)
        weight = _flat(ds[EXPOSURE_GRID].values[row]) * safe.any(axis=0)
        total[EXPOSURE_GRID][group] += weight
        for name in names:
            if name != EXPOSURE_GRID:
                total[name][group] += _flat(ds[name].values[row]) * _share(name, weight, safe)
    for name in names:
        if name != EXPOSURE_GRID:
            weight = total[EXPOSURE_GRID][:, :, None] if name != PSF_RECO_GRID else _mean(total[EXPOSURE_GRID])
            total[name] = np.divide(total[name], weight, out=np.zeros_like(total[name]), where=weight > 0)
    return {name: values.reshape(*values.shape[:-1], *space.shape) for name, values in total.items()}


def safe_on_grid(ds: xr.Dataset) -> xr.Variable:
    """Return which bins of each row are safe in the pixels nearest to those of the coarse image."""
    space = grid_space(ds)
    safe = np.stack([_safe_at(ds, row, *space.positions()) for row in range(ds.sizes["dataset"])])
    return xr.Variable(("dataset", "energy", *GRID_CELLS), safe.reshape(*safe.shape[:2], *space.shape))


def _share(name: str, weight: FloatArray, safe: BoolArray) -> FloatArray:
    """Return the weight of a row, shape as its response with axes of one entry: (first axis, second axis, pixel)."""
    if name == EDISP_GRID:
        return np.asarray(weight[:, None] * safe)
    return weight[:, None] if name == PSF_GRID else np.asarray(weight.mean(axis=0))


def _mean(weight: FloatArray) -> FloatArray:
    return np.asarray(weight.mean(axis=1)[:, None, None])


def _safe_at(ds: xr.Dataset, row: int, lon: FloatArray, lat: FloatArray) -> BoolArray:
    """Return whether bins of a row are safe in its pixels nearest to positions, False outside; (energy, place)."""
    window = image_of_row(ds, row)
    cells = window.cells(lon, lat)
    safe = np.zeros((ds.sizes["energy"], len(lon)), dtype=bool)
    mask = ds["mask_safe"].transpose("dataset", "energy", *schema.WINDOWS.cells).values[row]
    safe[:, cells.event] = mask.reshape(len(mask), -1)[:, cells.cell]
    return safe
