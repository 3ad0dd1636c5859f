"""Responses of a block of runs on the true-energy axis: exposure, containment, energy dispersion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from xgamma.axes import FloatArray, IntArray
from xgamma.errors import ConfigError, LaterError
from xgamma.events import Part, Rows
from xgamma.geometry import separation
from xgamma.grid import Grid
from xgamma.irf import CONTAINMENT, IrfTable, edisp_kernel, effective_area, read_table

RAD_MAX_TOLERANCE = 1e-3

Evaluate = Callable[[IrfTable, str], FloatArray]


@dataclass(frozen=True)
class Responses:
    """The responses of a block at given offsets.

    Parameters
    ----------
    effective_area
        In m2, shape (row, cell, energy_true), without containment.
    containment
        The fraction of the source in the region, same shape; 1 where no correction was asked for.
    edisp
        Shape (row, cell, energy_true, energy); ``None`` for a sky window, whose responses lie on a coarse grid.
    """

    effective_area: FloatArray
    containment: FloatArray
    edisp: FloatArray | None

    @property
    def corrected_area(self) -> FloatArray:
        """Effective area times containment, m2, shape (row, cell, energy_true)."""
        return self.effective_area * self.containment


def offsets(part: Part, rows: Rows, grid: Grid) -> FloatArray:
    """Return the separation of each cell from each pointing in degrees, shape (row, cell)."""
    lon, lat = grid.space.positions()
    pointing = (part.column(name, rows.obs)[:, None] for name in ("ra_pnt", "dec_pnt"))
    return separation(lon, lat, *pointing)


def responses(part: Part, rows: Rows, grid: Grid, offset: FloatArray, containment: bool) -> Responses:
    """Evaluate the responses of a block.

    Parameters
    ----------
    part, rows, grid
        The runs and the target.
    offset
        Degrees from the pointing, shape (row, cell).
    containment
        Whether the exposure is to be corrected for the part of the point spread function outside the region.

    """
    energy_true = grid.energy_true.center
    area = _by_table(part, rows, "aeff", offset, lambda table, _: effective_area(table, energy_true))
    if not grid.is_region:
        return Responses(area, np.ones_like(area), None)
    radius = grid.radii
    fraction = np.ones_like(area)
    if containment:
        fraction = _by_table(
            part, rows, "psf", offset, lambda table, kind: CONTAINMENT[kind](table, energy_true, radius)
        )
    edges = grid.energy.edges
    kernel = _by_table(part, rows, "edisp", offset, lambda table, _: edisp_kernel(table, energy_true, edges))
    return Responses(area, fraction, kernel)


def validate_enclosure(part: Part, rows: Rows, grid: Grid, containment: bool) -> None:
    """Raise ``ConfigError`` when a point-like response does not fit the on-region or the containment correction.

    A point-like response holds for one on-region: a circle of RAD_MAX, whose containment is in the effective area.
    """
    point_like = part.column("point_like", rows.obs)
    if not grid.is_region or not point_like.any():
        return
    if containment:
        raise ConfigError(
            "datasets.containment_correction: the responses are point-like, their containment is in the effective "
            "area; set it to false."
        )
    if (part.column("rad_max_table", rows.obs)[point_like] >= 0).any():
        raise LaterError(
            "The responses are point-like with a RAD_MAX that depends on energy, which this version of xgamma does not "
            "reduce; use full-enclosure responses or ones with a fixed RAD_MAX."
        )
    rad_max = part.column("rad_max", rows.obs)[point_like]
    wrong = rad_max[np.isfinite(rad_max) & (np.abs(grid.radii[0] - rad_max) > RAD_MAX_TOLERANCE * rad_max)]
    if len(wrong):
        raise ConfigError(
            f"datasets.on_region.radius: the responses are point-like for a radius of {wrong[0]:.7g} deg (RAD_MAX), "
            f"got {grid.radii[0]:.7g} deg; write {wrong[0]:.7g} deg."
        )


def _by_table(part: Part, rows: Rows, role: str, offset: FloatArray, evaluate: Evaluate) -> FloatArray:
    """Evaluate a role for rows whose responses may lie in several tables."""
    numbers, places = part.column(f"{role}_table", rows.obs), part.column(f"{role}_row", rows.obs)
    result: FloatArray | None = None
    for number in np.unique(numbers):
        chosen: IntArray = np.flatnonzero(numbers == number)
        table = part.table_of(int(number))
        values = evaluate(read_table(table, places[chosen], offset[chosen]), table.attrs["hdu_class"])
        if result is None:
            result = np.zeros((len(rows), *values.shape[1:]))
        result[chosen] = values
    return np.zeros((0, offset.shape[1])) if result is None else result
