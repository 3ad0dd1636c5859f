"""Releases: runs that lie in FITS files or in a store, and how those of files get into a store."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xgamma.errors import ConfigError, StoreError
from xgamma.events import Part, RunFacts
from xgamma.execute import THIS_PROCESS, Workers, progress_bar, run_blocks
from xgamma.formats.gadf.files import ABSENT, UNREAD, File, read_file, release_name, several, statuses_of
from xgamma.formats.gadf.index import USUAL_NAMES, IndexNames, read_index, read_index_and_table
from xgamma.formats.gadf.index_columns import observed_of
from xgamma.formats.gadf.index_runs import Index
from xgamma.formats.gadf.index_tables import REQUIRED_ROLES, RunEntry
from xgamma.ingest.part import STEP_VERSION, built, log_failure, read_runs, run_document
from xgamma.ingest.stored import (
    Holdings,
    OnFailure,
    Origin,
    StoredGroups,
    StoredRelease,
    StoredRun,
    holdings_of,
    note_ingest,
    part_chunks,
    sequence_after,
    versions_of,
)
from xgamma.outcome import UnusedRun
from xgamma.schema import Kind
from xgamma.storage.backend import FileStatus
from xgamma.storage.disk import with_home
from xgamma.store import Record, Store, digest, file_digest, is_store
from xgamma.times import nights

log = logging.getLogger(__name__)

RUNS_PER_PART = 500
# The last one whose run keys are made in another way.
OLDER_VERSION = 2

Progress = Callable[[], None]


def open_release(
    datastore: str | Path, tag: str | None = None, names: IndexNames = USUAL_NAMES
) -> FitsRelease | StoredRelease:
    """Open a FITS release or an xgamma store, a path or a url.

    Parameters
    ----------
    datastore
        Where it is.
    tag
        Of a store, the state of its runs that is wanted; ``None`` is the newest version of each.
    names
        Of a FITS release, the names of its index files where they are not the usual ones.

    Raises
    ------
    MissingInputError
        When there is neither.
    ConfigError
        When a tag is given for a FITS release, or index files for a store.
    UnknownNameError
        When the store has no such tag.
    StoreError
        When a server does not answer or forbids to look.
    """
    if is_store(datastore):
        if names != USUAL_NAMES:
            raise ConfigError(f"{datastore} is an xgamma store, which has no index files; leave their names out.")
        return StoredRelease(Store(datastore, read_only=True), tag)
    if tag is not None:
        raise ConfigError(
            f"observations.tag: {datastore} is no xgamma store, and only stores have tags; "
            "write the store as observations.datastore, or leave the tag out."
        )
    return FitsRelease(_release_name(datastore, names), datastore, names)


def _release_name(datastore: str | Path, names: IndexNames) -> str:
    """Return the name of a release; each HDU index of a folder that is named makes a release of its own."""
    name = release_name(datastore)
    return name if names.hdu_index is None else f"{name}:{release_name(names.hdu_index)}"


@dataclass(frozen=True)
class Ingested:
    """What became of the runs that were read into one part: its record, where they lie, and those that failed."""

    record: Record | None
    runs: Mapping[int, StoredRun]
    failures: Sequence[UnusedRun]


class FitsRelease:
    """The runs of a folder or index file in the GADF format, on a disk or behind a url.

    Parameters
    ----------
    name
        What it is called in keys.
    place
        The folder or file.
    names
        The names of its index files, where they are not the usual ones.
    """

    def __init__(self, name: str, place: str | Path, names: IndexNames = USUAL_NAMES) -> None:
        self.name = name
        self.names = names
        # Absolute, as it is remembered, and used by processes in other folders.
        self.place = str(place) if "://" in str(place) else str(with_home(place).absolute())

    def __reduce__(self) -> tuple[object, ...]:
        """Travel without the index."""
        return FitsRelease, (self.name, self.place, self.names)

    @property
    def origin(self) -> Origin:
        """Where it is."""
        return Origin(self.place, self.names)

    @cached_property
    def index(self) -> Index:
        """The index of the release."""
        return read_index(self.place, self.names)

    def run_columns(self) -> dict[str, npt.NDArray[Any]]:
        """Return what is known of each run, in the order of ``facts``, as columns; reads the index for both."""
        # With the table, which nobody else needs and which is not kept.
        self.__dict__["index"], table = read_index_and_table(self.place, self.names)
        facts = list(self.facts().values())
        names = ("obs_id", "ra", "dec", "zenith", "target")
        columns: dict[str, npt.NDArray[Any]] = {name: np.array([getattr(run, name) for run in facts]) for name in names}
        columns |= observed_of(table, [run.obs_id for run in facts])._asdict()
        night = nights(columns["tstart"], np.full(len(facts), np.nan))
        return {**columns, "night": night, "month": night.astype("U7")}

    def facts(self) -> dict[int, RunFacts]:
        """Return what a selection looks at, by observation id."""
        return self.index.runs.facts()

    def _found(
        self, obs_ids: Sequence[int], records: Sequence[Record], store: Store, look: FileLookup
    ) -> dict[int, StoredRun]:
        """Return those runs of which the store holds a version as the files are now."""
        known = versions_of(records)
        entries = self._entries([obs_id for obs_id in obs_ids if obs_id in known])
        statuses = statuses_of(at.path for entry in entries for at in entry.hdus.values())
        memory = FileMemory.of(store, records, look)
        at_once = store.is_remote or any(entry.is_remote for entry in entries)
        found: dict[int, StoredRun] = {}
        older = 0
        every = several(lambda entry: memory.digests(entry, statuses), entries, at_once)
        for entry, digests in zip(entries, every, strict=True):
            versions, key = known[entry.obs_id], _run_key(entry, digests)
            if key in versions:
                found[entry.obs_id] = versions[key]
            elif _run_key(entry, digests, OLDER_VERSION) in versions:
                older += 1
            elif look.remember:
                log.warning("Run %d has changed since it was ingested: it becomes a new version.", entry.obs_id)
        if older and look.remember:
            log.info("%d runs were read by an older version of xgamma, and are read anew.", older)
        return found

    def _records(self, store: Store) -> list[Record]:
        """Return the parts of this release, the newest last."""
        own = (record for record in store.records(Kind.DL3) if record.texts["release"] == self.name)
        return sorted(own, key=lambda record: record.created)

    def pending(self, obs_ids: Sequence[int], store: Store) -> list[int]:
        """Return those runs of ``obs_ids`` that the store does not hold, or holds as their files once were."""
        found = self._found(obs_ids, self._records(store), store, FileLookup())
        return [obs_id for obs_id in obs_ids if obs_id not in found]

    def run_keys(self, obs_id: int, store: Store) -> tuple[str, ...]:
        """Return what identifies the bytes of the run ``obs_id`` as its files are now, for each version of the reading.

        Digests that ``store`` remembers are not computed again.
        That of this version is the first; there is none where the events or the good time are not there.
        """
        entry = self.index.runs[obs_id]
        statuses = statuses_of(at.path for at in entry.hdus.values())
        digests = FileMemory.of(store, self._records(store), FileLookup()).digests(entry, statuses)
        keys = (_run_key(entry, digests, version) for version in (STEP_VERSION, OLDER_VERSION))
        return tuple(key for key in keys if key)

    def nbytes(self, obs_ids: Sequence[int]) -> int:
        """Return the size in bytes of the files of the runs ``obs_ids``."""
        statuses = statuses_of(at.path for obs_id in obs_ids for at in self.index.runs[obs_id].hdus.values())
        return sum(status.size for status in statuses.values() if status is not None)

    def has_files(self, obs_ids: Sequence[int]) -> bool:
        """Whether the event lists of the runs ``obs_ids`` are there, so that they could be read again."""
        return all(obs_id in self.index.runs for obs_id in obs_ids) and not self.lacking_files(obs_ids)

    def lacking_files(self, obs_ids: Sequence[int]) -> list[int]:
        """Return those of the runs ``obs_ids``, which the index has, whose event lists are not there."""
        return self.index.runs.lacking_files(obs_ids, REQUIRED_ROLES)

    def load(
        self,
        obs_ids: Sequence[int],
        store: Store,
        workers: Workers = THIS_PROCESS,
        on_failure: OnFailure = log_failure,
        rehash: bool = False,
    ) -> Holdings:
        """Return the runs, reading those that the store does not hold or that have changed.

        Parameters
        ----------
        obs_ids
            Which runs.
        store
            Where they are kept.
        workers
            Where runs are read; each process of a cluster puts parts of its own into the store.
        on_failure
            Called for each run that cannot be read; what it raises ends the ingest.
        rehash
            Whether files on this machine are read and compared that kept their size and time.
        """
        found, new, sequence = self._found_and_new(obs_ids, store, rehash)
        if workers == THIS_PROCESS:
            ingested, in_memory = self._read_here(new, store, on_failure, sequence)
        else:
            ingested, in_memory = self._read_by(workers, new, store, on_failure, sequence), {}
        found |= {obs_id: run for each in ingested for obs_id, run in each.runs.items()}
        held = holdings_of(store, {obs_id: found[obs_id] for obs_id in obs_ids if obs_id in found})
        return Holdings(
            {**held.parts, **in_memory},
            held.places,
            held.run_keys,
            [failure for each in ingested for failure in each.failures],
            [obs_id for obs_id in new if obs_id in found],
        )

    def _found_and_new(
        self, obs_ids: Sequence[int], store: Store, rehash: bool
    ) -> tuple[dict[int, StoredRun], list[int], int]:
        """Return the runs that are found, those to be read, and their sequence; the records of parts are not kept."""
        records = self._records(store)
        found = self._found(obs_ids, records, store, FileLookup(remember=True, rehash=rehash))
        note_ingest(store, self.name, records, found)
        new = [obs_id for obs_id in obs_ids if obs_id not in found]
        return found, new, sequence_after(store, records, new)

    def _read_here(
        self, obs_ids: Sequence[int], store: Store, on_failure: OnFailure, sequence: int
    ) -> tuple[list[Ingested], dict[str, Part]]:
        """Read runs in this process; only the last part stays in memory, which does not grow with their number."""
        ingested: list[Ingested] = []
        last: dict[str, Part] = {}
        with progress_bar("Reading runs", len(obs_ids)) as advance:
            for chunk in _chunks(obs_ids):
                last.clear()
                done, part = self._read_part(self._entries(chunk), store, advance, on_failure, sequence)
                ingested.append(done)
                if part is not None and done.record is not None:
                    last[done.record.key] = Part(StoredGroups(store, done.record, part.groups))
                # Otherwise it stays until the next part is there.
                del part
        return ingested, last

    def _entries(self, obs_ids: Sequence[int]) -> list[RunEntry]:
        return [self.index.runs[obs_id] for obs_id in obs_ids]

    def _read_by(
        self, workers: Workers, obs_ids: Sequence[int], store: Store, on_failure: OnFailure, sequence: int
    ) -> list[Ingested]:
        # What is logged of a part stands in its record, so that whoever reads it logs.
        is_logged = on_failure is log_failure
        chunks = [(self, self._entries(chunk), store, sequence, is_logged) for chunk in _chunks(obs_ids)]
        ingested = run_blocks(_ingest_part, chunks, "Reading runs", workers)
        for failure in () if is_logged else [failure for each in ingested for failure in each.failures]:
            on_failure(failure)
        return ingested

    def _read_part(
        self, entries: Sequence[RunEntry], store: Store, progress: Progress, on_failure: OnFailure, sequence: int
    ) -> tuple[Ingested, Part | None]:
        """Read runs into one part and put it into the store; ``sequence`` orders them among versions."""
        read, failures = read_runs(entries, progress, on_failure)
        part, runs, unbuilt = built(read, self.name)
        for failure in unbuilt:
            on_failure(failure)
        failures += unbuilt
        if part is None:
            return Ingested(None, {}, failures), None
        run_keys = [digest(run_document(run.entry, run.file_digests)) for run in runs]
        key = part_key(STEP_VERSION, self.name, run_keys)
        texts = {
            "release": self.name,
            "runs": [
                {"obs_id": run.entry.obs_id, "run_key": key, "sequence": sequence}
                for run, key in zip(runs, run_keys, strict=True)
            ],
            "files": {path: list(astuple(file)) for run in runs for path, file in run.files.items()},
        }
        given = self.origin.document()
        obs_ids = [run.entry.obs_id for run in runs]
        # A part holds copies.
        del read, runs
        record = store.put(Kind.DL3, key, part.groups, given, texts=texts, encoding=part_chunks(part)).bare()
        numbered = enumerate(zip(obs_ids, run_keys, strict=True))
        places = {obs_id: StoredRun(run_key, record, number) for number, (obs_id, run_key) in numbered}
        return Ingested(record, places, failures), part


def part_key(version: int, release: str, run_keys: Sequence[str]) -> str:
    """Return the key of a part: of the step, the release, and the bytes of its runs.

    Up to version 1 the release was left out, and a part was not found under the name of another one with the same runs.
    """
    named = {"release": release} if version > 1 else {}
    return digest({"step": "ingest", "version": version, **named, "runs": list(run_keys)})


def _chunks(obs_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield the runs of each part: the same wherever they are read."""
    return (obs_ids[start : start + RUNS_PER_PART] for start in range(0, len(obs_ids), RUNS_PER_PART))


