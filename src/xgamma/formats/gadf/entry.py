"""One run as the index of its release knows it: a few facts, and where its HDUs lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xgamma.formats.gadf.classes import REQUIRED_ROLES, is_known
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
        The sentence why the file may not be read, empty where it may.
    """

    role: str
    kind: str
    path: File
    name: str
    refusal: str = ""

    @property
    def is_known(self) -> bool:
        """Whether its class is one that can be read, as far as the index tells."""
        return not self.kind or self.role in REQUIRED_ROLES or is_known(self.kind)

    @property
    def reason_against(self) -> str:
        """The sentence why it cannot be read, as far as the index tells; empty where it can."""
        if self.refusal or self.is_known:
            return self.refusal
        return f"Its class {self.kind!r} is none that is known."


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
        refused = (Note(role, at.reason_against) for role, at in self.hdus.items() if at.reason_against)
        return (*self.notes, *refused)


@dataclass(frozen=True)
class Index:
    """The index of a release: its runs by obs id, in the order of the observation index."""

    runs: Mapping[int, RunEntry]
