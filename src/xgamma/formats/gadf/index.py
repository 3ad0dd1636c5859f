"""The index of a release, which says what runs it has and where their HDUs lie; of a folder without one it is made.

Responses that an index does not name are those of CALDB and IRF in the headers of the event lists, in the folders of a
calibration database as ctools and gammalib lay them out: ``$CALDB/data/<telescope>/<CALDB>/bcf/<IRF>/irf_file.fits``.

Source: Data formats for gamma-ray astronomy 0.2 and 0.3 (gamma-astro-data-formats.readthedocs.io).
"""

from __future__ import annotations

import logging
import os
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from xgamma.errors import InputError, MissingInputError, sentence_of
from xgamma.formats.fits.tables import FitsTable, Header, as_input_error, read_tables, tables_of
from xgamma.formats.gadf.files import File, Files, is_remote, located, read_file, release_files, several
from xgamma.formats.gadf.folders import HDU_INDICES, index_is_below
from xgamma.formats.gadf.index_columns import hdu_columns, numbers_in, obs_columns, of_runs, unknown_obs
from xgamma.formats.gadf.index_runs import Index, IndexRuns
from xgamma.formats.gadf.index_tables import (
    REQUIRED_ROLES,
    HduLocation,
    RunEntry,
    entry_of,
    facts_of_header,
    hdu_index_of,
    hdus_of_tables,
    named_or_first,
    obs_index_beside,
    obs_index_of,
    table_of_role,
)
from xgamma.outcome import Note

log = logging.getLogger(__name__)

_NO_FILES = "holds neither hdu-index.fits[.gz] nor FITS files with an EVENTS HDU"
_GIVE = "Give the folder of a release."
VARIABLE = "CALDB"
_FILES = ("irf_file.fits", "irf_file.fits.gz")
# One folder each: what a header says leads nowhere else.
_WORD = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*")
_ROLES = ("aeff", "edisp", "psf", "bkg")
Hdus = Mapping[str, HduLocation]


def events_header(hdus: Mapping[str, HduLocation]) -> Header | None:
    """Return the header of the event list of a run, ``None`` where it cannot be read: that is said when the run is."""
    location = hdus.get("events")
    if location is None or location.refusal:
        return None
    try:
        return named_or_first(tables_of(read_file(location.path)[1], location.path), location).header
    except Exception as error:  # of a damaged file its reader raises anything
        log.debug("The header of %s cannot be read.", location.path, exc_info=error)
        return None


def index_of_folder(files: Files) -> Index:
    """Make the index of a folder of run files from their headers; files without events are left out.

    Raises ``MissingInputError`` where there is no run in any of them.
    """
    names = files.names()
    _validate_index_below(files, names)
    runs: dict[int, RunEntry] = {}
    lost: list[str] = []
    paths = [files.file(name) for name in names]
    for path, entry in zip(paths, several(_entry_or_reason, paths, is_remote(files.file("any"))), strict=True):
        if isinstance(entry, str):
            lost.append(entry)
            log.warning("The file %s is left out: %s", path, entry)
        elif entry is not None and entry.obs_id in runs:
            log.warning("Several files of %s hold run %d; %s is not read.", files, entry.obs_id, path.name)
        elif entry is not None:
            runs[entry.obs_id] = entry
    if not runs:
        found = f"; of {len(paths)} files {len(lost)} cannot be used: {lost[0]}" if lost else f". {_GIVE}"
        raise MissingInputError(f"{files} {_NO_FILES}{found}")
    return Index(IndexRuns.of(runs, files))


def _validate_index_below(files: Files, names: Sequence[str]) -> None:
    """Raise ``MissingInputError`` where folders below have an index and no file lies beside them: one is meant.

    Headers of event lists know less than an index, such as which responses are theirs.
    """
    indices = [name for name in names if posixpath.basename(name) in HDU_INDICES]
    folders = list(dict.fromkeys(map(posixpath.dirname, indices)))
    if folders and not any("/" not in name for name in names):
        raise MissingInputError(index_is_below(files, folders))


def _entry_or_reason(path: File) -> RunEntry | str | None:
    """Return the run of a file, ``None`` for a file without events, or the sentence why it cannot be used."""
    try:
        return _entry_of_file(path)
    except Exception as error:  # one bad file ends no release, whatever is wrong with it
        return sentence_of(error, f"{path} cannot be read")


def _entry_of_file(path: File) -> RunEntry | str | None:
    tables = tables_of(read_file(path)[1], path)
    events = table_of_role(tables, "events")
    if events is None:
        return None
    facts = facts_of_header(events.header)
    if facts is None:
        return f"{path} has an event list without OBS_ID, so that nobody knows which run it is. Write it there."
    return entry_of(facts, hdus_of_tables(tables, path))


def with_caldb(index: Index) -> Index:
    """Return an index in which runs without responses have those that the headers of their event lists name."""
    bare = index.runs.without(_ROLES)
    return Index(index.runs.looking_at(bare, _with_responses))


