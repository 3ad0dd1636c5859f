"""Runs that a store holds: their parts, their versions, and the store as a release.

Which version of a run is the newest follows from what was ingested after what, and not from clocks. A run of a part has
a ``sequence``: one more than the largest that its writer saw in the release. Where a release goes back to what it was,
its part is there already; that this was ingested last is then written down as an *ingest*.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.errors import StoreError, UnknownNameError, did_you_mean
from xgamma.events import RUN_COLUMNS, Part, RunFacts, StoredRuns
from xgamma.execute import THIS_PROCESS, Workers
from xgamma.formats.gadf.index import USUAL_NAMES, IndexNames
from xgamma.ingest.part import log_failure
from xgamma.outcome import UnusedRun
from xgamma.schema import Kind
from xgamma.schema.arrays import NamedArrays, PlainArrays
from xgamma.schema.tables import is_of_type
from xgamma.store import Record, Store
from xgamma.store.records import now

# One offset node of a few responses is what a block reads of them.
_IRF_CHUNK = 16
_EVENT_CHUNK = 1 << 19

OnFailure = Callable[[UnusedRun], None]


class StoredGroups(StoredRuns):
    """The groups of a product, each opened when it is first used; travels to a worker as the store's url.

    Parameters
    ----------
    store, record
        Where the product is. Where it is merged meanwhile, its attempt stays for a day, and is one whole.
    opened
        Groups that are in memory already.
    """

    def __init__(self, store: Store, record: Record, opened: Mapping[str, xr.Dataset] | None = None) -> None:
        self._store = store
        self._record = record
        self._opened = dict(opened or {})

    def __getitem__(self, group: str) -> xr.Dataset:
        if group not in self._opened:
            self._opened[group] = self._tables(group) if group in ("", "gti") else self._lazy(group)
        return self._opened[group]

    @cached_property
    def runs(self) -> NamedArrays:
        """The table of runs; what is in memory already is not read again."""
        return self._opened[""] if "" in self._opened else self._arrays("")

    def _arrays(self, group: str) -> PlainArrays:
        return self._store.get_arrays(Kind.DL3, self._record.key, self._record, group)

    def _tables(self, group: str) -> xr.Dataset:
        known = self.runs if group == "" else None
        return (known if isinstance(known, PlainArrays) else self._arrays(group)).dataset

    def _lazy(self, group: str) -> xr.Dataset:
        opened = self._store.open(Kind.DL3, self._record.key, group, self._record)
        return self._store.validated(opened, self._record, group)

    def __iter__(self) -> Iterator[str]:
        return iter(self._record.digests)

    def __len__(self) -> int:
        return len(self._record.digests)

    def __reduce__(self) -> tuple[type[StoredGroups], tuple[Store, Record]]:
        return StoredGroups, (self._store, self._record.bare())


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
    failures: Sequence[UnusedRun] = ()
    ingested: Sequence[int] = field(default_factory=list)


class Origin(NamedTuple):
    """Where a release is, and the names of its index files where they are not the usual ones."""

    datastore: str
    names: IndexNames = USUAL_NAMES

    def document(self) -> dict[str, str]:
        """Return it as a mapping of text, without names that are the usual ones."""
        return {"datastore": self.datastore, **self.names.given}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Origin:
        """Return the origin that ``document`` holds, among other things."""
        return cls(document["datastore"], IndexNames(document.get("hdu_index"), document.get("obs_index")))


def stored_versions(store: Store, release: str | None = None) -> dict[int, Versions]:
    """Return the versions of each run of a store by run key, the newest last; ``None`` is every release."""
    records = [record for record in store.records(Kind.DL3) if release in (None, record.texts["release"])]
    return versions_of(records, ingests_of(store, records))


def stored_runs(store: Store) -> dict[int, StoredRun]:
    """Return the newest version of each run of a store, by observation id."""
    return _newest(stored_versions(store))


def _newest(versions: Mapping[int, Versions]) -> dict[int, StoredRun]:
    return {obs_id: list(known.values())[-1] for obs_id, known in versions.items()}


def holdings_of(store: Store, runs: Mapping[int, StoredRun], **more: Any) -> Holdings:
    """Return runs of a store, ready to be reduced."""
    records = {run.part: run.record for run in runs.values()}
    return Holdings(
        {key: Part(StoredGroups(store, record)) for key, record in records.items()},
        {obs_id: (run.part, run.number) for obs_id, run in runs.items()},
        {obs_id: run.run_key for obs_id, run in runs.items()},
        **more,
    )


NO_TAGS = " It has none; xgamma tag sets one."


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
        raise UnknownNameError(f"The store {store.url} has no tag {tag!r}.{did_you_mean(tag, tags) or NO_TAGS}")
    runs: Any = tags[tag].get("runs")
    if not is_of_type(runs, "mapping of mapping of text") or not all(map(str.isdecimal, chain(*runs.values()))):
        raise StoreError(f"The tag {tag!r} of the store {store.url} names no runs. Set it anew with xgamma tag.")
    found: dict[int, StoredRun] = {}
    for release, keys in runs.items():
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
    """The runs of an xgamma store, read directly: the newest version of each, or those of a tag.

    Raises ``StoreError`` for a store without runs.
    """

    def __init__(self, store: Store, tag: str | None = None) -> None:
        self._store = store
        self.place = store.url
        self.origin = Origin(store.url)
        ids: dict[str, set[int]] = {}
        records = store.records(Kind.DL3)
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
        if tag is None:
            self._runs = _newest(versions_of(records, ingests_of(store, records)))
        else:
            self._runs = tagged_runs(store, tag)
        self.name = "+".join(sorted(ids))

    @cached_property
    def _held(self) -> Holdings:
        return holdings_of(self._store, self._runs)

    def facts(self) -> dict[int, RunFacts]:
        """Return what a selection looks at, by observation id."""
        facts = {key: part.facts() for key, part in self._held.parts.items()}
        return {obs_id: facts[key][number] for obs_id, (key, number) in sorted(self._held.places.items())}

    def run_columns(self) -> dict[str, npt.NDArray[Any]]:
        """Return ``events.RUN_COLUMNS`` of all runs in the order of their ids."""
        numbers: dict[str, list[int]] = {}
        for key, number in self._held.places.values():
            numbers.setdefault(key, []).append(number)
        found = [self._held.parts[key].run_columns(np.array(own)) for key, own in numbers.items()]
        columns = {name: np.concatenate([each[name] for each in found]) for name in RUN_COLUMNS}
        order = np.argsort(columns["obs_id"], kind="stable")
        return {name: values[order] for name, values in columns.items()}

    def pending(self, obs_ids: Sequence[int], store: Store) -> list[int]:
        """Return none of ``obs_ids``: all runs are in the store."""
        return []

    def load(
        self,
        obs_ids: Sequence[int],
        store: Store,
        workers: Workers = THIS_PROCESS,
        on_failure: OnFailure = log_failure,
        rehash: bool = False,
    ) -> Holdings:
        """Return the runs ``obs_ids`` from this store, whatever ``store`` the products go to.

        Nothing is read from files: ``workers``, ``on_failure`` and ``rehash`` are those of ``FitsRelease.load``.
        """
        places = {obs_id: self._held.places[obs_id] for obs_id in obs_ids}
        # The same parts, whose tables were read when the runs were selected.
        parts = {key: self._held.parts[key] for key in dict.fromkeys(key for key, _ in places.values())}
        return Holdings(parts, places, {obs_id: self._runs[obs_id].run_key for obs_id in obs_ids})


def part_chunks(part: Part) -> dict[str, dict[str, Any]]:
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


log = logging.getLogger(__name__)


class StoredRun(NamedTuple):
    """Where a store holds a run: the record of its part, without what can be long, and the number in it."""

    run_key: str
    record: Record
    number: int

    @property
    def part(self) -> str:
        """The key of its part."""
        return self.record.key


Versions = dict[str, StoredRun]
Ingests = Sequence[Mapping[str, Any]]


def versions_of(records: Sequence[Record], ingests: Ingests = ()) -> dict[int, Versions]:
    """Return the versions of each run of some parts by run key, the newest last.

    Parameters
    ----------
    records
        The parts. Those of xgamma 0.1.0 come first, by the time at which they were made.
    ingests
        What was ingested again after others had followed it, see ``ingests_of``.
    """
    runs = list(_placed(records))
    releases = {record.key: record.texts["release"] for record in records}
    known = {(releases[run.part], obs_id, run.run_key): run for _, obs_id, run in runs} if ingests else {}
    for ingest in ingests:
        for word, run_key in ingest["runs"].items():
            key = ingest["release"], int(word) if word.isdecimal() else -1, run_key
            if key in known:
                runs.append(((ingest["sequence"], ingest["time"], "", 0), key[1], known[key]))
    found: dict[int, Versions] = {}
    for _, obs_id, run in sorted(runs, key=lambda entry: entry[0]):
        versions = found.setdefault(obs_id, {})
        versions.pop(run.run_key, None)
        versions[run.run_key] = run
    return found


VersionOrder = tuple[int, str, str, int]


def _placed(records: Iterable[Record]) -> Iterator[tuple[VersionOrder, int, StoredRun]]:
    for record in records:
        bare = record.bare()
        for number, run in enumerate(record.texts["runs"]):
            order = run.get("sequence", 0), record.created, record.key, number
            yield order, run["obs_id"], StoredRun(run["run_key"], bare, number)


def ingests_of(store: Store, records: Iterable[Record]) -> Ingests:
    """Return the ingests of a store, if they matter for parts: where each run has one version, none is read."""
    ids = [run["obs_id"] for record in records for run in record.texts["runs"]]
    return store.ingests() if len(set(ids)) < len(ids) else ()


def next_sequence(records: Iterable[Record], ingests: Ingests) -> int:
    """Return the sequence of what is ingested now, after all that is known."""
    known: list[int] = [run.get("sequence", 0) for record in records for run in record.texts["runs"]]
    again: list[int] = [ingest["sequence"] for ingest in ingests]
    return 1 + max([0, *known, *again])


def sequence_after(store: Store, records: Sequence[Record], obs_ids: Iterable[int]) -> int:
    """Return the sequence of some runs that are ingested now, of which a store may hold versions."""
    held = {run["obs_id"] for record in records for run in record.texts["runs"]}
    return next_sequence(records, () if held.isdisjoint(obs_ids) else store.ingests())


def note_ingest(store: Store, release: str, records: Sequence[Record], found: Mapping[int, StoredRun]) -> None:
    """Write down which runs are found as they once were and not as they were last, so that they are the newest again.

    Where the store cannot be written to a warning is logged.
    """
    ingests = ingests_of(store, records)
    versions = versions_of(records, ingests)
    back = {i: run for i, run in found.items() if list(versions[i])[-1] != run.run_key}
    if not back:
        return
    log.warning("Of %d runs an earlier version is ingested again: it is the newest now.", len(back))
    content = {
        "release": release,
        "sequence": next_sequence(records, ingests),
        "runs": {str(obs_id): run.run_key for obs_id, run in back.items()},
        "time": now(),
    }
    try:
        store.set_ingest(content)
    except StoreError as error:
        log.warning("That they are the newest could not be written down: %s", error)
