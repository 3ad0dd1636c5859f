"""Releases: runs that lie in FITS files or in a store, and the parts that hold them."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import xarray as xr

from xgamma.errors import ConfigError, StoreError, UnknownNameError, did_you_mean
from xgamma.events import Part, RunFacts
from xgamma.execute import THIS_PROCESS, Workers, progress_bar, run_blocks
from xgamma.formats.gadf.files import File, read_file, release_name, several, statuses_of
from xgamma.formats.gadf.read import Index, RunEntry, read_index
from xgamma.ingest.part import Failure, log_failure, part_of, read_runs, run_document
from xgamma.store import Record, Store, digest, file_digest, is_store
from xgamma.store.objects import FileStatus

log = logging.getLogger(__name__)

KIND = "dl3"
STEP_VERSION = 2
RUNS_PER_PART = 500
# One offset node of a few responses is what a block reads of them.
_IRF_CHUNK = 16
_EVENT_CHUNK = 1 << 19

Progress = Callable[[], None]
OnFailure = Callable[[Failure], None]


class StoredGroups(Mapping[str, xr.Dataset]):
    """The groups of a product, each opened when it is first used; travels to a worker as the store's url.

    Parameters
    ----------
    store, key
        Where the product is.
    opened
        Groups that are in memory already.
    """

    def __init__(self, store: Store, key: str, opened: Mapping[str, xr.Dataset] | None = None) -> None:
        self._store = store
        self._key = key
        self._opened = dict(opened or {})

    def __getitem__(self, group: str) -> xr.Dataset:
        if group not in self._opened:
            is_table = group in ("", "gti")
            read = self._store.get if is_table else self._store.open
            self._opened[group] = read(KIND, self._key, group, self._record)
        return self._opened[group]

    @cached_property
    def _record(self) -> Record:
        # Read once: where the part is merged meanwhile, its attempt stays for a day, and is one whole.
        return self._store.record(KIND, self._key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._record.digests)

    def __len__(self) -> int:
        return len(self._record.digests)

    def __reduce__(self) -> tuple[type[StoredGroups], tuple[Store, str]]:
        return StoredGroups, (self._store, self._key)


@dataclass(frozen=True)
class Holdings:
    """Runs that are ready to be reduced.

    Parameters
    ----------
    parts
        Parts by key.
    places
        The part and the number in it of each run.
    run_keys
        What identifies the bytes of each run.
    failures
        Runs that could not be read.
    ingested
        Runs that were read from files now; the others were found in the store.
    """

    parts: Mapping[str, Part]
    places: Mapping[int, tuple[str, int]]
    run_keys: Mapping[int, str]
    failures: Sequence[Failure] = ()
    ingested: Sequence[int] = field(default_factory=list)


class Release(Protocol):
    """A named set of runs."""

    name: str

    def facts(self) -> dict[int, RunFacts]:
        """Return what a selection looks at, by observation id, in the order of the release."""

    def pending(self, obs_ids: Sequence[int], store: Store) -> list[int]:
        """Return those runs that ``load`` would read from files."""

    def load(
        self,
        obs_ids: Sequence[int],
        store: Store,
        workers: Workers = THIS_PROCESS,
        on_failure: OnFailure = log_failure,
    ) -> Holdings:
        """Return the runs ready to be reduced, ingesting what the store does not hold."""


def open_release(datastore: str | Path, tag: str | None = None) -> FitsRelease | StoredRelease:
    """Open a FITS release or an xgamma store, a path or a url.

    Parameters
    ----------
    datastore
        Where it is.
    tag
        Of a store, the state of its runs that is wanted; ``None`` is the newest version of each.

    Raises
    ------
    MissingInputError
        When there is neither.
    ConfigError
        When a tag is asked for of a FITS release.
    UnknownNameError
        When the store has no such tag.
    StoreError
        When a server does not answer or forbids to look.
    """
    if is_store(datastore):
        return StoredRelease(Store(datastore), tag)
    if tag is not None:
        raise ConfigError(
            f"observations.tag: {datastore} is no xgamma store, and only stores have tags; "
            "write the store as observations.datastore, or leave the tag out."
        )
    return FitsRelease(release_name(datastore), datastore)


class StoredRun(NamedTuple):
    """Where a store holds a run: the key of its part and the number in it."""

    run_key: str
    part: str
    number: int


@dataclass(frozen=True)
class Ingested:
    """What became of the runs that were read into one part: its key, where they lie, and those that failed."""

    key: str
    runs: Mapping[int, StoredRun]
    failures: Sequence[Failure]


Versions = dict[str, StoredRun]


def stored_versions(store: Store, release: str | None = None) -> dict[int, Versions]:
    """Return the versions of each run of a store by run key, the newest last; ``None`` is every release."""
    return _versions(record for record in store.ls(KIND) if release in (None, record.texts["release"]))


def _versions(records: Iterable[Record]) -> dict[int, Versions]:
    found: dict[int, Versions] = {}
    for record in sorted(records, key=lambda record: record.created):
        for number, run in enumerate(record.texts["runs"]):
            versions = found.setdefault(run["obs_id"], {})
            versions.pop(run["run_key"], None)
            versions[run["run_key"]] = StoredRun(run["run_key"], record.key, number)
    return found


def stored_runs(store: Store) -> dict[int, StoredRun]:
    """Return the newest version of each run of a store, by observation id."""
    return _newest(stored_versions(store))


def _newest(versions: Mapping[int, Versions]) -> dict[int, StoredRun]:
    return {obs_id: list(known.values())[-1] for obs_id, known in versions.items()}


def _holdings(store: Store, runs: Mapping[int, StoredRun], **more: Any) -> Holdings:
    keys = dict.fromkeys(run.part for run in runs.values())
    return Holdings(
        {key: Part(StoredGroups(store, key)) for key in keys},
        {obs_id: (run.part, run.number) for obs_id, run in runs.items()},
        {obs_id: run.run_key for obs_id, run in runs.items()},
        **more,
    )


def tagged_runs(store: Store, tag: str) -> dict[int, StoredRun]:
    """Return the version of each run that was the newest when a tag was set, by observation id.

    Raises
    ------
    UnknownNameError
        When there is no such tag.
    StoreError
        When the store does not hold a version any more.
    """
    tags = store.tags()
    if tag not in tags:
        raise UnknownNameError(f"The store {store.url} has no tag {tag!r}.{did_you_mean(tag, tags)}")
    found: dict[int, StoredRun] = {}
    for release, keys in tags[tag]["runs"].items():
        versions = stored_versions(store, release)
        for obs_id, run_key in keys.items():
            if run_key not in versions.get(int(obs_id), {}):
                raise StoreError(
                    f"The store {store.url} does not hold run {obs_id} as it was tagged {tag!r} any more. "
                    "Ingest those files again, or copy the store from a sound one."
                )
            found[int(obs_id)] = versions[int(obs_id)][run_key]
    return found


class StoredRelease:
    """The runs of an xgamma store, read directly: the newest version of each, or those of a tag."""

    def __init__(self, store: Store, tag: str | None = None) -> None:
        self._store = store
        ids: dict[str, set[int]] = {}
        records = store.ls(KIND)
        for record in records:
            of_release = ids.setdefault(str(record.texts["release"]), set())
            of_release.update(run["obs_id"] for run in record.texts["runs"])
        if not ids:
            raise StoreError(f"The store {store.url} holds no runs. Ingest a FITS release into it: xgamma ingest.")
        if sum(map(len, ids.values())) > len(set().union(*ids.values())):
            raise StoreError(
                f"The store {store.url} holds the releases {', '.join(sorted(ids))}, which share observation ids. "
                "Read the FITS release that you mean, with this store as general.store."
            )
        self._runs = _newest(_versions(records)) if tag is None else tagged_runs(store, tag)
        self.name = "+".join(sorted(ids))

    @cached_property
    def _held(self) -> Holdings:
        return _holdings(self._store, self._runs)

    def facts(self) -> dict[int, RunFacts]:
        """Return what a selection looks at, by observation id."""
        facts = {key: part.facts() for key, part in self._held.parts.items()}
        return {obs_id: facts[key][number] for obs_id, (key, number) in sorted(self._held.places.items())}

    def pending(self, obs_ids: Sequence[int], store: Store) -> list[int]:
        """Return no run: all are in the store."""
        return []

    def load(
        self,
        obs_ids: Sequence[int],
        store: Store,
        workers: Workers = THIS_PROCESS,
        on_failure: OnFailure = log_failure,
    ) -> Holdings:
        """Return the runs from this store, whatever store the products go to."""
        places = {obs_id: self._held.places[obs_id] for obs_id in obs_ids}
        # The same parts, whose tables were read when the runs were selected.
        parts = {key: self._held.parts[key] for key in dict.fromkeys(key for key, _ in places.values())}
        return Holdings(parts, places, {obs_id: self._runs[obs_id].run_key for obs_id in obs_ids})


class FitsRelease:
    """The runs of a folder or index file in the GADF format, on a disk or behind a url."""

    def __init__(self, name: str, place: str | Path) -> None:
        self.name = name
        self.place = str(place)

    @cached_property
    def index(self) -> Index:
        """The index of the release."""
        return read_index(self.place)

    def facts(self) -> dict[int, RunFacts]:
        """Return what a selection looks at, by observation id."""
        return {
            obs_id: RunFacts(obs_id, entry.ra, entry.dec, frozenset(entry.hdus), entry.zenith, entry.target)
            for obs_id, entry in self.index.runs.items()
        }

    def _found(
        self, obs_ids: Sequence[int], records: Sequence[Record], store: Store, remember: bool
    ) -> dict[int, StoredRun]:
        """Return those runs of which the store holds a version as the files are now."""
        known = _versions(records)
        entries = [self.index.runs[obs_id] for obs_id in obs_ids if obs_id in known]
        statuses = statuses_of(at.path for entry in entries for at in entry.hdus.values())
        memory = FileMemory.of(store, records)
        at_once = store.is_remote or any(entry.is_remote for entry in entries)
        keys = several(lambda entry: _known_key(entry, statuses, memory, remember), entries, at_once)
        pairs = [(entry.obs_id, key) for entry, key in zip(entries, keys, strict=True)]
        return {obs_id: known[obs_id][key] for obs_id, key in pairs if key in known[obs_id]}

    def _records(self, store: Store) -> list[Record]:
        return sorted(
            (record for record in store.ls(KIND) if record.texts["release"] == self.name),
            key=lambda record: record.created,
        )

    def pending(self, obs_ids: Sequence[int], store: Store) -> list[int]:
        """Return the runs that the store does not hold, or holds as their files once were."""
        found = self._found(obs_ids, self._records(store), store, remember=False)
        return [obs_id for obs_id in obs_ids if obs_id not in found]

    def run_key(self, obs_id: int, store: Store) -> str | None:
        """Return what identifies the bytes of a run as its files are now; ``None`` where one is not there."""
        entry = self.index.runs[obs_id]
        statuses = statuses_of(at.path for at in entry.hdus.values())
        return _known_key(entry, statuses, FileMemory.of(store, self._records(store)), remember=False)

    def nbytes(self, obs_ids: Sequence[int]) -> int:
        """Return the size of the files of some runs."""
        statuses = statuses_of(at.path for obs_id in obs_ids for at in self.index.runs[obs_id].hdus.values())
        return sum(status.size for status in statuses.values() if status is not None)

    def has_files(self, obs_ids: Sequence[int]) -> bool:
        """Whether all files of some runs are there, so that they could be read again."""
        entries = [self.index.runs[obs_id] for obs_id in obs_ids if obs_id in self.index.runs]
        statuses = statuses_of(at.path for entry in entries for at in entry.hdus.values())
        return len(entries) == len(obs_ids) and None not in statuses.values()

    def load(
        self,
        obs_ids: Sequence[int],
        store: Store,
        workers: Workers = THIS_PROCESS,
        on_failure: OnFailure = log_failure,
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
        """
        records = self._records(store)
        known = {run["obs_id"] for record in records for run in record.texts["runs"]}
        found = self._found(obs_ids, records, store, remember=True)
        new = [self.index.runs[obs_id] for obs_id in obs_ids if obs_id not in found]
        for entry in new:
            if entry.obs_id in known:
                log.warning("Run %d has changed since it was ingested: it becomes a new version.", entry.obs_id)
        if workers == THIS_PROCESS:
            ingested, in_memory = self._read_here(new, store, on_failure)
        else:
            ingested, in_memory = self._read_by(workers, new, store, on_failure), {}
        found |= {obs_id: run for each in ingested for obs_id, run in each.runs.items()}
        held = _holdings(store, {obs_id: found[obs_id] for obs_id in obs_ids if obs_id in found})
        return Holdings(
            {**held.parts, **in_memory},
            held.places,
            held.run_keys,
            [failure for each in ingested for failure in each.failures],
            [entry.obs_id for entry in new if entry.obs_id in found],
        )

    def _read_here(
        self, entries: Sequence[RunEntry], store: Store, on_failure: OnFailure
    ) -> tuple[list[Ingested], dict[str, Part]]:
        """Read runs in this process; only the last part stays in memory, which does not grow with their number."""
        ingested: list[Ingested] = []
        last: dict[str, Part] = {}
        with progress_bar("Reading runs", len(entries)) as advance:
            for chunk in _chunks(entries):
                last.clear()
                done, part = self._read_part(chunk, store, advance, on_failure)
                ingested.append(done)
                if part is not None:
                    last[done.key] = Part(StoredGroups(store, done.key, part.groups))
        return ingested, last

    def _read_by(
        self, workers: Workers, entries: Sequence[RunEntry], store: Store, on_failure: OnFailure
    ) -> list[Ingested]:
        chunks = [(self, chunk, store) for chunk in _chunks(entries)]
        ingested = run_blocks(_ingest_part, chunks, "Reading runs", workers)
        for each in ingested:
            for failure in each.failures:
                on_failure(failure)
        return ingested

    def _read_part(
        self, entries: Sequence[RunEntry], store: Store, progress: Progress, on_failure: OnFailure
    ) -> tuple[Ingested, Part | None]:
        """Read runs into one part and put it into the store."""
        runs, failures = read_runs(entries, progress, on_failure)
        if not runs:
            return Ingested("", {}, failures), None
        run_keys = [digest(run_document(run.entry, run.file_digests)) for run in runs]
        key = digest({"step": "ingest", "version": STEP_VERSION, "runs": run_keys})
        part = part_of(runs, self.name)
        texts = {
            "release": self.name,
            "runs": [{"obs_id": r.entry.obs_id, "run_key": k} for r, k in zip(runs, run_keys, strict=True)],
            "files": {path: list(astuple(file)) for run in runs for path, file in run.files.items()},
        }
        store.put(KIND, key, part.groups, {"datastore": self.place}, texts=texts, encoding=chunks_of(part))
        places = {run.entry.obs_id: StoredRun(k, key, n) for n, (run, k) in enumerate(zip(runs, run_keys, strict=True))}
        return Ingested(key, places, failures), part


