"""GADF files in: the index of a release, which says what runs it has and where their HDUs lie.

Source: Data formats for gamma-ray astronomy 0.2 and 0.3 (gamma-astro-data-formats.readthedocs.io).
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from xgamma.errors import InputError, MissingInputError
from xgamma.formats.fits.tables import FitsTable, as_input_error, tables_of
from xgamma.formats.gadf.caldb import with_caldb
from xgamma.formats.gadf.classes import ROLES, HduLocation, Index, RunEntry
from xgamma.formats.gadf.files import File, Files, is_remote, read_file, release_files, several
from xgamma.formats.gadf.folder import entry_of, events_header, index_of_folder
from xgamma.formats.gadf.index_tables import (
    HduRow,
    ObsFacts,
    facts_of_header,
    hdu_index_of,
    hdu_rows,
    obs_index_beside,
    obs_index_of,
    obs_rows,
)

log = logging.getLogger(__name__)

Hdus = Mapping[str, HduLocation]


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
    with as_input_error(f"The index of {datastore}"):
        index = with_caldb(_index_of(*release_files(datastore), names))
    _validate_places(index, datastore)
    return index


def _validate_places(index: Index, datastore: str | os.PathLike[str]) -> None:
    """Raise ``InputError`` where no event list of a release may be read, all for one reason."""
    reasons = {entry.hdus["events"].refusal for entry in index.runs.values() if "events" in entry.hdus}
    variables = [reason.partition(" is named by ")[2] for reason in reasons]
    if len(set(variables)) == 1 and variables[0]:
        raise InputError(f"All files of {datastore} are named by {variables[0]}")


def _index_of(files: Files, index_file: File | None, names: IndexNames) -> Index:
    if index_file is not None:
        tables = _read_tables(index_file)
        return _index(files, hdu_index_of(tables, index_file), obs_index_beside(tables))
    hdu_tables, obs_tables = (
        _index_tables(files, usual, given)
        for usual, given in (("hdu-index", names.hdu_index), ("obs-index", names.obs_index))
    )
    if hdu_tables is None:
        return index_of_folder(files)
    if obs_tables is None:
        log.info("There is no obs-index in %s: pointings are read from the runs.", files)
        return _index(files, hdu_index_of(*hdu_tables), obs_index_beside(hdu_tables[0]))
    return _index(files, hdu_index_of(*hdu_tables), obs_index_of(*obs_tables))


def _read_tables(file: File) -> list[FitsTable]:
    return tables_of(read_file(file)[1], file)


def _index_tables(files: Files, usual: str, given: str | None) -> tuple[list[FitsTable], File] | None:
    if given is not None:
        file, refusal = files.located(given)
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


def _index(files: Files, hdu_table: FitsTable, obs_table: FitsTable | None) -> Index:
    hdus = _hdus_by_run(files, hdu_rows(hdu_table))
    runs: dict[int, RunEntry] = {}
    for facts in _unknown_facts(hdus) if obs_table is None else obs_rows(obs_table):
        if facts.obs_id in runs:
            log.warning("Run %d has several rows in the observation index; the first is used.", facts.obs_id)
        runs.setdefault(facts.obs_id, entry_of(facts, hdus.get(facts.obs_id, {})))
    unknown = [str(obs_id) for obs_id in hdus if obs_id not in runs]
    if unknown:
        log.warning("Runs that have HDUs and no row in the observation index are left out: %s.", ", ".join(unknown))
    at_once = is_remote(files.file("any"))
    return Index({entry.obs_id: entry for entry in several(_with_pointing, runs.values(), at_once)})


def _unknown_facts(obs_ids: Iterable[int]) -> Iterable[ObsFacts]:
    return (ObsFacts(obs_id, np.nan, np.nan, np.nan, "") for obs_id in obs_ids)


def _hdus_by_run(files: Files, rows: Iterable[HduRow]) -> dict[int, dict[str, HduLocation]]:
    """Return the HDUs of each run by role; what nobody asks for is passed over."""
    places: dict[str, tuple[File, str]] = {}
    hdus: dict[int, dict[str, HduLocation]] = {}
    passed: Counter[str] = Counter()
    for row in rows:
        known = hdus.setdefault(row.obs_id, {})
        if row.role not in ROLES:
            passed[row.role] += 1
            continue
        if row.path not in places:
            places[row.path] = files.located(row.path)
        path, refusal = places[row.path]
        location = HduLocation(row.role, row.kind, path, row.name, refusal or row.reason_against)
        before = known.get(row.role)
        if before is None or before.refusal:
            known[row.role] = location
        elif not location.refusal:
            log.warning("Run %d has several %s HDUs in the index; the first is used.", row.obs_id, row.role)
    if passed:
        shown = ", ".join(f"{count} of type {role!r}" for role, count in sorted(passed.items()))
        log.info("HDUs that nobody asks for are passed over: %s.", shown)
    return hdus


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
