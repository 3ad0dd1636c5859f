"""A folder of run files without an index: what their headers say."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from xgamma.errors import MissingInputError, sentence_of
from xgamma.formats.fits.header import Header
from xgamma.formats.fits.tables import tables_of
from xgamma.formats.gadf.classes import HduLocation, Index, RunEntry, class_of, is_known, role_of, table_of_role
from xgamma.formats.gadf.files import File, Files, is_remote, read_file, several
from xgamma.formats.gadf.hdus import named_or_first
from xgamma.formats.gadf.index_tables import ObsFacts, facts_of_header
from xgamma.outcome import Note

log = logging.getLogger(__name__)

_NO_FILES = "holds neither hdu-index.fits[.gz] nor FITS files with an EVENTS HDU"


def entry_of(facts: ObsFacts, hdus: Mapping[str, HduLocation]) -> RunEntry:
    """Return the entry of a run."""
    text = f"OBS_ID is the text {facts.id_text!r}, which the number {facts.obs_id} stands for."
    notes = (Note("OBS_ID", text),) if facts.id_text else ()
    return RunEntry(facts.obs_id, facts.ra, facts.dec, facts.zenith, facts.target, hdus, notes)


def events_header(hdus: Mapping[str, HduLocation]) -> Header | None:
    """Return the header of the event list of a run, ``None`` where it cannot be read: that is said when the run is."""
    location = hdus.get("events")
    if location is None or location.refusal:
        return None
    try:
        return named_or_first(tables_of(read_file(location.path)[1], location.path), location).header
    except Exception as error:
        log.debug("The header of %s cannot be read.", location.path, exc_info=error)
        return None


def index_of_folder(files: Files) -> Index:
    """Make the index of a folder of run files from their headers; files without events are left out.

    Raises ``MissingInputError`` where there is no run in any of them.
    """
    runs: dict[int, RunEntry] = {}
    lost: list[str] = []
    paths = [files.file(name) for name in files.names()]
    for path, entry in zip(paths, several(_entry_or_reason, paths, is_remote(files.file("any"))), strict=True):
        if isinstance(entry, str):
            lost.append(entry)
            log.warning("The file %s is left out: %s", path, entry)
        elif entry is not None and entry.obs_id in runs:
            log.warning("Several files of %s hold run %d; %s is not read.", files, entry.obs_id, path.name)
        elif entry is not None:
            runs[entry.obs_id] = entry
    if not runs:
        found = f"; of {len(paths)} files {len(lost)} cannot be used: {lost[0]}" if lost else "."
        raise MissingInputError(f"{files} {_NO_FILES}{found}")
    return Index(runs)


def _entry_or_reason(path: File) -> RunEntry | str | None:
    """Return the run of a file, ``None`` for a file without events, or the sentence why it cannot be used."""
    try:
        return _entry_of_file(path)
    except Exception as error:
        return sentence_of(error, f"{path} cannot be read")


def _entry_of_file(path: File) -> RunEntry | str | None:
    tables = tables_of(read_file(path)[1], path)
    events = table_of_role(tables, "events")
    if events is None:
        return None
    facts = facts_of_header(events.header)
    if facts is None:
        return f"{path} has an event list without OBS_ID, so that nobody knows which run it is. Write it there."
    hdus: dict[str, HduLocation] = {}
    for table in tables:
        kind = class_of(table)
        if is_known(kind) and table.name:
            hdus.setdefault(role_of(kind), HduLocation(role_of(kind), kind, path, table.name))
    return entry_of(facts, hdus)
