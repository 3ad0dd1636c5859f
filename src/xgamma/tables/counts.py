"""What the bins of rows add up to: counts, background and significance of each line, without any model.

A line is a region of a row, or a row whose cells are the pixels of a window.
"""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from xgamma import schema, stats
from xgamma.axes import BoolArray, FloatArray
from xgamma.schema.arrays import NamedArrays


def is_on_off(ds: NamedArrays) -> bool:
    """Whether the background was measured in off regions: the statistic is then wstat, otherwise cash."""
    return "counts_off" in ds


def alpha(ds: xr.Dataset) -> xr.DataArray:
    """Return the ratio of the acceptances, 0 where there is no off acceptance."""
    return ds["acceptance"].copy(data=schema.alpha(ds)).assign_attrs(units="")


def background(ds: xr.Dataset) -> xr.DataArray:
    """Return the background estimate in the on-region: alpha x off counts, or the known background (0 if none)."""
    if not is_on_off(ds) and "background" in ds:
        return ds["background"]
    found = ds["counts_off" if is_on_off(ds) else "counts"].copy(data=background_values(ds))
    return found.assign_attrs(units="") if is_on_off(ds) else found


def background_values(ds: NamedArrays) -> FloatArray:
    """Return the same without names."""
    if is_on_off(ds):
        return np.asarray(schema.alpha(ds) * ds["counts_off"].values)
    return np.asarray(ds["background"].values if "background" in ds else np.zeros_like(ds["counts"].values))


def lines(ds: NamedArrays) -> int:
    """Return how many lines a summary has: one for each ledger."""
    return ds.sizes["dataset"] * math.prod(ds.sizes[dim] for dim in schema.space_dims(ds).ledgers)


def row_names(ds: NamedArrays) -> list[str]:
    """Return the name of each line: the dataset's, with the region's number if there are several."""
    names = [str(name) for name in ds.variables["dataset"].values]
    regions = lines(ds) // max(1, len(names))
    return names if regions == 1 else [f"{name}.{region}" for name in names for region in range(regions)]


def sums_of_lines(ds: NamedArrays, values: FloatArray, used: BoolArray) -> FloatArray:
    """Return the sum of each line over its bins, shape (line,)."""
    count = lines(ds)
    return np.asarray(np.where(used, values, 0.0).reshape(count, values.size // max(1, count)).sum(axis=1, dtype=float))


def alpha_of_sums(ds: NamedArrays, off: FloatArray, expected: FloatArray, used: BoolArray) -> FloatArray:
    """Return the ratio of acceptances that the off counts of each line were weighted with, shape (line,)."""
    # Without off counts the weights of the bins are unknown: the ratio of the summed acceptances stands in.
    on_area, off_area = (sums_of_lines(ds, ds[name].values, used) for name in ("acceptance", "acceptance_off"))
    plain = np.divide(on_area, off_area, out=np.zeros_like(on_area), where=off_area > 0)
    return np.divide(expected, off, out=plain, where=off > 0)


def sqrt_ts_of_lines(ds: NamedArrays, counts: FloatArray, expected: FloatArray, used: BoolArray) -> FloatArray:
    """Return the significance of the counts of each line over those expected in it, shape (line,)."""
    if not is_on_off(ds):
        return np.asarray(stats.cash_sqrt_ts(counts, expected))
    off = sums_of_lines(ds, ds["counts_off"].values, used)
    sqrt_ts = stats.wstat_sqrt_ts(counts, off, alpha_of_sums(ds, off, expected, used))
    # A masked row has seen nothing, whatever its acceptances are.
    return np.where(counts + off > 0, sqrt_ts, 0.0)
