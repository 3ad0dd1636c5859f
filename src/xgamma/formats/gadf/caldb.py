"""Responses of runs whose index names none: their event lists say CALDB and IRF, the environment says where those are.

Source: the folders of a calibration database as ctools and gammalib lay them out,
``$CALDB/data/<telescope>/<CALDB>/bcf/<IRF>/irf_file.fits``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from xgamma.errors import InputError, MissingInputError, sentence_of
from xgamma.formats.fits.tables import read_tables
from xgamma.formats.gadf.classes import REQUIRED_ROLES, HduLocation, Index, RunEntry, class_of, is_known, role_of
from xgamma.formats.gadf.files import several
from xgamma.formats.gadf.folder import events_header
from xgamma.outcome import Note

VARIABLE = "CALDB"
_FILES = ("irf_file.fits", "irf_file.fits.gz")
# One folder each: what a header says leads nowhere else.
_WORD = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*")
_ROLES = ("aeff", "edisp", "psf", "bkg")


def with_caldb(index: Index) -> Index:
    """Return an index in which runs without responses have those that the headers of their event lists name."""
    bare = [entry for entry in index.runs.values() if not set(_ROLES) & set(entry.hdus)]
    found = several(_with_responses, bare, any(entry.is_remote for entry in bare))
    return Index({**index.runs, **{entry.obs_id: entry for entry in found}}) if bare else index


def _with_responses(entry: RunEntry) -> RunEntry:
    header = events_header(entry.hdus)
    words = [] if header is None else [str(header.get(key) or "").strip() for key in ("TELESCOP", "CALDB", "IRF")]
    if header is None or not all(words[1:]):
        return entry
    try:
        hdus = _responses(_file(*words))
    except Exception as error:
        text = sentence_of(error, f"The responses CALDB = {words[1]!r}, IRF = {words[2]!r} cannot be looked at")
        return replace(entry, notes=(*entry.notes, Note(VARIABLE, text)))
    return replace(entry, hdus={**hdus, **entry.hdus})


def _file(telescope: str, caldb: str, irf: str) -> Path:
    """Return the file of some responses; raises ``InputError`` where there is none, or the names are no names."""
    named = f"The event list names its responses CALDB = {caldb!r}, IRF = {irf!r}"
    folder = os.environ.get(VARIABLE, "")
    if not folder:
        raise MissingInputError(f"{named}, and ${VARIABLE} is not set. Set it: export {VARIABLE}=/path/to/caldb.")
    if not all(map(_WORD.fullmatch, (telescope, caldb, irf))):
        raise InputError(f"{named}, of the telescope {telescope!r}, which are no names of folders. Write them anew.")
    place = Path(folder) / "data" / telescope.lower() / caldb / "bcf" / irf
    found = next((place / name for name in _FILES if (place / name).is_file()), None)
    if found is None:
        raise MissingInputError(f"{named}, and there is no {place / _FILES[0]}. Set ${VARIABLE} to where they are.")
    return found


def _responses(file: Path) -> Mapping[str, HduLocation]:
    status = file.stat()
    return _responses_of(file, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _responses_of(file: Path, _time: int, _size: int) -> Mapping[str, HduLocation]:
    # The runs of a release share a few files, which are looked at once as long as they do not change.
    hdus: dict[str, HduLocation] = {}
    for table in read_tables(file):
        kind = class_of(table)
        if is_known(kind) and role_of(kind) not in REQUIRED_ROLES and table.name:
            hdus.setdefault(role_of(kind), HduLocation(role_of(kind), kind, file, table.name))
    return hdus