def _ingest_part(
    release: FitsRelease, entries: Sequence[RunEntry], store: Store, sequence: int, is_logged: bool
) -> Ingested:
    """Read a part in a worker; only where its runs lie travels back."""
    on_failure = log_failure if is_logged else lambda _: None
    return release._read_part(entries, store, lambda: None, on_failure, sequence)[0]


def _run_key(entry: RunEntry, digests: Mapping[str, str] | None, version: int = STEP_VERSION) -> str:
    """Return the key of a run as a version of the reading makes it; empty without files."""
    return "" if digests is None else digest(run_document(entry, digests, version))


@dataclass(frozen=True)
class FileLookup:
    """How files are looked at that are known.

    Parameters
    ----------
    remember
        Whether digests of files are kept that had to be read for them.
    rehash
        Whether files on this machine are read again that kept their size and time.
    """

    remember: bool = False
    rehash: bool = False


@dataclass(frozen=True)
class FileMemory:
    """The digests of files as they were when they were read, so that one that has not changed is not read again.

    Parameters
    ----------
    store
        Where digests of files are remembered that were read for nothing else.
    ingested
        Size, version and digest of each file of the runs that a store holds, by path or url.
    look
        How files are looked at.
    """

    store: Store
    ingested: Mapping[str, Sequence[Any]]
    look: FileLookup

    @classmethod
    def of(cls, store: Store, records: Iterable[Record], look: FileLookup) -> FileMemory:
        """Return the memory of the records of parts, the newest last."""
        files = {path: file for record in records for path, file in record.texts.get("files", {}).items()}
        return cls(store, files, look)

    def recall(self, path: File, status: FileStatus) -> str | None:
        """Return the digest of a file that is as it was, else ``None``."""
        if self.look.rehash and isinstance(path, Path):
            return None
        size, version, known = self.ingested.get(str(path), (None, None, None))
        if (size, str(version)) == (status.size, str(status.version)):
            return str(known)
        return self.store.recall(str(path), status.size, status.version)

    def digests(self, entry: RunEntry, statuses: Mapping[File, FileStatus | None]) -> dict[str, str] | None:
        """Return the digest of each file of a run by path, as ``run_document`` takes them.

        ``None`` where the events or the good time are not there: they have to be read, so that the error is reported.
        """
        found: dict[str, str] = {}
        for role, at in entry.hdus.items():
            status = None if at.refusal else statuses[at.path]
            if role in REQUIRED_ROLES and status is None:
                return None
            if status is None:
                found.setdefault(str(at.path), UNREAD if at.refusal else ABSENT)
            elif found.get(str(at.path), UNREAD) == UNREAD:
                found[str(at.path)] = self._digest(at.path, status)
        return found

    def _digest(self, path: File, status: FileStatus) -> str:
        known = self.recall(path, status)
        if known is not None:
            return known
        try:
            known = _file_digest(path)
        except OSError:
            return UNREAD
        if self.look.remember and not self.store.is_read_only:
            # It saves reading the file the next time; a store that is read-only or full answers without it.
            with contextlib.suppress(StoreError):
                self.store.remember(str(path), status.size, status.version, known)
        return known


def _file_digest(path: File) -> str:
    return file_digest(path) if isinstance(path, Path) else hashlib.sha256(read_file(path)[1]).hexdigest()
