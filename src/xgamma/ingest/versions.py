"""Versions of runs: which is the newest follows from what was ingested after what, and not from clocks.

A run of a part has a ``sequence``: one more than the largest that its writer saw in the release. Where a release goes
back to what it was, its part is there already; that this was ingested last is then written down as an *ingest*.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from xgamma.errors import StoreError
from xgamma.store import Record, Store
from xgamma.store.records import now

log = logging.getLogger(__name__)


class StoredRun(NamedTuple):
    """Where a store holds a run: the record of its part and the number in it."""

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
    known = {(run.record.texts["release"], obs_id, run.run_key): run for _, obs_id, run in runs}
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


Order = tuple[int, str, str, int]


def _placed(records: Iterable[Record]) -> Iterator[tuple[Order, int, StoredRun]]:
    for record in records:
        for number, run in enumerate(record.texts["runs"]):
            order = run.get("sequence", 0), record.created, record.key, number
            yield order, run["obs_id"], StoredRun(run["run_key"], record, number)


def ingests_of(store: Store, records: Iterable[Record]) -> Ingests:
    """Return the ingests of a store, if they matter for parts: where a run has one version only, none is asked for."""
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

    A store that cannot be written to stays as it is, which is said.
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
