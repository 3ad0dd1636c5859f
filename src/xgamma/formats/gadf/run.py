"""GADF files in: the HDUs of one run as plain arrays.

Source: Data formats for gamma-ray astronomy 0.2 and 0.3 (gamma-astro-data-formats.readthedocs.io).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from xgamma.axes import FloatArray
from xgamma.dialects import card_number
from xgamma.errors import InputError, MissingHduError
from xgamma.formats.fits.tables import FitsTable, as_input_error
from xgamma.formats.gadf.classes import REQUIRED_ROLES, RunEntry, class_of
from xgamma.formats.gadf.doubts import doubts_about_responses
from xgamma.formats.gadf.event_list import ENERGIES, doubts_about_events, event_list, in_unit
from xgamma.formats.gadf.good_time import (
    GTI_TOPIC,
    GoodTime,
    dead_time_correction,
    doubts_about_epoch,
    doubts_about_ontime,
    good_time,
)
from xgamma.formats.gadf.hdus import FoundHdus, ReadFile, read_hdus, reason_of
from xgamma.formats.gadf.index_tables import obs_id_of
from xgamma.formats.gadf.keywords import with_keywords
from xgamma.formats.gadf.responses import Response, response
from xgamma.geometry import separation
from xgamma.outcome import Note
from xgamma.times import mjdref_from_header

# In degrees; an index rounds to 1e-5.
SAME_POINTING = 0.01
# Of an effective area: energies are reconstructed a little beyond its ends.
ROOM = 3.0


@dataclass(frozen=True)
class Run:
    """All of one run that the algorithms need. Times are seconds since ``mjdref`` (MJD, TT).

    ``gti`` is sorted and has each second once, and with ``gti_slack`` is a ``good_time.GoodTime``. ``event_outside``
    is the number of events in no good time, ``deadc`` the live share of it.
    """

    entry: RunEntry
    mjdref: float
    header: Mapping[str, Any]
    events: Mapping[str, npt.NDArray[Any]]
    gti: FloatArray
    gti_slack: float
    event_outside: int
    deadc: float
    responses: Mapping[str, Response]
    files: Mapping[str, ReadFile]
    event_units: Mapping[str, str]
    notes: tuple[Note, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)

    @property
    def file_digests(self) -> dict[str, str]:
        """The digest of each file by path, or what stands for it where the file was not read."""
        return {**self.unread, **{path: file.digest for path, file in self.files.items()}}


def read_run(entry: RunEntry) -> Run:
    """Read the events, good time and responses of one run.

    A response that cannot be read is passed over with a note: what needs it says so.

    Raises
    ------
    MissingInputError
        When the file of the events or of the good time is not there, or the index names none.
    InputError
        When they may not be read, are damaged, or lack an HDU or a column; and when a file of the effective area or the
        energy dispersion is there and could not be asked for, as that may pass.
    """
    with as_input_error(f"Run {entry.obs_id}"):
        return _run(entry)


def _run(entry: RunEntry) -> Run:
    for role in REQUIRED_ROLES:
        if role not in entry.hdus:
            raise MissingHduError(f"Run {entry.obs_id} has no {role} HDU in the index.")
    hdus = read_hdus(entry)
    for role in REQUIRED_ROLES:
        if role in hdus.lost:
            raise hdus.lost[role]
    table = hdus.tables["events"]
    header, events = table.header, event_list(table)
    mjdref = mjdref_from_header(header)
    deadc, doubts = dead_time_correction(header)
    good = _good_time(hdus.tables["gti"], header)
    outside = good.outside(events["time"])
    responses, notes = _responses(entry, hdus)
    pointing = _with_pointing(header, entry)
    units = {name.lower(): unit for name, unit in table.columns.items()}
    return Run(
        entry,
        mjdref,
        pointing,
        events,
        good.rows,
        good.slack,
        outside,
        deadc,
        responses,
        hdus.files,
        units,
        (
            *entry.notes,
            *notes,
            *_doubts_about_index(pointing, entry),
            *doubts_about_events(table, events, _seen(responses)),
            *doubts,
            *_doubts_about_time(header, good, outside, len(events["time"])),
        ),
        hdus.unread,
    )


def _doubts_about_time(header: Mapping[str, Any], good: GoodTime, outside: int, count: int) -> tuple[Note, ...]:
    lost = Note(GTI_TOPIC, f"{outside} of {count} events lie in no good time, and do not count.")
    doubts = (*doubts_about_epoch(header), *good.notes, *doubts_about_ontime(header, good.ontime))
    return (*doubts, lost) if outside else doubts


def _responses(entry: RunEntry, hdus: FoundHdus) -> tuple[dict[str, Response], list[Note]]:
    """Return the responses by role, what is doubtful in them, and for each that cannot be read a note that says why."""
    found: dict[str, Response] = {}
    lost = dict(hdus.lost)
    for role, table in hdus.tables.items():
        if role in REQUIRED_ROLES:
            continue
        try:
            found[role] = response(entry.hdus[role].kind or class_of(table), table)
        except Exception as error:
            lost[role] = error
    responses, notes = with_keywords(found)
    passed_over = [Note(role, reason_of(error, role)) for role, error in lost.items()]
    return responses, [*passed_over, *notes, *doubts_about_responses(responses)]


def _with_pointing(header: Mapping[str, Any], entry: RunEntry) -> dict[str, Any]:
    """Return the header with a pointing: its own, else that of the index; raises ``InputError`` without any."""
    own = {key: card_number(header, key) for key in ("RA_PNT", "DEC_PNT")}
    index = {"RA_PNT": entry.ra, "DEC_PNT": entry.dec}
    pointing = {key: index[key] if value is None else value for key, value in own.items()}
    if not all(np.isfinite(value) for value in pointing.values()):
        raise InputError(
            f"Run {entry.obs_id} has no pointing: neither its header nor the index has RA_PNT and DEC_PNT."
        )
    if abs(pointing["DEC_PNT"]) > 90:
        raise InputError(f"Run {entry.obs_id} has DEC_PNT = {pointing['DEC_PNT']!r}; expected degrees from -90 to 90.")
    return {**header, **pointing}


def _doubts_about_index(header: Mapping[str, Any], entry: RunEntry) -> tuple[Note, ...]:
    """Return notes where the header says another run, or another pointing, than the index."""
    notes = []
    number, _ = obs_id_of(header.get("OBS_ID"))
    # An id that is a text in the index has a number of its own, which no header says.
    is_comparable = number is not None and not any(note.topic == "OBS_ID" for note in entry.notes)
    if is_comparable and number != entry.obs_id:
        notes.append(Note("OBS_ID", f"The header has OBS_ID = {header['OBS_ID']!r}; that of the index is used."))
    away = float(separation(header["RA_PNT"], header["DEC_PNT"], entry.ra, entry.dec))
    if away > SAME_POINTING:
        text = f"The header points {away:.4g} deg away from where the index does; the header is used."
        notes.append(Note("POINTING", text))
    return tuple(notes)


def _seen(responses: Mapping[str, Response]) -> tuple[float, float]:
    """Return the energies, TeV, that events of a run can have: those of its effective area, with room to spare."""
    if "aeff" not in responses:
        return ENERGIES
    edges = next(axis.edges for axis in responses["aeff"].axes if axis.name == "energy_true")
    return float(edges[0]) / ROOM, float(edges[-1]) * ROOM


def _good_time(table: FitsTable, events: Mapping[str, Any]) -> GoodTime:
    start, stop = (in_unit(table, name, "s") for name in ("START", "STOP"))
    return good_time(np.stack([start, stop], axis=1).astype(float), table.header, events)
