"""Responses of a block of runs on the true-energy axis: exposure, containment, energy dispersion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.events import Part, Rows
from xgamma.geometry import separation
from xgamma.grid import Grid
from xgamma.irf import CONTAINMENT, IrfTable, edisp_kernel, effective_area, read_table

# Of an on-region so many places are looked at together, each for all rows of a block.
PLACES = 16

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
        Shape (row, cell, energy_true, energy); ``None`` where it was not asked for.
    unknown
        Where the response of a role is not known and 0 stands for it, shape (row, cell, energy_true).
    """

    effective_area: FloatArray
    containment: FloatArray
    edisp: FloatArray | None
    unknown: Mapping[str, BoolArray] = field(default_factory=dict)

    @property
    def corrected_area(self) -> FloatArray:
        """Effective area times containment, m2, shape (row, cell, energy_true)."""
        return self.effective_area * self.containment

    def of(self, measurable: BoolArray) -> Responses:
        """Return the responses of some cells, shape (row, cell); that of the others is 0."""
        if measurable.all():
            return self
        return Responses(
            self.effective_area * measurable[:, :, None],
            self.containment,
            None if self.edisp is None else self.edisp * measurable[:, :, None, None],
            {role: where & measurable[:, :, None] for role, where in self.unknown.items()},
        )


def origins(part: Part, rows: Rows, grid: Grid) -> IntArray | None:
    """Return the origin of the cells of each row, shape (row, 2); ``None`` where all rows have the same cells."""
    return grid.space.origins(part.column("ra_pnt", rows.obs), part.column("dec_pnt", rows.obs))


def offsets(part: Part, rows: Rows, grid: Grid) -> FloatArray:
    """Return the separation of each cell from each pointing in degrees, shape (row, cell)."""
    lon, lat = part.column("ra_pnt", rows.obs), part.column("dec_pnt", rows.obs)
    return grid.space.offsets(lon, lat, origins(part, rows, grid))


def responses(
    part: Part, rows: Rows, grid: Grid, offset: FloatArray, containment: bool, dispersion: bool = True
) -> Responses:
    """Evaluate the responses of a block.

    Parameters
    ----------
    part, rows, grid
        The runs and the target.
    offset
        Degrees from the pointing, shape (row, cell).
    containment
        Whether the exposure is to be corrected for the part of the point spread function outside the region.
    dispersion
        Whether the energy dispersion is asked for.
    """
    energy_true = grid.energy_true.center
    unknown: dict[str, BoolArray] = {}
    area = by_table(part, rows, "aeff", offset, lambda table, _: effective_area(table, energy_true))
    _take_out(area, area, "aeff", unknown)
    radius = grid.radii
    fraction = np.ones_like(area)
    if containment:
        fraction = by_table(
            part, rows, "psf", offset, lambda table, kind: CONTAINMENT[kind](table, energy_true, radius)
        )
        _take_out(fraction, area, "psf", unknown)
    if not dispersion:
        return Responses(area, fraction, None, unknown)
    edges = grid.energy.edges
    kernel = by_table(part, rows, "edisp", offset, lambda table, _: edisp_kernel(table, energy_true, edges))
    _take_out(kernel, area, "edisp", unknown)
    return Responses(area, fraction, kernel, unknown)


def averaged(part: Part, rows: Rows, grid: Grid, at_center: Responses) -> Responses:
    """Return the responses averaged over each on-region, instead of those of its centre.

    The energy dispersion of a place weighs as much as the effective area there. The containment stays that of the
    centre, and so do the responses of a region without an area.
    """
    assert at_center.edisp is not None
    area, edisp, unknown = at_center.effective_area.copy(), at_center.edisp.copy(), dict(at_center.unknown)
    pointing = [part.column(name, rows.obs)[:, None] for name in ("ra_pnt", "dec_pnt")]
    for region, shape in enumerate(grid.regions):
        lon, lat, weight = shape.samples()
        offset = separation(lon, lat, *pointing)
        total, kernel = np.zeros(area[:, region].shape), np.zeros(edisp[:, region].shape)
        for start in range(0, len(weight), PLACES):
            some = slice(start, start + PLACES)
            there = responses(part, rows, grid, offset[:, some], containment=False)
            shares = there.effective_area * weight[some, None]
            total += shares.sum(axis=1)
            if there.edisp is not None:
                kernel += np.einsum("rpt,rpte->rte", shares, there.edisp)
            for role, where in there.unknown.items():
                unknown[role] = unknown.get(role, np.zeros(area.shape, dtype=bool)).copy()
                unknown[role][:, region] |= where.any(axis=1)
        if len(weight):
            area[:, region] = total
            is_lit = total[:, :, None] > 0
            edisp[:, region] = np.divide(kernel, total[:, :, None], out=edisp[:, region], where=is_lit)
    return Responses(area, at_center.containment, edisp, unknown)


def _take_out(values: FloatArray, area: FloatArray, role: str, unknown: dict[str, BoolArray]) -> None:
    """Put 0 where a response is NaN, in place, and note where that is; where the area is 0 nothing can be lost."""
    first = values if values.ndim == area.ndim else values[..., 0]
    where = np.isnan(first)
    if where.any():
        matters = where if values is area else where & (area > 0)
        values[where] = 0.0
        if matters.any():
            unknown[role] = matters


def by_table(part: Part, rows: Rows, role: str, offset: FloatArray, evaluate: Evaluate) -> FloatArray:
    """Return a role evaluated for rows whose responses may lie in several tables.

    ``evaluate`` gets what ``read_table`` returns at the offsets, shape (row, cell), and the class of the table.
    """
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
