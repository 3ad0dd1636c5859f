"""The event list of a run as plain columns in canonical units, and what is doubtful in it.

Source: GADF 0.3, events.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from xgamma.errors import InputError
from xgamma.formats.fits.tables import FitsTable
from xgamma.formats.gadf.layouts import EVENT_COLUMNS
from xgamma.outcome import Note
from xgamma.units import unit_factor

log = logging.getLogger(__name__)

# Between what the smallest and the largest of these instruments see of most events, TeV.
ENERGIES = (1e-4, 1e3)

# Of FK5 at J2000 coordinates are those of ICRS to 0.03 arcsec; J2000 is what careless writers call either.
FRAMES = ("", "ICRS", "FK5", "J2000")

Columns = Mapping[str, npt.NDArray[Any]]


def event_list(table: FitsTable) -> dict[str, npt.NDArray[Any]]:
    """Return the columns that hold single numbers, by name in small letters.

    Raises
    ------
    InputError
        When one of ``EVENT_COLUMNS`` is not among them, or has a unit of another dimension.
    """
    for name in EVENT_COLUMNS:
        if name not in table.columns:
            raise InputError(f"The EVENTS HDU has no column {name}; it has {', '.join(table.columns)}.")
    columns = {name.lower(): in_unit(table, name, EVENT_COLUMNS.get(name)) for name in table.readable}
    kept = {name: values for name, values in columns.items() if values.dtype.kind != "U" and values.ndim == 1}
    lost = [name for name in table.columns if name.lower() not in kept]
    needed = [name for name in EVENT_COLUMNS if name in lost]
    if needed:
        raise InputError(
            f"Columns of the EVENTS HDU hold no single numbers: {', '.join(needed)}. Write or fetch it again."
        )
    if lost:
        log.info("Columns of the event list that hold no single numbers are not kept: %s.", ", ".join(lost))
    return kept


def in_unit(table: FitsTable, name: str, unit: str | None) -> npt.NDArray[Any]:
    """Return a column in a canonical unit; one without a unit is taken to have it, a time that of TIMEUNIT."""
    of_times = str(table.header.get("TIMEUNIT", "")).strip() if unit == "s" else ""
    values, given = table.column(name), table.columns[name] or of_times
    if unit is None or given in ("", unit):
        return values
    factor = unit_factor(given, unit, f"HDU {table.name!r}: the column {name}")
    return np.asarray(values * factor)


def doubts_about_events(table: FitsTable, events: Columns, seen: tuple[float, float] = ENERGIES) -> tuple[Note, ...]:
    """Return notes on columns without a unit, energies that are none, and rows that are lost or there twice.

    Parameters
    ----------
    table, events
        The HDU and its columns.
    seen
        The energies that the instrument sees, TeV.
    """
    notes = []
    bare = [name for name in ("RA", "DEC", "ENERGY") if not table.columns[name]]
    if bare:
        units = ", ".join(f"{EVENT_COLUMNS[name]} ({name})" for name in bare)
        notes.append(Note("EVENTS", f"Columns without a unit are taken to be in {units}."))
    frame = str(table.header.get("RADECSYS") or table.header.get("RADESYS") or "").strip()
    if frame.upper() not in FRAMES:
        notes.append(Note("RADECSYS", f"The header has RADECSYS = {frame!r}; RA and DEC are taken to be ICRS."))
    energies = events["energy"]
    odd = int(np.count_nonzero((energies > seen[1]) | ((energies > 0) & (energies < seen[0]))))
    if 2 * odd > len(energies):
        span = f"{seen[0]:.3g} to {seen[1]:.3g} TeV"
        notes.append(Note("ENERGY", f"{odd} of {len(energies)} energies lie outside of {span}; is their unit right?"))
    if table.has_more:
        notes.append(Note("EVENTS", f"Something stands behind the {len(table.rows)} rows of NAXIS2; are these all?"))
    again = _repeated(events)
    if again:
        notes.append(
            Note("EVENTS", f"{again} of {len(energies)} events stand there more than once, and count each time.")
        )
    return tuple(notes)


def _repeated(events: Columns) -> int:
    """Return how many events are others once more; a list in the order of its times has none."""
    times = events["time"]
    if (np.diff(times) > 0).all():
        return 0
    order = np.lexsort([events[name] for name in ("dec", "ra", "energy", "time")])
    same = np.all([np.diff(events[name][order]) == 0 for name in ("time", "energy", "ra", "dec")], axis=0)
    return int(np.count_nonzero(same))
