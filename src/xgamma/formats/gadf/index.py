"""GADF files in: the index of a release, which says what runs it has and where their HDUs lie.

Source: Data formats for gamma-ray astronomy 0.2 and 0.3 (gamma-astro-data-formats.readthedocs.io).
"""

from __future__ import annotations

import logging
import os
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xgamma.errors import MissingInputError
from xgamma.formats.fits_tables import FitsTable, as_input_error, table_named, tables_of
from xgamma.formats.gadf.files import File, Files, is_remote, read_file, release_files, several

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HduLocation:
    """Where one HDU of a run lies.

    Parameters
    ----------
    role, kind
        What it is for; ``kind`` is the GADF HDU_CLASS that selects the reader.
    path
        Its file, on a disk or behind a url; the null device where that may not be read.
    name
        Its EXTNAME.
    refusal
        The sentence why the file may not be read, empty where it may.
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

    @property
    def is_remote(self) -> bool:
        """Whether reading the run is waiting for a server, so that it is worth to read many runs at a time."""
        return any(is_remote(location.path) for location in self.hdus.values())


@dataclass(frozen=True)
class Index:
    """The index of a release: its runs by obs id, in the order of the observation index."""

    runs: Mapping[int, RunEntry]


def read_index(datastore: str | os.PathLike[str]) -> Index:
    """Read the index of a release.

    Parameters
    ----------
    datastore
        A folder with ``hdu-index.fits[.gz]`` (and ``obs-index.fits[.gz]``), one FITS file that holds both tables, or a
        folder of run files without an index; or the url of one. A web server lists no files, and needs an index.

    Raises
    ------
    MissingInputError
        When there is no such place, or nothing to read in it.
    InputError
        When the index is damaged. What is wrong with a file that it names is said when its run is read.
    """
    with as_input_error(f"The index of {datastore}"):
        return _index_of(*release_files(datastore))


def _index_of(files: Files, index_file: File | None) -> Index:
    if index_file is not None:
        tables = _read_tables(index_file)
        return _index(files, table_named(tables, "HDU_INDEX", index_file), _named(tables, "OBS_INDEX"))
    hdu_table, obs_table = (_index_table(files, stem) for stem in ("hdu-index", "obs-index"))
    if hdu_table is None:
        return _index_of_folder(files)
    if obs_table is None:
        log.info("There is no obs-index in %s: pointings are read from the runs.", files)
    return _index(files, hdu_table, obs_table)


def _read_tables(file: File) -> list[FitsTable]:
    return tables_of(read_file(file)[1], file)


def _index_table(files: Files, stem: str) -> FitsTable | None:
    for ending in (".fits.gz", ".fits"):
        file = files.file(f"{stem}{ending}")
        try:
            content = read_file(file)[1]
        except MissingInputError:
            continue
        return table_named(tables_of(content, file), stem.upper().replace("-", "_"), file)
    return None


def _named(tables: list[FitsTable], name: str) -> FitsTable | None:
    return next((table for table in tables if table.name == name), None)


def _index(files: Files, hdu_table: FitsTable, obs_table: FitsTable | None) -> Index:
    hdus: dict[int, dict[str, HduLocation]] = {}
    obs_ids = [int(value) for value in hdu_table.column("OBS_ID")]
    names = ("HDU_TYPE", "HDU_CLASS", "HDU_NAME", "FILE_DIR", "FILE_NAME")
    texts = [[str(value).strip() for value in hdu_table.column(name)] for name in names]
    paths = [posixpath.join(folder, name) for folder, name in zip(*texts[3:], strict=True)]
    places = _places(files, paths)
    for obs_id, role, kind, name, within in zip(obs_ids, *texts[:3], paths, strict=True):
        path, refusal = places[within]
        location = HduLocation(role.lower(), kind.lower(), path, name, refusal)
        known = hdus.setdefault(obs_id, {})
        if location.role in known:
            log.warning("Run %d has several %s HDUs in the index; the first is used.", obs_id, location.role)
        known.setdefault(location.role, location)
    if obs_table is None:
        read = several(lambda known: _entry_from_events(*known), hdus.items(), is_remote(files.file("any")))
        return Index({entry.obs_id: entry for entry in read})
    runs: dict[int, RunEntry] = {}
    for entry in _obs_entries(obs_table, hdus):
        if entry.obs_id in runs:
            log.warning("Run %d has several rows in the observation index; the first is used.", entry.obs_id)
        runs.setdefault(entry.obs_id, entry)
    unknown = [str(obs_id) for obs_id in hdus if obs_id not in runs]
    if unknown:
        log.warning("Runs that have HDUs and no row in the observation index are left out: %s.", ", ".join(unknown))
    return Index(runs)


def _obs_entries(table: FitsTable, hdus: Mapping[int, Mapping[str, HduLocation]]) -> list[RunEntry]:
    obs_ids, ra, dec = (table.column(name) for name in ("OBS_ID", "RA_PNT", "DEC_PNT"))
    zenith = table.column("ZEN_PNT") if "ZEN_PNT" in table.columns else np.full(len(obs_ids), np.nan)
    target = table.column("OBJECT") if "OBJECT" in table.columns else np.full(len(obs_ids), "")
    return [
        RunEntry(int(i), float(x), float(y), float(z), str(t), hdus.get(int(i), {}))
        for i, x, y, z, t in zip(obs_ids, ra, dec, zenith, target, strict=True)
    ]


def _places(files: Files, names: Iterable[str]) -> dict[str, tuple[File, str]]:
    """Return the file of each name inside of a release, and why it may not be read or nothing.

    The null device stands for what may not be read, so that nobody looks at it, not even at its size.
    """
    places: dict[str, tuple[File, str]] = {}
    for name in dict.fromkeys(names):
        reason = files.reason_against(name)
        refusal = f"The file {name!r} {reason} {files}." if reason else ""
        places[name] = (Path(os.devnull) if reason else files.file(name)), refusal
    return places


def _entry_from_events(obs_id: int, hdus: Mapping[str, HduLocation]) -> RunEntry:
    if "events" not in hdus or hdus["events"].refusal:
        return RunEntry(obs_id, np.nan, np.nan, np.nan, "", hdus)
    location = hdus["events"]
    header = table_named(_read_tables(location.path), location.name, location.path).header
    return _entry(obs_id, header, hdus)


def _entry(obs_id: int, header: Mapping[str, Any], hdus: Mapping[str, HduLocation]) -> RunEntry:
    ra, dec = float(header.get("RA_PNT", np.nan)), float(header.get("DEC_PNT", np.nan))
    zenith = float(header.get("ZEN_PNT", 90.0 - float(header.get("ALT_PNT", np.nan))))
    return RunEntry(obs_id, ra, dec, zenith, str(header.get("OBJECT", "")).strip(), hdus)


def _index_of_folder(files: Files) -> Index:
    """Make the index of a folder of run files from their headers; files without events are left out."""
    runs: dict[int, RunEntry] = {}
    readable = []
    for path, refusal in _places(files, files.names()).values():
        if refusal:
            log.warning("A file is left out: %s", refusal)
        else:
            readable.append(path)
    entries = several(_entry_of_file, readable, is_remote(files.file("any")))
    for path, entry in zip(readable, entries, strict=True):
        if entry is not None and entry.obs_id in runs:
            log.warning("Several files of %s hold run %d; %s is not read.", files, entry.obs_id, path.name)
        elif entry is not None:
            runs[entry.obs_id] = entry
    if not runs:
        raise MissingInputError(f"{files} holds neither hdu-index.fits[.gz] nor FITS files with an EVENTS HDU.")
    return Index(runs)


def _entry_of_file(path: File) -> RunEntry | None:
    tables = _read_tables(path)
    events = _named(tables, "EVENTS")
    if events is None:
        return None
    locations = [HduLocation(*_role_and_kind(table), path, table.name) for table in tables if table.name]
    by_role = {location.role: location for location in reversed(locations)}
    return _entry(int(events.header["OBS_ID"]), events.header, by_role)


def _role_and_kind(table: FitsTable) -> tuple[str, str]:
    kind = str(table.header.get("HDUCLAS4", table.header.get("HDUCLAS1", table.name))).strip().lower()
    return ("rad_max" if kind.startswith("rad_max") else kind.split("_")[0]), kind
