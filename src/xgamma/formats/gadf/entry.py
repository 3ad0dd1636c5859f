"""One run as the index of its release knows it: a few facts, and where its HDUs lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xgamma.formats.gadf.files import File, is_remote
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
