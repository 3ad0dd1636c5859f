"""Garbage collection: what killed and losing writers left, and products that a merged one holds."""

from __future__ import annotations

import datetime
import json
import logging
from collections.abc import Collection, Mapping
from typing import NamedTuple

from xgamma.errors import StoreError
from xgamma.storage.backend import Backend
from xgamma.store.ledgers import NAMES, read_labels
from xgamma.store.listing import RecordsInTurn, kinds, records_in_turn, warn_of_damage
from xgamma.store.records import RECORD_FILE, Record, now, record_path

log = logging.getLogger(__name__)

_RETIRED = "retired.json"
A_DAY = datetime.timedelta(days=1)


class Collected(NamedTuple):
    """What a collection of garbage deleted, and the products whose records are damaged, of which nothing was."""

    deleted: list[str]
    damaged: Mapping[str, StoreError]


def collect_garbage(backend: Backend, older_than: datetime.timedelta) -> Collected:
    """Delete attempts that no record names and that nothing was written to for ``older_than``; return their paths.

    A superseded product is readable as long after it was superseded, and interrupted compactions are ended first. Where
    a record is damaged, nobody knows which attempt it names: none of its product is deleted.
    """
    records, merged, attempts = records_in_turn(backend, kinds(backend)), [], {}
    for record in records:
        attempts[f"{record.kind}/{record.key}"] = record.attempt
        if record.supersedes:
            merged.append(record)
    warn_of_damage(records.damaged)
    for record in merged:
        retire(backend, record)
    limit = datetime.datetime.now(datetime.UTC) - older_than
    alone = {product for product, attempt in attempts.items() if backend.holds_only(product, (RECORD_FILE, attempt))}
    dead = [attempt for kind in kinds(backend) for attempt in _collect(backend, kind, alone, limit)]
    backend.tidy(limit, [product if product in alone else f"{product}/{attempts[product]}" for product in attempts])
    return Collected(dead, records.damaged)


def _collect(backend: Backend, kind: str, alone: Collection[str], limit: datetime.datetime) -> list[str]:
    """Delete attempts of a kind; return their paths. Products that hold theirs ``alone`` have no other."""
    modified = _changes(backend, kind, alone)
    last: dict[str, datetime.datetime] = {}
    for path, time in modified.items():
        attempt = "/".join(path.split("/")[:3])
        if attempt != path:
            retired = modified.get(retired_path(attempt.rpartition("/")[0]), time)
            last[attempt] = max(time, retired, last.get(attempt, time))
    # Read after the listing: an attempt that was published in between is seen as alive.
    records, damaged = RecordsInTurn(backend, sorted({attempt.rpartition("/")[0] for attempt in last})).listed()
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


def _changes(backend: Backend, kind: str, alone: Collection[str]) -> dict[str, datetime.datetime]:
    """Return the time of change of every object of a kind; on a disk not in products that hold theirs ``alone``."""
    if backend.folder is None:
        return backend.modified(kind)
    changes: dict[str, datetime.datetime] = {}
    for product in (f"{kind}/{key}" for key in backend.children(kind)):
        if product not in alone:
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
