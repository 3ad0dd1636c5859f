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
from xgamma.formats.fits_tables import FitsTable
from xgamma.outcome import Note
from xgamma.units import unit_factor

log = logging.getLogger(__name__)

EVENT_COLUMNS = {"RA": "deg", "DEC": "deg", "ENERGY": "TeV", "TIME": "s"}
# Between what the smallest and the largest of these instruments can see, TeV, with room to spare.
ENERGIES = (1e-5, 1e5)

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


def doubts_about_events(table: FitsTable, events: Columns) -> tuple[Note, ...]:
    """Return notes on columns without a unit, on energies that no instrument of this kind sees, and on lost rows."""
    bare = [name for name in ("RA", "DEC", "ENERGY") if not table.columns[name]]
    notes = [Note("EVENTS", f"Columns without a unit are taken to be in {_units(bare)}.")] if bare else []
    energies = events["energy"]
    odd = int(np.count_nonzero((energies > ENERGIES[1]) | ((energies > 0) & (energies < ENERGIES[0]))))
    if 2 * odd > len(energies):
        seen = f"{ENERGIES[0]:g} to {ENERGIES[1]:g} TeV"
        notes.append(Note("ENERGY", f"{odd} of {len(energies)} energies lie outside of {seen}; is their unit right?"))
    if table.has_more:
        notes.append(Note("EVENTS", f"Something stands behind the {len(table.rows)} rows of NAXIS2; are these all?"))
    return tuple(notes)


def _units(names: list[str]) -> str:
    return ", ".join(f"{EVENT_COLUMNS[name]} ({name})" for name in names)