def _with_responses(entry: RunEntry) -> RunEntry:
    header = events_header(entry.hdus)
    words = [] if header is None else [str(header.get(key) or "").strip() for key in ("TELESCOP", "CALDB", "IRF")]
    if header is None or not all(words[1:]):
        return entry
    try:
        hdus = _responses(_file(*words))
    except Exception as error:  # the run may be used without them
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
    found = hdus_of_tables(read_tables(file), file)
    return {role: location for role, location in found.items() if role not in REQUIRED_ROLES}


@dataclass(frozen=True)
class IndexNames:
    """The names of the index files of a release, where they are not the usual ones; relative to its folder or not."""

    hdu_index: str | None = None
    obs_index: str | None = None

    @property
    def given(self) -> dict[str, str]:
        """The names that are given."""
        return {name: value for name, value in asdict(self).items() if value is not None}


USUAL_NAMES = IndexNames()


def read_index(datastore: str | os.PathLike[str], names: IndexNames = USUAL_NAMES) -> Index:
    """Read the index of a release.

    Parameters
    ----------
    datastore
        A folder with ``hdu-index.fits[.gz]`` (and ``obs-index.fits[.gz]``), one FITS file that holds both tables, or a
        folder of run files without an index; or the url of one. A web server lists no files, and needs an index.
    names
        The names of the index files where they are others.

    Raises
    ------
    MissingInputError
        When there is no such place, or nothing to read in it.
    InputError
        When the index is damaged. What is wrong with a file that it names is said when its run is read.
    """
    return read_index_and_table(datastore, names)[0]


def read_index_and_table(
    datastore: str | os.PathLike[str], names: IndexNames = USUAL_NAMES
) -> tuple[Index, FitsTable | None]:
    """Read the index of a release as ``read_index`` does; return with it the table of observations, if there is one."""
    with as_input_error(f"The index of {datastore}"):
        found, table = _index_of(*release_files(datastore), names)
        index = with_caldb(found)
    _validate_places(index, datastore)
    return index, table


def _validate_places(index: Index, datastore: str | os.PathLike[str]) -> None:
    """Raise ``InputError`` where no event list of a release may be read, all for one reason."""
    reasons = index.runs.reasons_against("events")
    variables = [reason.partition(" is named by ")[2] for reason in reasons]
    if len(set(variables)) == 1 and variables[0]:
        raise InputError(f"All files of {datastore} are named by {variables[0]}")


def _index_of(files: Files, index_file: File | None, names: IndexNames) -> tuple[Index, FitsTable | None]:
    if index_file is not None:
        tables = _read_tables(index_file)
        return _index(files, hdu_index_of(tables, index_file), obs_index_beside(tables))
    hdu_tables, obs_tables = (
        _index_tables(files, usual, given)
        for usual, given in (("hdu-index", names.hdu_index), ("obs-index", names.obs_index))
    )
    if hdu_tables is None:
        return index_of_folder(files), None
    if obs_tables is None:
        log.info("There is no obs-index in %s: pointings are read from the runs.", files)
        return _index(files, hdu_index_of(*hdu_tables), obs_index_beside(hdu_tables[0]))
    return _index(files, hdu_index_of(*hdu_tables), obs_index_of(*obs_tables))


def _read_tables(file: File) -> list[FitsTable]:
    return tables_of(read_file(file)[1], file)


def _index_tables(files: Files, usual: str, given: str | None) -> tuple[list[FitsTable], File] | None:
    if given is not None:
        file, refusal = located(files, given)
        if refusal:
            raise InputError(refusal)
        return _read_tables(file), file
    for ending in (".fits.gz", ".fits"):
        file = files.file(f"{usual}{ending}")
        try:
            return _read_tables(file), file
        except MissingInputError:
            continue
    return None


def _index(files: Files, hdu_table: FitsTable, obs_table: FitsTable | None) -> tuple[Index, FitsTable | None]:
    obs_id, hdus = hdu_columns(hdu_table, files)
    obs = unknown_obs(obs_id) if obs_table is None else obs_columns(obs_table)
    unknown = obs_id[numbers_in(obs.obs_id, obs_id) < 0]
    if len(unknown):
        names = ", ".join(map(str, unknown.tolist()))
        log.warning("Runs that have HDUs and no row in the observation index are left out: %s.", names)
    runs = IndexRuns(obs, of_runs(hdus, numbers_in(obs_id, obs.obs_id)), files)
    return Index(runs.looking_at(runs.without_pointing(), _with_pointing)), obs_table


def _with_pointing(entry: RunEntry) -> RunEntry:
    """Return a run with the facts of its event list where the index has no pointing; reading says what is wrong."""
    if np.isfinite(entry.ra) and np.isfinite(entry.dec):
        return entry
    header = events_header(entry.hdus)
    facts = None if header is None else facts_of_header({**header, "OBS_ID": entry.obs_id})
    if facts is None:
        return entry
    zenith = facts.zenith if np.isnan(entry.zenith) else entry.zenith
    return replace(entry, ra=facts.ra, dec=facts.dec, zenith=zenith, target=entry.target or facts.target)
