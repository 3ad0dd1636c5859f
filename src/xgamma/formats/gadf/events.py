"""The event list of a run as plain columns in canonical units, good time and dead time, and what is doubtful in them.

Good time is sorted and has each second once, in seconds since the epoch of the events.

Source: Data formats for gamma-ray astronomy 0.3, "Events" and "GTI".
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xgamma.axes import FloatArray
from xgamma.dialects import as_number, card_number
from xgamma.errors import InputError
from xgamma.formats.fits.tables import FitsTable
from xgamma.formats.gadf.layouts import EVENT_COLUMNS
from xgamma.outcome import Note
from xgamma.times import SECONDS_PER_DAY, disjoint_gti, inside_gti, mjdref_from_header, overlap, stop_slack, with_slack
from xgamma.units import unit_factor

log = logging.getLogger(__name__)

# Between what the smallest and the largest of these instruments see of most events, TeV.
ENERGIES = (1e-4, 1e3)

# Of FK5 at J2000 coordinates are those of ICRS to 0.03 arcsec; J2000 is what careless writers call either.
FRAMES = ("", "ICRS", "FK5", "J2000")

Columns = Mapping[str, npt.NDArray[Any]]
GTI_TOPIC = "GTI"
# Rows that meet in one second overlap by what their floats leave over.
SMALLEST_OVERLAP = 1e-3
UNIX_EPOCH = 40587.0
_EPOCH = ("MJDREFI", "MJDREFF", "MJDREF")
DEADC_TOPIC = "DEADC"
# Relative; what real writers round stays below it.
TOLERANCE = 1e-3


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


def notes_on_events(table: FitsTable, events: Columns, seen: tuple[float, float] = ENERGIES) -> tuple[Note, ...]:
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


@dataclass(frozen=True)
class GoodTime:
    """When a run took data.

    Parameters
    ----------
    rows
        Start and stop in seconds since the epoch of the events, sorted, each second once, shape (n, 2).
    slack
        How long the last stop holds beyond what is written, in s, see ``times.stop_slack``.
    notes
        What was mended.
    """

    rows: FloatArray
    slack: float
    notes: tuple[Note, ...]

    @property
    def ontime(self) -> float:
        """The sum of the good times in s."""
        return float((self.rows[:, 1] - self.rows[:, 0]).sum())

    def outside(self, times: FloatArray) -> int:
        """Return how many of some times lie in no good time, its slack counted as good; those that are NaN do."""
        return int((~inside_gti(times, with_slack(self.rows, self.slack))).sum())


def good_time(rows: FloatArray, header: Mapping[str, Any], events: Mapping[str, Any]) -> GoodTime:
    """Return the good time of a run.

    Parameters
    ----------
    rows
        START and STOP in seconds, shape (n, 2).
    header, events
        The headers of the GTI and of the events; an epoch or scale that the GTI leaves out is that of the events.

    Raises
    ------
    InputError
        When a row is not finite, no date, or stops before it starts, or a header has no epoch that can be read.
    """
    _validate(rows)
    shift = (_epoch_of_gti(header, events) - mjdref_from_header(events)) * SECONDS_PER_DAY
    repeated = overlap(rows)
    note = Note(GTI_TOPIC, f"Good times overlap: {repeated:.6g} s stand in more than one row of GTI, and count once.")
    notes = (note,) if repeated > SMALLEST_OVERLAP else ()
    return GoodTime(disjoint_gti(rows) + shift, stop_slack(rows), notes)


FARTHEST = 1e12
"""Seconds that no good time is away from its epoch, which may be day 0 of Julius Scaliger."""


def _validate(rows: FloatArray) -> None:
    for wrong, what in (
        (~np.isfinite(rows).all(axis=1), "is not finite"),
        (rows[:, 1] < rows[:, 0], "stops before it starts"),
        (np.abs(rows).max(axis=1) > FARTHEST, "lies farther from its epoch than any date"),
    ):
        if wrong.any():
            number = int(np.argmax(wrong))
            start, stop = rows[number].tolist()
            raise InputError(
                f"Row {number} of GTI {what}: START is {start!r} s, STOP is {stop!r} s. Correct or leave out the file."
            )


def _epoch_of_gti(header: Mapping[str, Any], events: Mapping[str, Any]) -> float:
    epoch = header if any(card_number(header, name) is not None for name in ("MJDREFI", "MJDREF")) else events
    scale = header if "TIMESYS" in header else events
    own = {name: epoch[name] for name in _EPOCH if name in epoch}
    return mjdref_from_header(own | {name: scale[name] for name in ("TIMESYS",) if name in scale})


def notes_on_epoch(header: Mapping[str, Any]) -> tuple[Note, ...]:
    """Return a note where no time scale is written, or times look like Unix time, which leaves out leap seconds."""
    if "TIMESYS" not in header:
        return (Note("TIMESYS", "The header has no TIMESYS; its seconds are taken for those of TT."),)
    is_unix = UNIX_EPOCH in (card_number(header, "MJDREFI"), card_number(header, "MJDREF"))
    if not is_unix or str(header["TIMESYS"]).strip().upper() != "UTC":
        return ()
    text = (
        "Times are seconds since 1970 in UTC with leap seconds, as FITS asks. Where the writer meant Unix time, which "
        "leaves them out, all times of the run are early by their number since then, 29 s from 2017 on."
    )
    return (Note("TIMESYS", text),)


def dead_time_correction(header: Mapping[str, Any]) -> tuple[float, tuple[Note, ...]]:
    """Return the live share of the good time, above 0 and up to 1, and notes on what contradicts it.

    DEADC counts where LIVETIME / ONTIME is the same to ``TOLERANCE``. Where they differ, or DEADC is no such share,
    LIVETIME / ONTIME counts: writers have put dead shares and per cents into DEADC, two times leave no such choice.

    Parameters
    ----------
    header
        Of the events.

    Raises
    ------
    InputError
        When neither is a share.
    """
    said, ratio = as_number(header.get("DEADC")), _ratio(header)
    is_said, is_ratio = 0 < said <= 1, 0 < ratio <= 1 + TOLERANCE
    times = f"{_card(header, 'LIVETIME')} and {_card(header, 'ONTIME')}"
    if not is_said and not is_ratio:
        raise InputError(
            f"The header has {_card(header, 'DEADC')}, {times}; expected a DEADC above 0 and up to 1, or LIVETIME and "
            "ONTIME to take it from. Correct them, or leave out the file."
        )
    if is_said and is_ratio and abs(said - ratio) <= TOLERANCE:
        return said, ()
    if not is_ratio:
        doubt = Note(DEADC_TOPIC, f"The header has {times}, which cannot both be right; DEADC = {said:.6g} is used.")
        return said, (doubt,) if {"LIVETIME", "ONTIME"} <= set(header) else ()
    share = min(ratio, 1.0)
    return share, (
        Note(DEADC_TOPIC, f"The header has {_card(header, 'DEADC')}; LIVETIME / ONTIME = {share:.6g} is used."),
    )


def notes_on_ontime(header: Mapping[str, Any], ontime: float) -> tuple[Note, ...]:
    """Return a note where ONTIME is not the sum of the good time, which counts."""
    said = as_number(header.get("ONTIME"))
    if not said > 0 or abs(said - ontime) <= TOLERANCE * said:
        return ()
    return (Note("ONTIME", f"ONTIME = {said:.6g} s, and the good time adds up to {ontime:.6g} s, which is used."),)


def _ratio(header: Mapping[str, Any]) -> float:
    livetime, ontime = as_number(header.get("LIVETIME")), as_number(header.get("ONTIME"))
    return livetime / ontime if ontime > 0 else math.nan


def _card(header: Mapping[str, Any], keyword: str) -> str:
    value = header.get(keyword)
    return f"no {keyword}" if value is None else f"{keyword} = {value!r}"
