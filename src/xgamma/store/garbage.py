"""Garbage collection: what killed and losing writers left, and products that a merged one holds."""

from __future__ import annotations

import datetime
import json
import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from xgamma.errors import StoreError
from xgamma.storage.backend import Backend
from xgamma.store.ledgers import NAMES, read_labels
from xgamma.store.records import Record, now, record_path, validate_known

log = logging.getLogger(__name__)

_RECORD, _RETIRED = "record.json", "retired.json"
A_DAY = datetime.timedelta(days=1)


class Listing(NamedTuple):
    """The records of products.

    Parameters
    ----------
    records
        Those that can be read, sorted by kind and key.
    damaged
        What is wrong with the others, by product: ``kind/key``.
    """

    records: list[Record]
    damaged: Mapping[str, StoreError]

    def sound(self) -> list[Record]:
        """Return all records; raises ``StoreError`` where one is damaged."""
        for error in self.damaged.values():
            raise error
        return self.records


def list_records(backend: Backend, kinds: list[str]) -> Listing:
    """Return the records of all products of ``kinds``, and what is wrong with those that cannot be read."""
    return _records_of(backend, [f"{kind}/{key}" for kind in kinds for key in backend.children(kind)])


def _records_of(backend: Backend, products: Sequence[str]) -> Listing:
    """Return the records of those products that are published."""
    paths = [record_path(*product.split("/")) for product in products]
    records: list[Record] = []
    damaged: dict[str, StoreError] = {}
    for product, path, content in zip(products, paths, read_each(backend, paths), strict=True):
        if isinstance(content, str):
            damaged[product] = StoreError(f"{content}.")
        elif content is not None:
            try:
                records.append(Record.from_bytes(content, path, backend.url))
            except StoreError as error:
                damaged[product] = error
    return Listing(records, damaged)


def known_records(listing: Listing, url: str) -> Listing:
    """Return a listing in which records that lack what the format asks of their kind are damaged too."""
    records: list[Record] = []
    damaged = dict(listing.damaged)
    for record in listing.records:
        try:
            records.append(validate_known(record, url))
        except StoreError as error:
            damaged[f"{record.kind}/{record.key}"] = error
    return Listing(records, damaged)


def read_each(backend: Backend, paths: Sequence[str]) -> list[bytes | str | None]:
    """Return the bytes of files, or why one cannot be read that is there: on a disk it may be no file.

    A server that does not answer ends all.
    """
    try:
        return list(backend.read_many(paths))
    except StoreError:
        if backend.is_remote:
            raise
    return [_read_or_reason(backend, path) for path in paths]


def _read_or_reason(backend: Backend, path: str) -> bytes | str | None:
    try:
        return backend.read(path)
    except StoreError as error:
        return str(error).rstrip(".")


def warn_of_damage(damaged: Mapping[str, StoreError]) -> None:
    """Name products whose records are damaged; they are left as they are."""
    for product, error in damaged.items():
        log.warning("%s Nothing of %s was touched.", error, product)


def kinds(backend: Backend) -> list[str]:
    """Return the kinds of product that a store holds; a leading underscore is the store's own."""
    return [kind for kind in backend.children() if not kind.startswith("_")]


class Collection(NamedTuple):
    """What a collection of garbage deleted, and the products whose records are damaged, of which nothing was."""

    deleted: list[str]
    damaged: Mapping[str, StoreError]


def collect_garbage(backend: Backend, older_than: datetime.timedelta) -> Collection:
    """Delete attempts that no record names and that nothing was written to for ``older_than``; return their paths.

    A superseded product is readable as long after it was superseded, and interrupted compactions are ended first. Where
    a record is damaged, nobody knows which attempt it names: none of its product is deleted.
    """
    records, damaged = list_records(backend, kinds(backend))
    warn_of_damage(damaged)
    for record in records:
        retire(backend, record)
    limit = datetime.datetime.now(datetime.UTC) - older_than
    known = {f"{record.kind}/{record.key}": record for record in records}
    dead = [attempt for kind in kinds(backend) for attempt in _collect(backend, kind, known, limit)]
    backend.tidy(limit, [record.folder for record in records])
    return Collection(dead, damaged)


def _collect(backend: Backend, kind: str, known: Mapping[str, Record], limit: datetime.datetime) -> list[str]:
    modified = _changes(backend, kind, known)
    last: dict[str, datetime.datetime] = {}
    for path, time in modified.items():
        attempt = "/".join(path.split("/")[:3])
        if attempt != path:
            retired = modified.get(retired_path(attempt.rpartition("/")[0]), time)
            last[attempt] = max(time, retired, last.get(attempt, time))
    # Read after the listing: an attempt that was published in between is seen as alive.
    records, damaged = _records_of(backend, sorted({attempt.rpartition("/")[0] for attempt in last}))
    alive = {record.folder for record in records}
    unknown = tuple(f"{product}/" for product in damaged)
    dead = sorted(
        attempt
        for attempt, time in last.items()
        if attempt not in alive and not attempt.startswith(unknown) and time < limit
    )
    own = [attempt for attempt in dead if not backend.is_behind_link(attempt)]
    if len(own) < len(dead):
        log.warning("%s/%s has folders that are links: gc deletes nothing behind them.", backend.url, kind)
    for attempt in own:
        backend.delete_folder(attempt)
    for path, time in modified.items():
        if path.endswith(f"/{_RETIRED}") and time < limit and not backend.is_behind_link(path):
            backend.delete(path)
    return own


def _changes(backend: Backend, kind: str, known: Mapping[str, Record]) -> dict[str, datetime.datetime]:
    """Return the time of change of every object of a kind; on a disk without products that hold their attempt alone."""
    if backend.folder is None:
        return backend.modified(kind)
    changes: dict[str, datetime.datetime] = {}
    for product in (f"{kind}/{key}" for key in backend.children(kind)):
        record = known.get(product)
        if record is None or not backend.holds_only(product, (_RECORD, record.attempt)):
            changes |= backend.modified(product)
    return changes


def retire(backend: Backend, record: Record) -> None:
    """Unpublish what ``record`` supersedes, except what a name points to; ``collect_garbage`` deletes it later.

    In this order a kill at any moment leaves each product published or retired, and readers of it have time to end.
    """
    named = _named_products(backend) if record.supersedes else set()
    for key in record.supersedes:
        path = record_path(record.kind, key)
        if (record.kind, key) not in named and backend.exists(path):
            set_aside(backend, record.kind, key, {"superseded_by": record.key})


def set_aside(backend: Backend, kind: str, key: str, why: Mapping[str, str]) -> None:
    """Unpublish a product, with a note why; what it holds stays for a day after this time."""
    backend.replace(retired_path(f"{kind}/{key}"), json.dumps({**why, "time": now()}).encode())
    backend.delete(record_path(kind, key))


def is_retired(backend: Backend, product: str) -> bool:
    """Whether a product without a record was superseded or set aside, and not abandoned by its writer."""
    return backend.exists(retired_path(product))


def retired_path(product: str) -> str:
    """Return where it is noted that a product was superseded."""
    return f"{product}/{_RETIRED}"


def _named_products(backend: Backend) -> set[tuple[str, str]]:
    return {(item["kind"], item["key"]) for item in read_labels(backend, NAMES).values()}
