"""The HDUs of one run, each a table or the reason why there is none: what is damaged costs what it holds, no more."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xgamma.errors import InputError, MissingHduError, MissingInputError, sentence_of
from xgamma.formats.fits.tables import FitsTable, table_named, tables_of, validate_datasum
from xgamma.formats.gadf.classes import REQUIRED_ROLES, HduLocation, RunEntry, table_of_role
from xgamma.formats.gadf.files import File, read_files
from xgamma.storage.backend import FileStatus

# Without these no analysis goes on: where their file could not be asked for, the run is tried again.
NEEDED_ROLES = (*REQUIRED_ROLES, "aeff", "edisp")
# What stands in the identity of a run for the digest of a file: of one that is not there, or that nobody could read.
ABSENT, UNREAD = "absent", "unread"


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
        except Exception as error:
            lost[role] = error
    return FoundHdus(tables, lost, _read_files(found), _unread(entry, found))


def _tables(path: File, content: tuple[FileStatus, bytes] | InputError) -> Sequence[FitsTable] | Exception:
    if isinstance(content, InputError):
        return content
    try:
        return tables_of(content[1], path)
    except Exception as error:
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


def named_or_first(tables: Sequence[FitsTable], at: HduLocation) -> FitsTable:
    """Return the HDU of a location among those of its file; raises ``MissingHduError`` where it is not there."""
    if at.name:
        return table_named(list(tables), at.name, at.path)
    table = table_of_role(tables, at.role)
    if table is None:
        raise MissingHduError(f"{at.path} has no {at.role} HDU, and the index does not name one.")
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
