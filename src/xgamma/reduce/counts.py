"""Counts of a block: every event of every run to a cell, an energy bin and a fate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.events import Events
from xgamma.geometry import in_boxes
from xgamma.grid import Cells
from xgamma.outcome import Fate

# Of so many events one is looked at first.
_SAMPLE = 64


class Members(NamedTuple):
    """Pairs of an event and a cell that it lies in: the event's row, its energy bin (-1 outside), the cell."""

    row: IntArray
    energy: IntArray
    cell: IntArray


def members(events: Events, cells: Cells, axis: Axis) -> Members:
    """Return the pairs of ``cells``; only events that lie in a cell are looked up on the energy axis."""
    return Members(events.row[cells.event], axis.index(events.energy[cells.event]), cells.cell)


def binned(found: Members, shape: tuple[int, int, int]) -> FloatArray:
    """Return the counts of (event, cell) pairs, shape (row, energy, cell); events outside the axis are left out."""
    inside = found.energy >= 0
    flat = np.ravel_multi_index((found.row[inside], found.energy[inside], found.cell[inside]), shape)
    return np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape).astype(float)


def usable(events: Events) -> Events:
    """Return the events that may be counted: valid and inside the selected interval."""
    keep = events.valid & events.in_time
    return events if keep.all() else events.select(keep)


def fates(events: Events, rows: int, inside: list[tuple[Fate, Members]], cells: int) -> IntArray:
    """Return the ledger of a piece, shape (row, cell, fate); the fates of a cell add up to all ``events``.

    Parameters
    ----------
    events
        All events read.
    rows
        The number of rows of the block.
    inside
        For the on- and off-regions: the fate, and which of the usable events lie in which cell.
    cells
        The number of cells.
    """
    ledger = np.zeros((rows, cells, len(Fate)), dtype=np.int64)
    ledger[:, :, Fate.INVALID] = np.bincount(events.row[~events.valid], minlength=rows)[:, None]
    ledger[:, :, Fate.OUTSIDE_TIME] = np.bincount(events.row[events.valid & ~events.in_time], minlength=rows)[:, None]
    for fate, found in inside:
        in_axis = found.energy >= 0
        for chosen, name in ((in_axis, fate), (~in_axis, Fate.OUTSIDE_ENERGY)):
            flat = found.row[chosen] * cells + found.cell[chosen]
            ledger[:, :, name] += np.bincount(flat, minlength=rows * cells).reshape(rows, cells)
    read = np.bincount(events.row, minlength=rows)
    ledger[:, :, Fate.OUTSIDE_REGIONS] = read[:, None] - ledger.sum(axis=2)
    return ledger


def rows_in_view(events: Events, lon: FloatArray, lat: FloatArray, radius: float) -> BoolArray:
    """Return which rows have an event within ``radius`` of their pointing, all in degrees, shape (row,).

    A few events answer for most rows; only where they do not, all are looked at.
    """
    seen, wanted = np.zeros(len(lon), dtype=bool), np.bincount(events.row, minlength=len(lon)) > 0
    for step in (_SAMPLE, 1):
        if not seen[wanted].all():
            row = events.row[::step]
            near = in_boxes(events.lon[::step], events.lat[::step], row, lon, lat, np.full(len(lon), radius))
            seen[row[near]] = True
    return seen
