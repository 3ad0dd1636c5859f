"""Counts of a block: every event of every run to a cell, an energy bin and a fate."""

from __future__ import annotations

import numpy as np

from xgamma.axes import FloatArray, IntArray
from xgamma.events import Events
from xgamma.grid import Cells, Grid
from xgamma.outcome import Fate


def binned(events: Events, energy_bin: IntArray, cells: Cells, shape: tuple[int, int, int]) -> FloatArray:
    """Return the counts of (event, cell) pairs, shape (row, energy, cell); events outside the axis are left out."""
    energy = energy_bin[cells.event]
    inside = energy >= 0
    flat = np.ravel_multi_index((events.row[cells.event][inside], energy[inside], cells.cell[inside]), shape)
    return np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape).astype(float)


def usable(events: Events) -> Events:
    """Return the events that may be counted: valid and inside the selected interval."""
    keep = events.valid & events.in_time
    return events if keep.all() else events.select(keep)


def fates(events: Events, rows: int, inside: list[tuple[Fate, Events, IntArray, Cells]], cells: int) -> IntArray:
    """Return the ledger of a piece, shape (row, cell, fate); the fates of a cell add up to all ``events``.

    Parameters
    ----------
    events
        All events read.
    rows
        The number of rows of the block.
    inside
        For the on- and off-regions: the fate, the usable events, their energy bins, and which lie in which cell.
    cells
        The number of cells.
    """
    ledger = np.zeros((rows, cells, len(Fate)), dtype=np.int64)
    ledger[:, :, Fate.INVALID] = np.bincount(events.row[~events.valid], minlength=rows)[:, None]
    ledger[:, :, Fate.OUTSIDE_TIME] = np.bincount(events.row[events.valid & ~events.in_time], minlength=rows)[:, None]
    for fate, used, energy_bin, members in inside:
        in_axis = energy_bin[members.event] >= 0
        row = used.row[members.event]
        for chosen, name in ((in_axis, fate), (~in_axis, Fate.OUTSIDE_ENERGY)):
            flat = row[chosen] * cells + members.cell[chosen]
            ledger[:, :, name] += np.bincount(flat, minlength=rows * cells).reshape(rows, cells)
    read = np.bincount(events.row, minlength=rows)
    ledger[:, :, Fate.OUTSIDE_REGIONS] = read[:, None] - ledger.sum(axis=2)
    return ledger


def counted(events: Events, grid: Grid, rows: int) -> tuple[Events, IntArray, Cells, FloatArray]:
    """Return the usable events, their energy bins, their cells and the counts (row, energy, cell)."""
    used = usable(events)
    energy_bin = grid.energy.index(used.energy)
    cells = grid.space.cells(used.lon, used.lat)
    shape = (rows, grid.energy.nbin, int(np.prod(grid.space.shape)))
    return used, energy_bin, cells, binned(used, energy_bin, cells, shape)
