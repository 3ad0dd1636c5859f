"""Spectra of regions out of windows of the sky: sums over pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from xgamma import schema
from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.errors import ConfigError, DataError
from xgamma.geometry import separation
from xgamma.grid import Grid, RegionSpace
from xgamma.reduce.grids import has_response, rad_axis
from xgamma.reduce.nodes import responses_at
from xgamma.reduce.point_spread import share_within
from xgamma.reduce.rows import row_coords
from xgamma.shapes import Circle, Shape

Pixels = tuple[IntArray, FloatArray]
_SUMS = ("counts", "background", "counts_off", "acceptance")
_PER_ROW = ("livetime", "ontime", "gti", "pointing_lon", "pointing_lat", "outcome")


def region_spectra(
    ds: xr.Dataset, regions: Sequence[Shape], pixels: Sequence[Pixels], exposure: FloatArray, containment: bool
) -> xr.Dataset:
    """Return the spectra of regions in one row of windows: DL4 with regions as cells.

    Counts and backgrounds are sums over safe bins, which of a region are those that are safe in any of its pixels. The
    exposure is the mean over its pixels, and the dispersion that of its centre.

    Parameters
    ----------
    ds
        DL4, one window.
    regions
        Shapes inside of it.
    pixels
        Of each the numbers of its pixels in C order of the window, and the share of each that counts.
    exposure
        Of the pixels in m2 s, shape (energy_true, v, u).
    containment
        Whether the exposure is corrected for the part of the point spread function outside of the region.

    Raises
    ------
    DataError
        For a row without energy dispersion, or without a point spread function that is needed.
    ConfigError
        For a correction of what is no circle.
    """
    if not has_response(ds, "edisp"):
        raise DataError(
            f"{ds['dataset'].values[0]}: expected a map with energy dispersion, got one without; reduce with edisp in "
            "map_selection."
        )
    values: dict[str, Any] = _sums(ds, pixels)
    values |= _responses(ds, regions, pixels, exposure, containment)
    values |= {name: ds[name].values for name in _PER_ROW if name in ds}
    if "pointing_lon" in ds:
        centers = (np.array(axis) for axis in zip(*(shape.center for shape in regions), strict=True))
        pointing = (ds[f"pointing_{axis}"].values[:, None] for axis in ("lon", "lat"))
        values["offset"] = separation(*centers, *pointing)
    energy, energy_true = (Axis.from_coords(ds.coords, name) for name in ("energy", "energy_true"))
    grid = Grid(energy, energy_true, RegionSpace(tuple(regions)))
    known = {name: ds[name].values for name in ("obs_id", "interval") if name in ds.coords}
    names, obs_id = ds["dataset"].values.tolist(), known.get("obs_id", np.zeros(1, np.int64))
    coords = row_coords(grid, names, obs_id, known.get("interval", np.zeros((1, 2))), None)
    kept = {name: value for name, value in coords.items() if name in known or name not in ("obs_id", "interval")}
    return schema.dataset(values, kept, ds.attrs, grid.space.dims, grid.space.shape)


def _sums(ds: xr.Dataset, pixels: Sequence[Pixels]) -> dict[str, FloatArray | BoolArray]:
    """Return the sums over the safe bins of the pixels of each region, shape (1, region, energy)."""
    safe = ds["mask_safe"].values[0].reshape(ds.sizes["energy"], -1)

    def total(values: FloatArray) -> FloatArray:
        flat = values[0].reshape(safe.shape)
        found = [np.where(safe[:, own], flat[:, own], 0.0).astype(float) @ share for own, share in pixels]
        return np.stack(found)[np.newaxis]

    sums: dict[str, FloatArray | BoolArray] = {name: total(ds[name].values) for name in _SUMS if name in ds}
    sums["mask_safe"] = np.stack([safe[:, own].any(axis=-1) for own, _ in pixels])[np.newaxis]
    if "counts_off" in ds:
        on, off, counts = (ds[name].values for name in ("acceptance", "acceptance_off", "counts_off"))
        expected = total(np.divide(on * counts, off, out=np.zeros(on.shape), where=off > 0))
        plain, own = total(off), sums["acceptance"] * sums["counts_off"]
        sums["acceptance_off"] = np.divide(own, expected, out=plain, where=expected > 0)
    return sums


def _responses(
    ds: xr.Dataset, regions: Sequence[Shape], pixels: Sequence[Pixels], exposure: FloatArray, containment: bool
) -> dict[str, FloatArray]:
    lon, lat = (np.array(axis) for axis in zip(*(shape.center for shape in regions), strict=True))
    at_center = responses_at(ds, 0, lon, lat)
    flat = exposure.reshape(len(exposure), -1)
    whole = np.stack([flat[:, own] @ share / share.sum() for own, share in pixels])
    assert at_center.edisp is not None
    values = {"edisp": at_center.edisp[np.newaxis], "exposure_edisp": whole[np.newaxis]}
    if not containment:
        return {**values, "exposure": whole[np.newaxis]}
    radii = np.array([shape.radius if isinstance(shape, Circle) else np.nan for shape in regions])
    if np.isnan(radii).any():
        raise ConfigError("containment_correction: expected circles, as of others the share is not known; set it off.")
    if at_center.psf is None:
        raise DataError(
            f"{ds['dataset'].values[0]}: expected a map with a point spread function, got one without; reduce with "
            "psf in map_selection."
        )
    rad = rad_axis(ds)
    share = np.stack([share_within(psf, rad, radius) for psf, radius in zip(at_center.psf, radii, strict=True)])
    return {**values, "exposure": (whole * share)[np.newaxis]}
