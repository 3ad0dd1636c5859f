"""Rows in other bins of reconstructed energy: fewer of them, or sums of neighbours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.reduce.grids import safe_on_grid
from xgamma.schema.response_grids import EDISP_GRID, PSF_RECO_GRID


def select_energy(ds: xr.Dataset, first: int, last: int) -> xr.Dataset:
    """Return the bins ``first`` to ``last`` of reconstructed energy, ``last`` excluded; true energies stay."""
    return ds.isel(energy=slice(first, last))


def merge_bins(ds: xr.Dataset, edges: IntArray) -> xr.Dataset:
    """Return rows whose bins of reconstructed energy are sums of neighbouring ones, over their safe bins.

    A new bin is safe where any of its bins is. It has the sum of the acceptances, and the off acceptance with which the
    off counts predict the summed background; without off counts it has the sum of the off acceptances. Of windows the
    dispersion at an offset, or in a pixel of a coarse image, is summed over the bins that are safe there; point spread
    functions of reconstructed energy, which have no sum, are left out.

    Parameters
    ----------
    ds
        DL4 rows of regions or windows.
    edges
        The numbers of the old edges that stay, ascending, shape (new bin + 1,).

    Returns
    -------
    xarray.Dataset
        DL4. Exposures, times, ledgers and outcomes are those of ``ds``.
    """
    axis = Axis.from_coords(ds.coords, "energy")
    held = {str(name): ds[name].variable for name in ds.data_vars if "energy" in ds[name].dims}
    held.pop(PSF_RECO_GRID, None)
    shares = _shares(ds)
    safe = ds["mask_safe"].variable
    merged = {name: _merged(name, variable, shares.get(name, safe), edges) for name, variable in held.items()}
    if "counts_off" in held:
        merged["acceptance_off"] = _acceptance_off(ds, merged, edges)
    fewer = replace(axis, edges=axis.edges[edges], nodes=None)
    return ds.drop_dims("energy").assign(merged).assign_coords(fewer.coords())


def merged_mask(mask: BoolArray, edges: IntArray, place: int = -1) -> BoolArray:
    """Return which groups of bins between ascending edges hold any of a mask; ``place`` is the axis of the bins."""
    return np.asarray(grouped(mask, edges, place) > 0)


def grouped(values: npt.NDArray[Any], edges: IntArray, place: int = -1) -> FloatArray:
    """Return sums over groups of one axis, by default the last, between ascending edges.

    >>> grouped(np.arange(6), np.array([1, 3, 6])).tolist()
    [3.0, 12.0]
    """
    kept = np.moveaxis(np.moveaxis(values, place, 0)[: edges[-1]], 0, place)
    return np.asarray(np.add.reduceat(kept, edges[:-1], axis=place, dtype=float))


def _shares(ds: xr.Dataset) -> dict[str, xr.Variable]:
    """Return which bins are summed of responses that are not those of the cells, by the name of the variable."""
    shares: dict[str, xr.Variable] = {}
    if "safe_offset" in ds:
        shares["edisp"] = ds["safe_offset"].variable >= ds["node_offset"].variable
    if EDISP_GRID in ds:
        shares[EDISP_GRID] = safe_on_grid(ds)
    return shares


def _merged(name: str, variable: xr.Variable, share: xr.Variable, edges: IntArray) -> xr.Variable:
    place = variable.get_axis_num("energy")
    if name == "safe_offset":
        largest = np.fmax.reduceat(variable.values[:, : edges[-1]], edges[:-1], axis=place)
        return xr.Variable(variable.dims, largest, variable.attrs)
    if variable.dtype == bool:
        # Masks: also that of a fit, which the rows of a file may hold.
        return xr.Variable(variable.dims, merged_mask(variable.values, edges, place), variable.attrs)
    return xr.Variable(variable.dims, grouped(_inside(variable, share), edges, place), variable.attrs)


def _inside(variable: xr.Variable, share: xr.Variable) -> npt.NDArray[Any]:
    """Return the values where a mask, whose dims are among theirs, is true, else 0."""
    wide = share.set_dims(dict(variable.sizes))  # type: ignore[no-untyped-call]
    return np.where(wide.values, variable.values, 0)


def _acceptance_off(ds: xr.Dataset, sums: dict[str, xr.Variable], edges: IntArray) -> xr.Variable:
    on, off = ds["acceptance"].variable, ds["acceptance_off"].variable
    counts = _inside(ds["counts_off"].variable, ds["mask_safe"].variable)
    alpha = np.divide(on.values, off.values, out=np.zeros(on.shape), where=off.values > 0)
    background = grouped(alpha * counts, edges, on.get_axis_num("energy"))
    own, plain = sums["acceptance"].values * sums["counts_off"].values, sums["acceptance_off"].values
    values = np.divide(own, background, out=plain.copy(), where=background > 0)
    return xr.Variable(off.dims, values, off.attrs)
