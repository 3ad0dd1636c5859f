"""What an HDU is for: its role in a run, and its GADF class, which selects its reader.

An index says it as HDU_TYPE and HDU_CLASS. Where there is none, HDUCLAS1 to HDUCLAS4 of the HDU say it, and where a
writer left those out, its columns do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from xgamma.formats.fits.tables import FitsTable
from xgamma.formats.gadf.files import File, is_remote
from xgamma.formats.gadf.layouts import EVENT_COLUMNS, LAYOUTS, class_of_columns
from xgamma.outcome import Note


@dataclass(frozen=True)
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


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Index:
    """The index of a release: its runs by obs id, in the order of the observation index."""

    runs: Mapping[int, RunEntry]


REQUIRED_ROLES = ("events", "gti")
ROLES = (*REQUIRED_ROLES, "aeff", "edisp", "psf", "bkg", "rad_max")
_KNOWN = frozenset({*REQUIRED_ROLES, *LAYOUTS})


def is_known(kind: str) -> bool:
    """Whether HDUs of a class can be read."""
    return kind in _KNOWN


def role_of(kind: str) -> str:
    """Return the role of a class.

    >>> role_of("rad_max_2d"), role_of("psf_3gauss"), role_of("events")
    ('rad_max', 'psf', 'events')
    """
    return "rad_max" if kind.startswith("rad_max") else kind.split("_")[0]


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