def _chunks(entries: Sequence[RunEntry]) -> Iterator[Sequence[RunEntry]]:
    """Yield the runs of each part: the same wherever they are read."""
    return (entries[start : start + RUNS_PER_PART] for start in range(0, len(entries), RUNS_PER_PART))


def _ingest_part(release: FitsRelease, entries: Sequence[RunEntry], store: Store) -> Ingested:
    """Read a part in a worker; only where its runs lie travels back."""
    return release._read_part(entries, store, lambda: None, lambda _: None)[0]


def chunks_of(part: Part) -> dict[str, dict[str, Any]]:
    """Return the chunks in which a part is stored.

    One offset node of a few responses, and few enough events that a block reads hardly more than its own: with chunks
    of 4 million events, four blocks of a part read each of them whole, and a run cost 1.5 ms and not 0.9 ms.
    """
    events = {f"events/{name}": {"chunks": (_EVENT_CHUNK,)} for name in part.events.data_vars}
    responses = {
        f"{group}/{name}": {"chunks": (_IRF_CHUNK, 1, *values.shape[2:])}
        for group, table in part.groups.items()
        for name, values in table.data_vars.items()
        if group.startswith("irf/") and values.ndim > 1
    }
    return {**events, **responses}


@dataclass(frozen=True)
class FileMemory:
    """The digests of files as they were when they were read, so that one that has not changed is not read again.

    Parameters
    ----------
    store
        Where digests of files are remembered that were read for nothing else.
    ingested
        Size, version and digest of each file of the runs that a store holds, by path or url.
    """

    store: Store
    ingested: Mapping[str, Sequence[Any]]

    @classmethod
    def of(cls, store: Store, records: Iterable[Record]) -> FileMemory:
        """Return the memory of the records of parts, the newest last."""
        return cls(store, {path: file for record in records for path, file in record.texts.get("files", {}).items()})

    def recall(self, path: str, status: FileStatus) -> str | None:
        """Return the digest of a file that is as it was, else ``None``."""
        size, version, known = self.ingested.get(path, (None, None, None))
        if (size, str(version)) == (status.size, str(status.version)):
            return str(known)
        return self.store.recall(path, status.size, status.version)


def _known_key(
    entry: RunEntry, statuses: Mapping[File, FileStatus | None], memory: FileMemory, remember: bool
) -> str | None:
    """Return the key of a run whose files have not changed since they were read, else of what they are now."""
    digests: dict[str, str] = {}
    for path in {location.path for location in entry.hdus.values()}:
        status = statuses[path]
        if status is None:
            return None
        known = memory.recall(str(path), status)
        if known is None:
            known = _file_digest(path)
            if remember:
                # It saves reading the file the next time; a store that is read-only or full answers without it.
                with contextlib.suppress(StoreError):
                    memory.store.remember(str(path), status.size, status.version, known)
        digests[str(path)] = known
    return digest(run_document(entry, digests))


def _file_digest(path: File) -> str:
    return file_digest(path) if isinstance(path, Path) else hashlib.sha256(read_file(path)[1]).hexdigest()
