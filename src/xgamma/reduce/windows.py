"""A block of windows of the sky: which pixels belong to a run, its responses at nodes of offset, and its safe bins."""

from __future__ import annotations

from typing import Any

import numpy as np

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.events import Part, Rows
from xgamma.grid import SkySpace
from xgamma.reduce.losses import Loss
from xgamma.reduce.nodes import RAD, node_responses, nodes_of
from xgamma.reduce.recipe import Recipe
from xgamma.reduce.response import origins, responses
from xgamma.reduce.safe_bins import safe_bins
from xgamma.reduce.safe_mask import NEED_NO_DISPERSION


def node_roles(recipe: Recipe) -> tuple[str, ...]:
    """Return the roles of the responses that rows hold at nodes of offset."""
    return tuple(role for role in ("aeff", "edisp", "psf") if role == "aeff" or role in recipe.maps)


def farthest(recipe: Recipe) -> float:
    """Return the largest offset (deg) of a pixel that belongs to a run: it decides which nodes rows hold."""
    return recipe.offset_max * float(np.sqrt(2.0)) + _space(recipe).binsize


def cut_out(part: Part, rows: Rows, recipe: Recipe) -> BoolArray:
    """Return which pixels of its window lie within ``offset_max`` of a pointing, along rows and columns (row, cell).

    A window that reaches over the edge of its image was moved into it: pixels on its other side belong to the run no
    more than they would without an edge.
    """
    space, bounds = _space(recipe), _bounds(part, rows, recipe)
    origin = origins(part, rows, recipe.grid)
    inside = []
    for axis, size in enumerate(space.shape):
        first = 0 if origin is None else origin[:, axis, None]
        pixel = first + np.arange(size)
        inside.append((pixel >= bounds[:, axis, :1]) & (pixel < bounds[:, axis, 1:]))
    return np.asarray(inside[0][:, :, None] & inside[1][:, None, :]).reshape(len(rows), -1)


def _space(recipe: Recipe) -> SkySpace:
    space = recipe.grid.space
    assert isinstance(space, SkySpace)
    return space


def _bounds(part: Part, rows: Rows, recipe: Recipe) -> IntArray:
    lon, lat = part.column("ra_pnt", rows.obs), part.column("dec_pnt", rows.obs)
    return _space(recipe).bounds_about(lon, lat, recipe.offset_max)


def _middle(part: Part, rows: Rows, recipe: Recipe) -> IntArray:
    """Return the number of the pixel in the middle of the pixels of each run, shape (row,)."""
    space, origin = _space(recipe), origins(part, rows, recipe.grid)
    middle = np.rint(0.5 * (_bounds(part, rows, recipe).sum(axis=-1) - 1)).astype(np.int64)
    inside = np.clip(middle - (0 if origin is None else origin), 0, np.array(space.shape) - 1)
    return np.asarray(inside[:, 0] * space.shape[1] + inside[:, 1])


def window_responses(
    part: Part,
    rows: Rows,
    recipe: Recipe,
    offset: FloatArray,
    livetime: FloatArray,
    used: BoolArray,
    expected: FloatArray,
    measurable: BoolArray,
) -> tuple[dict[str, Any], Loss | None]:
    """Return responses and safe bins of windows by variable name, each of its members one row; others keep zeros.

    Parameters
    ----------
    part, rows, recipe
        The runs of the block, and what is wanted.
    offset
        Of the pixels from the pointing in degrees, shape (row, cell).
    livetime
        Seconds, shape (row,).
    used
        The rows to look at, shape (row,).
    expected
        The shape of the background, shape (row, cell, energy).
    measurable
        The pixels that belong to each run, shape (row, cell).
    """
    chosen = np.flatnonzero(used)
    pointing = {
        f"member_{axis}": part.column(f"{name}_pnt", rows.obs) for axis, name in (("lon", "ra"), ("lat", "dec"))
    }
    values: dict[str, Any] = {"member_row": np.arange(len(rows)), **pointing}
    if len(chosen) == 0:
        none = np.zeros_like(expected, dtype=bool)
        return {**values, "mask_safe": none, **_empty(recipe, len(rows))}, None
    some = rows.at(chosen)
    nodes = nodes_of(part, some, node_roles(recipe), farthest(recipe))
    found = node_responses(part, some, recipe.grid, nodes, livetime[chosen], recipe.maps)
    for name, array in {**found, "node_offset": nodes.offset, "reach": nodes.reach}.items():
        values[name] = np.full((len(rows), *array.shape[1:]), np.nan if name == "node_offset" else 0, array.dtype)
        values[name][chosen] = array
    is_all = len(chosen) == len(rows)
    if not is_all:
        offset, expected, measurable = offset[chosen], expected[chosen], measurable[chosen]
    middle = np.take_along_axis(offset, _middle(part, some, recipe)[:, None], axis=1)
    dispersion = any(method.name not in NEED_NO_DISPERSION for method in recipe.safe_masks)
    at_middle = responses(part, some, recipe.grid, middle, False, dispersion)
    safe = safe_bins(part, some, recipe, offset, at_middle, expected, measurable)
    values["mask_safe"] = safe if is_all else _among(chosen, safe, len(rows))
    return values, None


def _among(chosen: IntArray, safe: BoolArray, rows: int) -> BoolArray:
    """Return the bins of some rows among all of them, whose others have no safe bin; plane by plane."""
    planes = np.zeros((rows, safe.shape[2], safe.shape[1]), dtype=bool)
    planes[chosen] = safe.swapaxes(1, 2)
    return planes.swapaxes(1, 2)


def _empty(recipe: Recipe, rows: int) -> dict[str, Any]:
    """Return the responses of rows none of which is used."""
    grid = recipe.grid
    values: dict[str, Any] = {"node_offset": np.full((rows, 1), np.nan), "reach": np.zeros(rows)}
    values["exposure_edisp"] = np.zeros((rows, 1, grid.energy_true.nbin))
    if "edisp" in recipe.maps:
        values["edisp"] = np.zeros((rows, 1, grid.energy_true.nbin, grid.energy.nbin), dtype=np.float32)
        values["edisp_norm"] = np.zeros((rows, 1, grid.energy_true.nbin))
    if "psf" in recipe.maps:
        values["psf"] = np.zeros((rows, 1, grid.energy_true.nbin, RAD.nbin), dtype=np.float32)
    return values
