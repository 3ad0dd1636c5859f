"""What an index says: the role and class of each HDU of a run, the id and pointing of a run, and which table is which.

An index gives them as HDU_TYPE and HDU_CLASS. Where there is none, HDUCLAS1 to HDUCLAS4 of the HDU say it, and where a
writer left those out, its columns do.

Source: Data formats for gamma-ray astronomy 0.2 and 0.3, which give the tables columns and no names.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xgamma.errors import MissingHduError
from xgamma.events import RunFacts
from xgamma.formats.fits.tables import FitsTable, Header, table_named
from xgamma.formats.gadf.files import File, is_remote
from xgamma.formats.gadf.layouts import EVENT_COLUMNS, LAYOUTS, class_of_columns
from xgamma.outcome import Note

REQUIRED_ROLES = ("events", "gti")
ROLES = (*REQUIRED_ROLES, "aeff", "edisp", "psf", "bkg", "rad_max")
_KNOWN = frozenset({*REQUIRED_ROLES, *LAYOUTS})
log = logging.getLogger(__name__)

HDU_COLUMNS = ("OBS_ID", "HDU_TYPE", "FILE_NAME")
# An id made of a text is below this, so that no reader of integers stumbles.
_TEXT_IDS = 10**9
_LARGEST = 2.0**63
_DIGITS = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class HduLocation:
    """Where one HDU of a run lies.

    Parameters
    ----------
    role, kind
        What it is for; ``kind`` is the GADF HDU_CLASS that selects the reader, empty where the HDU says it itself.
    path
        Its file, on a disk or behind a url; the null device where that may not be read.
    name
        Its EXTNAME; empty is the first HDU of its role.
    refusal
        The sentence why it is not read, as its file may not be or nobody knows its class; empty where it is.
    """

    role: str
    kind: str
    path: File
    name: str
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One run as the index knows it; the pointing is the index row's, in ICRS degrees."""

    obs_id: int
    ra: float
    dec: float
    zenith: float
    target: str
    hdus: Mapping[str, HduLocation]
    notes: tuple[Note, ...] = ()

    @property
    def is_remote(self) -> bool:
        """Whether reading the run is waiting for a server, so that it is worth to read many runs at a time."""
        return any(is_remote(location.path) for location in self.hdus.values())

    @property
    def early_notes(self) -> tuple[Note, ...]:
        """What can be said of the run before it is read."""
        refused = [Note(role, at.refusal) for role, at in self.hdus.items() if at.refusal]
        return (*self.notes, *refused)

    @property
    def facts(self) -> RunFacts:
        """What a selection looks at."""
        return RunFacts(
            self.obs_id, self.ra, self.dec, frozenset(self.hdus), self.zenith, self.target, self.early_notes
        )


def is_known(kind: str) -> bool:
    """Whether HDUs of a class can be read."""
    return kind in _KNOWN


def role_of(kind: str) -> str:
    """Return the role of a class.

    >>> role_of("rad_max_2d"), role_of("psf_3gauss"), role_of("events")
    ('rad_max', 'psf', 'events')
    """
    return LAYOUTS[kind].role if kind in LAYOUTS else kind


def class_of(table: FitsTable) -> str:
    """Return the class of an HDU in lower case, by its header or its columns; empty where it is none that is known."""
    said = (str(table.header.get(key, "")).strip().lower() for key in ("HDUCLAS4", "HDUCLAS1"))
    by_header = next((kind for kind in said if is_known(kind)), "")
    by_columns = _class_of_columns(set(table.columns)) if table.is_binary else ""
    by_name = table.name.lower() if table.name in ("EVENTS", "GTI") else ""
    return by_header or by_name or by_columns


def _class_of_columns(columns: set[str]) -> str:
    if columns >= {"START", "STOP"}:
        return "gti"
    return "events" if columns >= set(EVENT_COLUMNS) else class_of_columns(columns)


def table_of_role(tables: Iterable[FitsTable], role: str) -> FitsTable | None:
    """Return the first HDU for a role."""
    return next((table for table in tables if role_of(class_of(table)) == role), None)


def hdus_of_tables(tables: Iterable[FitsTable], path: File) -> dict[str, HduLocation]:
    """Return the first HDU of each role among those of a file that have a name."""
    hdus: dict[str, HduLocation] = {}
    for table in tables:
        kind = class_of(table)
        if is_known(kind) and table.name:
            hdus.setdefault(role_of(kind), HduLocation(role_of(kind), kind, path, table.name))
    return hdus


