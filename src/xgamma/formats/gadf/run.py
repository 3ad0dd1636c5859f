"""The HDUs of one run as plain arrays; an HDU that is damaged costs what it holds, and no more.

Source: Data formats for gamma-ray astronomy 0.2 and 0.3 (gamma-astro-data-formats.readthedocs.io).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from xgamma.axes import FloatArray
from xgamma.dialects import card_number
from xgamma.errors import InputError, MissingHduError, MissingInputError, sentence_of
from xgamma.formats.fits.tables import FitsTable, as_input_error, tables_of, validate_datasum
from xgamma.formats.gadf.events import (
    ENERGIES,
    GTI_TOPIC,
    GoodTime,
    dead_time_correction,
    event_list,
    good_time,
    in_unit,
    notes_on_epoch,
    notes_on_events,
    notes_on_ontime,
)
from xgamma.formats.gadf.files import ABSENT, UNREAD, File, read_files
from xgamma.formats.gadf.index_tables import REQUIRED_ROLES, HduLocation, RunEntry, class_of, named_or_first, obs_id_of
from xgamma.formats.gadf.response_checks import notes_on_responses, with_keywords
from xgamma.formats.gadf.responses import Response, response
from xgamma.geometry import separation
from xgamma.outcome import Note
from xgamma.storage.backend import FileStatus
from xgamma.times import mjdref_from_header

# Without these no analysis goes on: where their file could not be asked for, the run is tried again.
NEEDED_ROLES = (*REQUIRED_ROLES, "aeff", "edisp")
# What stands in the identity of a run for the digest of a file: of one that is not there, or that nobody could read.
# In degrees; an index rounds to 1e-5.
SAME_POINTING = 0.01
# Of an effective area: energies are reconstructed a little beyond its ends.
ROOM = 3.0


@dataclass(frozen=True)
class ReadFile:
    """A file as it was when its reading began, see ``FileStatus``, and the SHA-256 of what was read."""

    size: int
    version: int | str
    digest: str


@dataclass(frozen=True)
class FoundHdus:
    """What was found of a run.

    Parameters
    ----------
    tables
        The HDUs by role.
    lost
        Why there is no HDU, by role.
    files
        The files that were read, by path or url.
    unread
        ``ABSENT`` or ``UNREAD`` of those that were not.
    """

    tables: Mapping[str, FitsTable]
    lost: Mapping[str, Exception]
    files: Mapping[str, ReadFile]
    unread: Mapping[str, str]


def read_hdus(entry: RunEntry) -> FoundHdus:
    """Read the HDUs of a run.

    Raises
    ------
    InputError
        When a file of ``NEEDED_ROLES`` is there and could not be read, which may pass: nothing of it is kept.
    """
    found = read_files(at.path for at in entry.hdus.values() if not at.refusal)
    for role, at in entry.hdus.items():
        error = found.get(at.path)
        if isinstance(error, InputError) and not isinstance(error, MissingInputError) and role in NEEDED_ROLES:
            raise error
    contents = {path: _tables(path, content) for path, content in found.items()}
    tables: dict[str, FitsTable] = {}
    lost: dict[str, Exception] = {}
    for role, at in entry.hdus.items():
        try:
            tables[role] = _table(at, contents)
        except Exception as error:  # it costs this HDU; whoever needs it raises it
            lost[role] = error
    return FoundHdus(tables, lost, _read_files(found), _unread(entry, found))


def _tables(path: File, content: tuple[FileStatus, bytes] | InputError) -> Sequence[FitsTable] | Exception:
    if isinstance(content, InputError):
        return content
    try:
        return tables_of(content[1], path)
    except Exception as error:  # it costs the HDUs of this file; whoever needs one raises it
        return error


def _table(at: HduLocation, contents: Mapping[File, Sequence[FitsTable] | Exception]) -> FitsTable:
    if at.refusal:
        raise InputError(at.refusal)
    tables = contents[at.path]
    if isinstance(tables, Exception):
        raise tables
    table = named_or_first(tables, at)
    validate_datasum(table, at.path)
    return table


def _read_files(found: Mapping[File, tuple[FileStatus, bytes] | InputError]) -> dict[str, ReadFile]:
    return {
        str(path): ReadFile(content[0].size, content[0].version, hashlib.sha256(content[1]).hexdigest())
        for path, content in found.items()
        if not isinstance(content, InputError)
    }


def _unread(entry: RunEntry, found: Mapping[File, tuple[FileStatus, bytes] | InputError]) -> dict[str, str]:
    """Return why each file has no digest; one that the index refuses was not asked for."""
    unread = {str(at.path): UNREAD for at in entry.hdus.values() if at.path not in found}
    for path, content in found.items():
        if isinstance(content, InputError):
            unread[str(path)] = ABSENT if isinstance(content, MissingInputError) else UNREAD
    return unread


def reason_of(error: Exception, role: str) -> str:
    """Return why a run has no HDU of a role, as a sentence."""
    return sentence_of(error, f"Its {role} cannot be read")


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
            *_notes_on_index(pointing, entry),
            *notes_on_events(table, events, _seen(responses)),
            *doubts,
            *_notes_on_time(header, good, outside, len(events["time"])),
        ),
        hdus.unread,
    )


def _notes_on_time(header: Mapping[str, Any], good: GoodTime, outside: int, count: int) -> tuple[Note, ...]:
    lost = Note(GTI_TOPIC, f"{outside} of {count} events lie in no good time, and do not count.")
    doubts = (*notes_on_epoch(header), *good.notes, *notes_on_ontime(header, good.ontime))
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
        except Exception as error:  # whether the run needs it is decided when it is reduced
            lost[role] = error
    responses, notes = with_keywords(found)
    passed_over = [Note(role, reason_of(error, role)) for role, error in lost.items()]
    return responses, [*passed_over, *notes, *notes_on_responses(responses)]


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


def _notes_on_index(header: Mapping[str, Any], entry: RunEntry) -> tuple[Note, ...]:
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
