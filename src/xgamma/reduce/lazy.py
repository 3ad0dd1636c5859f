"""A reduction as a lazy Dataset: dims, units and size are known before anything is computed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr
from dask.delayed import delayed

from xgamma import schema
from xgamma.events import Part, Rows
from xgamma.reduce.background import BackgroundInput, background_of
from xgamma.reduce.block import attrs_of, coords_of, reduce_block
from xgamma.reduce.enclosure import validate_enclosure
from xgamma.reduce.nodes import nodes_of
from xgamma.reduce.recipe import Recipe
from xgamma.reduce.rows import AT_NO_NODE, neutral_values, since
from xgamma.reduce.spectra import blocks_of
from xgamma.reduce.windows import farthest, node_roles
from xgamma.schema import MEMBER_ROW

Piece = tuple[Part, Rows]
_ROWS = (("dataset",), ("member",))


def lazy_spectra(pieces: Sequence[Piece], recipe: Recipe) -> xr.Dataset:
    """Return what reducing the rows of some parts gives, computed by dask when it is used.

    Parameters
    ----------
    pieces
        Parts, in memory or in a store, and the rows of each.
    recipe
        What is wanted.

    Returns
    -------
    xarray.Dataset
        DL4 with dask arrays, a chunk for each block of rows, piece by piece; times are counted from the epoch of the
        first part. Coordinates are there at once. Off regions and good times are padded to a bound, and what the events
        decide is not in the attrs: ``outcome_details`` is not there, ``outcome`` has the codes.

    Examples
    --------
    >>> lazy = lazy_spectra([(part, rows)], recipe)  # doctest: +SKIP
    >>> lazy["counts"].groupby("obs_id").sum().compute()  # doctest: +SKIP
    """
    validate_enclosure(pieces, recipe.grid, recipe.containment)
    mjdref = float(pieces[0][0].obs.attrs["mjdref"])
    widths = {
        "off": max(_off_bound(part, rows, recipe) for part, rows in pieces),
        "gti": max([1, *(int(part.column("gti_size", rows.obs).max()) for part, rows in pieces)]),
        "node": max(_most_nodes(part, rows, recipe) for part, rows in pieces),
    }
    template = _template(pieces, recipe)
    blocks = [(part, block) for part, rows in pieces for block in blocks_of(part, rows, recipe)]
    lengths = [len(block) for _, block in blocks]
    firsts = itertools.accumulate(lengths, initial=0)
    tasks = [
        delayed(_arrays, pure=False, traverse=False)(part, block, recipe, widths, mjdref, first)
        for (part, block), first in zip(blocks, firsts, strict=False)
    ]
    coords = _coords(pieces, recipe, mjdref)
    variables = {
        name: _lazy(variable, name, tasks, lengths, widths) if variable.dims[:1] in _ROWS else variable
        for name, variable in template.variables.items()
        if name not in coords
    }
    return xr.Dataset(variables, coords, template.attrs).set_coords(str(n) for n in template.coords if n in variables)


def _lazy(
    template: xr.Variable, name: Any, tasks: Sequence[Any], lengths: Sequence[int], widths: Mapping[str, int]
) -> xr.Variable:
    # Each row of a run in windows is its own member.
    shape = tuple(widths.get(str(dim), size) for dim, size in zip(template.dims, template.shape, strict=True))[1:]
    chunks = [
        da.from_delayed(task[name], (length, *shape), template.dtype)
        for task, length in zip(tasks, lengths, strict=True)
    ]
    return xr.Variable(template.dims, da.concatenate(chunks), template.attrs)


def _arrays(
    part: Part, block: Rows, recipe: Recipe, widths: Mapping[str, int], mjdref: float, first: int
) -> dict[Any, npt.NDArray[Any]]:
    """Reduce a block, whose rows begin at number ``first``, and return its variables padded to the widths of all."""
    ds = since(reduce_block(part, block, recipe), mjdref)
    missing = {dim: (0, width - ds.sizes[dim]) for dim, width in widths.items() if dim in ds.sizes}
    padded = ds.pad(missing, constant_values=AT_NO_NODE)
    if MEMBER_ROW in padded:
        padded = padded.assign({MEMBER_ROW: padded[MEMBER_ROW] + first})
    return {name: padded[name].values for name in padded.variables}


def _off_bound(part: Part, rows: Rows, recipe: Recipe) -> int:
    if recipe.background is None or "off_lon" not in recipe.background_variables:
        return 1
    usable = np.ones(len(rows), dtype=bool)
    given = BackgroundInput(part, rows, recipe.grid, recipe.exclusion, recipe.offset_max, usable, recipe.good_time)
    return background_of(recipe.background).bound(given)


def _most_nodes(part: Part, rows: Rows, recipe: Recipe) -> int:
    """Return how many offset nodes any of the rows may have, at least 1."""
    if recipe.grid.is_region:
        return 1
    known = np.all([part.column(f"{role}_table", rows.obs) >= 0 for role in recipe.roles], axis=0)
    nodes = nodes_of(part, rows.at(np.flatnonzero(known)), node_roles(recipe), farthest(recipe))
    return int(nodes.offset.shape[1])


def _template(pieces: Sequence[Piece], recipe: Recipe) -> xr.Dataset:
    """Return one row of the right dims, types and units, of which nothing was computed."""
    part, rows = pieces[0]
    values = neutral_values(recipe.grid, 1, recipe.held)
    attrs = attrs_of(part, rows[:1], [])
    del attrs["outcome_details"]
    telescopes = {part.runs.attrs["telescope"][obs] for part, rows in pieces for obs in rows.obs}
    attrs["telescope"] = ", ".join(sorted(telescopes))
    space = recipe.grid.space
    return schema.dataset(values, coords_of(part, rows[:1], recipe.grid), attrs, space.dims, space.shape)


def _coords(pieces: Sequence[Piece], recipe: Recipe, mjdref: float) -> dict[Any, Any]:
    """Return the coordinates of all rows; they are known before the reduction."""
    tables = [
        since(xr.Dataset(coords=coords_of(part, rows, recipe.grid), attrs=part.obs.attrs), mjdref)
        for part, rows in pieces
    ]
    return {
        name: (v.dims, np.concatenate([table[name].values for table in tables]), v.attrs) if "dataset" in v.dims else v
        for name, v in tables[0].variables.items()
    }