def named_or_first(tables: Sequence[FitsTable], at: HduLocation) -> FitsTable:
    """Return the HDU of a location among those of its file; raises ``MissingHduError`` where it is not there."""
    if at.name:
        return table_named(list(tables), at.name, at.path)
    table = table_of_role(tables, at.role)
    if table is None:
        raise MissingHduError(f"{at.path} has no {at.role} HDU, and the index does not name one.")
    return table


@dataclass(frozen=True)
class ObsFacts:
    """What an observation index or the header of an event list says of a run; NaN and empty where it does not.

    Parameters
    ----------
    obs_id
        The number of the run.
    ra, dec, zenith
        Of the pointing, deg, ICRS.
    target
        What was pointed at.
    id_text
        The OBS_ID where it is a text that the number stands for.
    """

    obs_id: int
    ra: float
    dec: float
    zenith: float
    target: str
    id_text: str = ""


def entry_of(facts: ObsFacts, hdus: Mapping[str, HduLocation]) -> RunEntry:
    """Return the entry of a run."""
    text = f"OBS_ID is the text {facts.id_text!r}, which the number {facts.obs_id} stands for."
    notes = (Note("OBS_ID", text),) if facts.id_text else ()
    return RunEntry(facts.obs_id, facts.ra, facts.dec, facts.zenith, facts.target, hdus, notes)


def hdu_index_of(tables: Sequence[FitsTable], file: object) -> FitsTable:
    """Return the HDU index among the tables of a file: that of this name, else the first with its columns."""
    return _index_of(tables, "HDU_INDEX", HDU_COLUMNS, file)


def obs_index_of(tables: Sequence[FitsTable], file: object) -> FitsTable:
    """Return the observation index among the tables of a file: that of this name, else the first with its column."""
    others = [table for table in tables if not _has(table, HDU_COLUMNS)]
    return _index_of(others, "OBS_INDEX", ("OBS_ID",), file)


def obs_index_beside(tables: Sequence[FitsTable]) -> FitsTable | None:
    """Return the observation index of a file that holds both tables, ``None`` where it holds none."""
    others = [table for table in tables if not _has(table, HDU_COLUMNS) and _has(table, ("OBS_ID",))]
    return obs_index_of(others, "the index") if others else None


def _has(table: FitsTable, columns: Iterable[str]) -> bool:
    return table.is_binary and set(columns) <= set(table.columns)


def _index_of(tables: Sequence[FitsTable], name: str, columns: Sequence[str], file: object) -> FitsTable:
    fitting = [table for table in tables if _has(table, columns)]
    named = [table for table in fitting if table.name == name]
    if not fitting:
        held = "; ".join(
            f"{table.name or 'no name'}: {', '.join(table.columns)}" for table in tables if table.is_binary
        )
        raise MissingHduError(
            f"{file} has no table with the columns {', '.join(columns)}, as an index has; it has {held or 'none'}."
        )
    return (named or fitting)[0]


def facts_of_header(header: Header) -> ObsFacts | None:
    """Return what the header of an event list says of its run, ``None`` where it has no OBS_ID."""
    obs_id, text = obs_id_of(header.get("OBS_ID"))
    if obs_id is None:
        return None
    zenith = _number(header, "ZEN_PNT")
    zenith = 90.0 - _number(header, "ALT_PNT") if np.isnan(zenith) else zenith
    target = str(header.get("OBJECT") or "").strip()
    return ObsFacts(obs_id, _number(header, "RA_PNT"), _number(header, "DEC_PNT"), zenith, target, text)


def _number(header: Header, key: str) -> float:
    try:
        return float(header.get(key, np.nan))
    except (TypeError, ValueError):
        return np.nan


def obs_id_of(value: Any) -> tuple[int | None, str]:
    """Return the number of a run, and the text that it stands for where its id is no number; ``None`` without an id.

    Digits are their number, also as text. Any other text has a number of its own, made of its digest: the same in each
    release, so that the same run is found again.

    >>> obs_id_of(" 00123 "), obs_id_of(23523.0), obs_id_of(float("nan")), obs_id_of("chunks 103 - 133")
    ((123, ''), (23523, ''), (None, ''), (230881518, 'chunks 103 - 133'))
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float | np.number):
        return None, ""
    text = str(value).strip()
    if _NUMBER.fullmatch(text):
        number = float(text)
        is_id = number.is_integer() and abs(number) < _LARGEST
        return (int(text) if _DIGITS.fullmatch(text) else int(number)) if is_id else None, ""
    if text.lower() in ("", "nan", "inf", "-inf"):
        return None, ""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % _TEXT_IDS, text
