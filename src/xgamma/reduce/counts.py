"""Counts of a block: every event of every run to a cell, an energy bin and a fate."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xgamma.axes import Axis, BoolArray, FloatArray, IntArray
from xgamma.events import Events
from xgamma.geometry import in_boxes
from xgamma.grid import Cells
from xgamma.outcome import Fate

# Of so many events one is looked at first.
_SAMPLE = 64
# Events for each bin below which they are counted one by one.
_SPARSE = 0.1


class Members(NamedTuple):
    """Pairs of an event and a cell that it lies in: the event's row, its energy bin (-1 outside), the cell."""

    row: IntArray
    energy: IntArray
    cell: IntArray


def members(events: Events, cells: Cells, axis: Axis) -> Members:
    """Return the pairs of ``cells``; only events that lie in a cell are looked up on the energy axis."""
    return Members(events.row[cells.event], axis.index(events.energy[cells.event]), cells.cell)


def add_counts(counts: npt.NDArray[Any], found: Members) -> None:
    """Add (event, cell) pairs to ``counts``, shape (row, energy, cell); events outside the axis are left out."""
    inside = found.energy >= 0
    _, energies, cells = counts.shape
    flat = ((found.row * energies + found.energy) * cells + found.cell)[inside]
    if len(flat) < _SPARSE * counts.size:
        # Few events in many bins: they alone are touched.
        np.add.at(counts.reshape(-1), flat, counts.dtype.type(1))
    else:
        counts += np.bincount(flat, minlength=counts.size).reshape(counts.shape)


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
    for fate, chosen in ((Fate.INVALID, ~events.valid), (Fate.OUTSIDE_TIME, events.valid & ~events.in_time)):
        if chosen.any():
            ledger[:, :, fate] = np.bincount(events.row[chosen], minlength=rows)[:, None]
    for fate, found in inside:
        flat, outside = found.row * cells + found.cell, found.energy < 0
        every, beside = (np.bincount(each, minlength=rows * cells) for each in (flat, flat[outside]))
        ledger[:, :, fate] += (every - beside).reshape(rows, cells)
        ledger[:, :, Fate.OUTSIDE_ENERGY] += beside.reshape(rows, cells)
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
