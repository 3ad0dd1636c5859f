"""What is lost of predicted counts where the axis of true energy ends too early or is too coarse.

Events of energies beyond the axis migrate into its range and are not predicted, and a response that changes inside of a
bin is looked up at its centre. How much that takes is estimated from the responses themselves, on an axis as wide as
they are and with many more bins.
"""

from __future__ import annotations

import numpy as np

from xgamma.axes import Axis, BoolArray, FloatArray
from xgamma.events import Part, Rows
from xgamma.grid import Grid
from xgamma.reduce.response import offsets, responses

# Also with noisy responses of narrow resolution within 0.1 % of what eight times as many bins give.
BINS_PER_DECADE = 120
INDEX = 2.0
WORTH_SAYING = 0.01
ROWS = 1
SHOWN = 4


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


def true_energy_remark(part: Part, rows: Rows, grid: Grid, containment: bool, used: BoolArray) -> str:
    """Return a sentence where the axis of true energy costs more than ``WORTH_SAYING`` of the counts of a bin.

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
