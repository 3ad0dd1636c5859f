"""A reduction as a lazy Dataset: dims, units and size are known before anything is computed."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr
from dask.delayed import delayed

from xgamma.events import Part, Rows
from xgamma.geometry import to_frame
from xgamma.outcome import Outcome
from xgamma.reduce.block import Recipe, reduce_block
from xgamma.reduce.reflected import reflected_regions
from xgamma.reduce.rows import masked_rows
from xgamma.reduce.spectra import blocks_of


def lazy_spectra(part: Part, rows: Rows, recipe: Recipe) -> xr.Dataset:
    """Return what ``reduce_spectra`` returns, computed by dask when it is used.

    Parameters
    ----------
    part, rows, recipe
        As in ``reduce_spectra``.

    Returns
    -------
    xarray.Dataset
        DL4 with dask arrays, a chunk for each block of rows. Off regions and good times are padded to a bound, and
        what the events decide is not in the attrs: ``outcome_details`` is empty, ``outcome`` has the codes.
    """
    widths = {"off": _off_bound(part, rows, recipe), "gti": max(1, int(part.column("gti_size", rows.obs).max()))}
    template = _template(part, rows, recipe, widths)
    blocks = list(blocks_of(part, rows))
    tasks = [delayed(_arrays, pure=False, traverse=False)(part, block, recipe, widths) for block in blocks]
    lengths = [len(block) for block in blocks]
    names = [name for name in template.variables if "dataset" in template[name].dims and name != "dataset"]
    variables = {name: _lazy(template[name], name, tasks, lengths) for name in names}
    return template.assign(variables)


def _lazy(template: xr.DataArray, name: Any, tasks: list[Any], lengths: list[int]) -> xr.Variable:
    shape = template.shape[1:]
    pieces = [
        da.from_delayed(task[name], (length, *shape), template.dtype)
        for task, length in zip(tasks, lengths, strict=True)
    ]
    return xr.Variable(template.dims, da.concatenate(pieces), template.attrs)


def _arrays(part: Part, block: Rows, recipe: Recipe, widths: dict[str, int]) -> dict[Any, npt.NDArray[Any]]:
    """Reduce a block and return its variables padded to the widths of all blocks."""
    ds = reduce_block(part, block, recipe)
    missing = {dim: (0, width - ds.sizes[dim]) for dim, width in widths.items() if dim in ds.sizes}
    padded = ds.pad(missing, constant_values=np.nan)
    return {name: padded[name].values for name in padded.variables}


def _off_bound(part: Part, rows: Rows, recipe: Recipe) -> int:
    """Return the largest number of off regions that any pointing has without exclusions."""
    if recipe.background is None:
        return 1
    pointings = np.unique(np.stack([part.column(name, rows.obs) for name in ("ra_pnt", "dec_pnt")], axis=1), axis=0)
    numbers = [1]
    for region in recipe.grid.regions:
        lon, lat = to_frame(pointings[:, 0], pointings[:, 1], "icrs", region.frame)
        numbers += [
            len(reflected_regions(float(x), float(y), region, None, recipe.background).x)
            for x, y in zip(lon, lat, strict=True)
        ]
    return max(numbers)


def _template(part: Part, rows: Rows, recipe: Recipe, widths: dict[str, int]) -> xr.Dataset:
    """Return a Dataset of the right dims, units and coordinates with nothing computed in it."""
    first = reduce_block(part, rows[:1], recipe)
    obs_ids = part.column("obs_id", rows.obs)
    empty = masked_rows(recipe.grid, first, obs_ids, [Outcome.USED] * len(rows), [])
    missing = {dim: (0, width - empty.sizes[dim]) for dim, width in widths.items() if dim in empty.sizes}
    return empty.pad(missing, constant_values=np.nan, keep_attrs=True).assign_coords(
        dataset=(("dataset",), np.array(rows.names), empty["dataset"].attrs)
    )
