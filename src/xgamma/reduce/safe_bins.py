"""The safe bins of a block: all safe masks of a recipe together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xgamma.axes import BoolArray, FloatArray
from xgamma.events import Part, Rows
from xgamma.geometry import separation
from xgamma.reduce.recipe import Recipe
from xgamma.reduce.response import Responses, responses
from xgamma.reduce.safe_mask import NEED_NO_BACKGROUND, SafeMaskInput


def safe_bins(
    part: Part,
    rows: Rows,
    recipe: Recipe,
    offset: FloatArray,
    found: Responses,
    expected: FloatArray,
    measurable: BoolArray | None = None,
) -> BoolArray:
    """Return which bins of measurable cells the safe masks of a recipe leave, shape (row, cell, energy).

    Parameters
    ----------
    part, rows, recipe
        The runs and what is wanted.
    offset
        That of each cell in degrees, shape (row, cell).
    found
        The responses of the cells; of a window those of one place, which stand for all of its pixels.
    expected
        The shape of the background, shape (row, cell, energy); in a window its sum over all pixels is looked at.
    measurable
        The cells that belong to each row and have a response, shape (row, cell); all by default.
    """
    if recipe.safe_position is not None:
        away = separation(*recipe.safe_position, *(part.column(f"{axis}_pnt", rows.obs) for axis in ("ra", "dec")))
        found = _responses_at(part, rows, recipe, found, away)
    at_region = SafeMaskInput(
        recipe.grid,
        offset,
        found.corrected_area,
        found.edisp,
        np.stack([part.column(name, rows.obs) for name in ("energy_min", "energy_max")], axis=1),
        expected if recipe.grid.is_region else _sum_of_cells(recipe, expected, measurable),
    )
    inputs: dict[float | None, SafeMaskInput] = {None: at_region}
    # Where a background is expected to be 0 it is not known: counts there would have no likelihood.
    mask = expected > 0 if "background" in recipe.background_variables else np.ones_like(expected, dtype=bool)
    for method in recipe.safe_masks:
        elsewhere = getattr(method.parameters, "fixed_offset", None)
        if elsewhere is not None and elsewhere not in inputs:
            there = _responses_at(part, rows, recipe, found, np.full(len(rows), float(elsewhere)))
            inputs[elsewhere] = replace(at_region, area=there.corrected_area, edisp=there.edisp)
        mask &= method.entry.function(inputs[elsewhere], method.parameters)
    if measurable is not None and not measurable.all():
        mask &= measurable[:, :, None]
    return mask


def _sum_of_cells(recipe: Recipe, expected: FloatArray, measurable: BoolArray | None) -> FloatArray:
    """Return the sum over cells where any method may look at it, else zeros, shape (row, 1, energy)."""
    if all(method.entry.is_built_in and method.name in NEED_NO_BACKGROUND for method in recipe.safe_masks):
        return np.zeros((len(expected), 1, expected.shape[2]))
    own = expected if measurable is None or measurable.all() else expected * measurable[:, :, None]
    return np.asarray(own.sum(axis=1, keepdims=True, dtype=float))


def _responses_at(part: Part, rows: Rows, recipe: Recipe, found: Responses, offset: FloatArray) -> Responses:
    """Return responses at an offset of each row, for as many cells as those that were found, shape (row,)."""
    places = np.repeat(offset[:, None], found.effective_area.shape[1], axis=1)
    return responses(part, rows, recipe.grid, places, recipe.containment, found.edisp is not None)
