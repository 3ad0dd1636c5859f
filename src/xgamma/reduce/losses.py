"""What is lost: events where responses are not known, and predicted counts beyond the axis of true energy.

A value that is not finite, or lacks any entry, is 0: events of that true energy are not expected. Whether that
matters is a question of how many would have been, which is estimated for a spectrum that falls as the energy squared,
from the nearest energies that are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.events import Part, Rows
from xgamma.grid import Circle, Grid, RegionSpace, SkySpace
from xgamma.reduce.recipe import Recipe
from xgamma.reduce.response import offsets, responses

TOLERATED_LOSS = 0.01
"""The largest share of the expected counts whose loss is said and no more; beyond it a run is not used."""
NEGLIGIBLE_LOSS = 1e-4
REFERENCE_INDEX = 2.0


@dataclass(frozen=True)
class Loss:
    """What rows lose.

    Parameters
    ----------
    share
        Of the expected counts in the safe bins, shape (row,).
    roles
        Which responses are not known where counts are lost, for each row.
    bounds
        The lowest and the highest true energy that is lost, TeV, shape (row, 2); NaN where none is.
    """

    share: FloatArray
    roles: tuple[tuple[str, ...], ...]
    bounds: FloatArray

    @property
    def is_too_large(self) -> BoolArray:
        """Whether a row cannot be used, shape (row,)."""
        return self.share > TOLERATED_LOSS

    def sentences(self, rows: IntArray) -> dict[int, str]:
        """Return what is said of the rows that lose more than a trifle, by their numbers ``rows``."""
        return {
            int(
                rows[row]
            ): f"{' and '.join(self.roles[row])} not known at true energies of {low:.3g} to {high:.3g} TeV, "
            f"{100 * self.share[row]:.3g} % of the expected counts"
            for row, (low, high) in enumerate(self.bounds.tolist())
            if self.share[row] > NEGLIGIBLE_LOSS
        }


def loss(
    grid: Grid, area: FloatArray, edisp: FloatArray | None, safe: BoolArray | None, unknown: Mapping[str, BoolArray]
) -> Loss:
    """Return what the rows of a block lose.

    Parameters
    ----------
    grid
        The target.
    area
        Effective area times containment in m2, shape (row, cell, energy_true).
    edisp
        Shape (row, cell, energy_true, energy); ``None`` where there is none: all counts are used.
    safe
        The bins that are used, shape (row, cell, energy); ``None`` for all.
    unknown
        Where the response of each role is not known, shape (row, cell, energy_true).
    """
    axis = grid.energy_true
    nowhere = np.zeros(area.shape, dtype=bool)
    no_area: BoolArray = np.any([nowhere, *(where for role, where in unknown.items() if role != "edisp")], axis=0)
    lost = no_area | unknown.get("edisp", nowhere)
    expected = _filled(area, no_area) * axis.center**-REFERENCE_INDEX * axis.width
    if edisp is not None and safe is not None:
        expected *= _seen(grid, edisp, safe, unknown.get("edisp", nowhere))
    total = expected.sum(axis=(1, 2))
    share = np.divide((expected * lost).sum(axis=(1, 2)), total, out=np.zeros_like(total), where=total > 0)
    blank: BoolArray = np.all(no_area, axis=(1, 2))
    matters = lost & ((expected > 0) | blank[:, None, None])
    roles = [
        tuple(role for role, where in unknown.items() if (where[row] & matters[row]).any()) for row in range(len(area))
    ]
    return Loss(np.where(blank, 1.0, share), tuple(roles), _bounds(axis, np.any(matters, axis=1)))


def _seen(grid: Grid, edisp: FloatArray, safe: BoolArray, unknown: BoolArray) -> FloatArray:
    """Return the share of each true energy in the safe bins, shape of ``unknown``; in its own bin where not known."""
    own = grid.energy.index(grid.energy_true.center)
    as_true = np.where(own >= 0, safe[:, :, own], False)
    return np.where(unknown, as_true, np.einsum("rcte,rce->rct", edisp, safe.astype(float)))


def _filled(area: FloatArray, unknown: BoolArray) -> FloatArray:
    """Return the area with that of the nearest known true energy where it is not known, 0 where none is."""
    if not unknown.any():
        return area
    number = np.arange(area.shape[-1])
    below = np.maximum.accumulate(np.where(unknown, -1, number), axis=-1)
    above = np.minimum.accumulate(np.where(unknown, len(number), number)[..., ::-1], axis=-1)[..., ::-1]
    is_nearer = (below < 0) | ((above < len(number)) & (above - number < number - below))
    nearest = np.clip(np.where(is_nearer, above, below), 0, len(number) - 1)
    return np.where(unknown.all(axis=-1, keepdims=True), 0.0, np.take_along_axis(area, nearest, axis=-1))


def _bounds(axis: Axis, lost: BoolArray) -> FloatArray:
    low, high = np.argmax(lost, axis=1), lost.shape[1] - 1 - np.argmax(lost[:, ::-1], axis=1)
    bounds = np.stack([axis.edges[low], axis.edges[high + 1]], axis=1)
    return np.where(np.any(lost, axis=1, keepdims=True), bounds, np.nan)


# Also with noisy responses of narrow resolution within 0.1 % of what eight times as many bins give.
BINS_PER_DECADE = 120
INDEX = 2.0
WORTH_SAYING = 0.01
ROWS = 1
SHOWN = 4
# The radius of a region in the middle of a map, deg: nothing depends on it.
_SMALL = 0.1


def count_changes(part: Part, rows: Rows, grid: Grid, containment: bool) -> FloatArray:
    """Return by how much the axis of true energy changes the predicted counts of a power law of index ``INDEX``.

    Parameters
    ----------
    part, rows
        The runs.
    grid
        The axes and regions of the reduction.
    containment
        Whether the exposure is corrected for the part of the point spread function outside the region.

    Returns
    -------
    numpy.ndarray
        -0.19 where 19 % are missing, shape (row, region, energy); NaN where nothing is predicted.
    """
    wide = Grid(grid.energy, wide_axis(part, rows), grid.space)
    full, own = (_predicted(part, rows, given, containment) for given in (wide, grid))
    return np.asarray(np.divide(own, full, out=np.full(own.shape, np.nan), where=full > 0) - 1)


def wide_axis(part: Part, rows: Rows) -> Axis:
    """Return the energies that the effective areas of some rows cover, in fine bins."""
    numbers = np.unique(part.column("aeff_table", rows.obs))
    axes = [Axis.from_coords(part.table_of(int(number)).coords, "energy_true") for number in numbers if number >= 0]
    low, high = min(axis.edges[0] for axis in axes), max(axis.edges[-1] for axis in axes)
    return Axis.from_bounds("energy_true", low, high, int(np.ceil(np.log10(high / low) * BINS_PER_DECADE)))


def _predicted(part: Part, rows: Rows, grid: Grid, containment: bool) -> FloatArray:
    """Return counts up to a factor, shape (row, region, energy)."""
    found = responses(part, rows, grid, offsets(part, rows, grid), containment)
    edges = grid.energy_true.edges
    flux = edges[:-1] ** (1 - INDEX) - edges[1:] ** (1 - INDEX)
    kernel = np.zeros((*found.effective_area.shape, grid.energy.nbin)) if found.edisp is None else found.edisp
    return np.asarray(((found.corrected_area * flux)[..., np.newaxis, :] @ kernel)[..., 0, :])


def rows_remark(part: Part, rows: Rows, recipe: Recipe, used: BoolArray) -> str:
    """Return what is to be said of rows that are reduced, of true energies and of point-like responses in maps."""
    grid = recipe.grid
    said = []
    if grid.is_region or "edisp" in recipe.maps:
        said.append(true_energy_remark(part, rows, grid, recipe.containment, used))
    if not grid.is_region and part.column("point_like", rows.obs).any():
        said.append(_POINT_LIKE)
    return " ".join(filter(None, said))


_POINT_LIKE = (
    "datasets.type: there are runs with point-like responses, whose exposure counts events within RAD_MAX of a source "
    "alone; fluxes of maps are right in a circle of that radius only, excess_map.correlation_radius."
)


def true_energy_remark(part: Part, rows: Rows, grid: Grid, containment: bool, used: BoolArray) -> str:
    """Return a sentence where the axis of true energy costs more than ``WORTH_SAYING`` of the counts of a bin.

    Of maps the middle of the image is looked at.

    Parameters
    ----------
    part, rows
        Rows that can be used; some of them are looked at.
    grid, containment
        As in ``count_changes``.
    used
        The bins that are safe, bool (energy,).

    Returns
    -------
    str
        Empty where there is nothing to say.
    """
    if isinstance(grid.space, SkySpace):
        grid = replace(grid, space=RegionSpace((Circle(grid.space.lon, grid.space.lat, _SMALL, grid.space.frame),)))
    chosen = rows[:: max(1, -(-len(rows) // ROWS))]
    changes = count_changes(part, chosen, grid, containment)
    worst = np.where(used, _largest(changes.reshape(-1, grid.energy.nbin)), 0.0)
    bins = np.flatnonzero(np.abs(worst) > WORTH_SAYING)
    if not len(bins):
        return ""
    edges, largest = grid.energy.edges, sorted(bins, key=lambda number: -abs(worst[number]))[:SHOWN]
    shown = ", ".join(f"{100 * worst[n]:+.1f} % at {edges[n]:.3g}-{edges[n + 1]:.3g} TeV" for n in sorted(largest))
    axis = grid.energy_true
    return (
        f"datasets.geom.axes.energy_true: {axis.nbin} bins from {axis.edges[0]:.4g} to {axis.edges[-1]:.4g} TeV change "
        f"the predicted counts of {len(bins)} of {grid.energy.nbin} energy bins by more than "
        f"{100 * WORTH_SAYING:.0f} %: {shown} (estimated for a power law of index {INDEX:g} from the responses of run "
        f"{chosen.names[0]}). A wider range, or more nbins, of energy_true makes it right."
    )


def _largest(changes: FloatArray) -> FloatArray:
    """Return the change of the largest size of each bin over all rows; 0 where none is known."""
    known = np.nan_to_num(changes)
    return np.asarray(known[np.argmax(np.abs(known), axis=0), np.arange(known.shape[1])])
