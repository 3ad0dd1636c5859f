"""Rows in other bins of reconstructed energy: fewer of them, or sums of neighbours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.axes import Axis, BoolArray, FloatArray, IntArray


def select_energy(ds: xr.Dataset, first: int, last: int) -> xr.Dataset:
    """Return the bins ``first`` to ``last`` of reconstructed energy, ``last`` excluded; true energies stay."""
    return ds.isel(energy=slice(first, last))


def merge_bins(ds: xr.Dataset, edges: IntArray) -> xr.Dataset:
    """Return rows whose bins of reconstructed energy are sums of neighbouring ones, over their safe bins.

    A new bin is safe where any of its bins is. It has the sum of the acceptances, and the off acceptance with which the
    off counts predict the summed background; without off counts it has the sum of the off acceptances.

    Parameters
    ----------
    ds
        DL4 rows of regions.
    edges
        The numbers of the old edges that stay, ascending, shape (new bin + 1,).

    Returns
    -------
    xarray.Dataset
        DL4. Exposures, times, ledgers and outcomes are those of ``ds``.
    """
    axis, safe = Axis.from_coords(ds.coords, "energy"), ds["mask_safe"].transpose(..., "energy").values
    held = {str(name): ds[name].variable for name in ds.data_vars if "energy" in ds[name].dims}
    values = {name: variable.transpose(..., "energy").values for name, variable in held.items()}
    weight = {"edisp": safe[..., np.newaxis, :]}
    sums = {
        name: grouped(np.where(weight.get(name, safe), array, 0.0), edges)
        for name, array in values.items()
        if array.dtype != bool
    }
    if "counts_off" in values:
        sums["acceptance_off"] = _acceptance_off(values, safe, sums, edges)
    # Masks: also that of a fit, which the rows of a file may hold.
    masks = {name: grouped(array, edges) > 0 for name, array in values.items() if array.dtype == bool}
    merged = {name: (_energy_last(held[name]), array, held[name].attrs) for name, array in {**sums, **masks}.items()}
    fewer = replace(axis, edges=axis.edges[edges], nodes=None)
    return ds.drop_dims("energy").assign(merged).assign_coords(fewer.coords())


def grouped(values: npt.NDArray[Any], edges: IntArray) -> FloatArray:
    """Return sums over groups of the last axis between ascending edges, shape (..., group).

    >>> grouped(np.arange(6), np.array([1, 3, 6])).tolist()
    [3.0, 12.0]
    """
    return np.asarray(np.add.reduceat(values[..., : edges[-1]].astype(float), edges[:-1], axis=-1))


def _energy_last(variable: xr.Variable) -> tuple[Any, ...]:
    return (*(dim for dim in variable.dims if dim != "energy"), "energy")


def _acceptance_off(
    values: dict[str, npt.NDArray[Any]], safe: BoolArray, sums: dict[str, FloatArray], edges: IntArray
) -> FloatArray:
    on, off, counts = values["acceptance"], values["acceptance_off"], np.where(safe, values["counts_off"], 0.0)
    alpha = np.divide(on, off, out=np.zeros_like(on), where=off > 0)
    background = grouped(alpha * counts, edges)
    own = sums["acceptance"] * sums["counts_off"]
    return np.asarray(np.divide(own, background, out=sums["acceptance_off"].copy(), where=background > 0))
