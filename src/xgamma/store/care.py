"""Care of a store: what killed and losing writers left, and products that a merged one holds."""

from __future__ import annotations

import datetime
import json
import logging
from collections.abc import Mapping

from xgamma.store.backend import Backend
from xgamma.store.labels import NAMES, read_labels
from xgamma.store.records import Record, now, record_path

log = logging.getLogger(__name__)

_RETIRED = "retired.json"
A_DAY = datetime.timedelta(days=1)


def read_records(backend: Backend, kinds: list[str]) -> list[Record]:
    """Return the records of all products of ``kinds``, sorted by kind and key."""
    paths = [record_path(kind, key) for kind in kinds for key in backend.children(kind)]
    contents = zip(backend.read_many(paths), paths, strict=True)
    return [Record.from_bytes(content, path, backend.url) for content, path in contents if content is not None]


def kinds(backend: Backend) -> list[str]:
    """Return the kinds of product that a store holds; a leading underscore is the store's own."""
    return [kind for kind in backend.children() if not kind.startswith("_")]


def collect_garbage(backend: Backend, older_than: datetime.timedelta) -> list[str]:
    """Delete attempts that no record names and that nothing was written to for ``older_than``; return their paths.

    A superseded product is readable as long after it was superseded, and interrupted compactions are ended first.
    """
    for record in read_records(backend, kinds(backend)):
        retire(backend, record)
    limit = datetime.datetime.now(datetime.UTC) - older_than
    dead = [attempt for kind in kinds(backend) for attempt in _collect(backend, kind, limit)]
    backend.tidy(limit)
    return dead


def _collect(backend: Backend, kind: str, limit: datetime.datetime) -> list[str]:
    modified = backend.modified(kind)
    last: dict[str, datetime.datetime] = {}
    for path, time in modified.items():
        attempt = "/".join(path.split("/")[:3])
        if attempt != path:
            retired = modified.get(retired_path(attempt.rpartition("/")[0]), time)
            last[attempt] = max(time, retired, last.get(attempt, time))
    # Read after the listing: an attempt that was published in between is seen as alive.
    alive = {record.folder for record in read_records(backend, [kind])}
    dead = sorted(attempt for attempt, time in last.items() if attempt not in alive and time < limit)
    own = [attempt for attempt in dead if not backend.is_behind_link(attempt)]
    if len(own) < len(dead):
        log.warning("%s/%s has folders that are links: gc deletes nothing behind them.", backend.url, kind)
    for attempt in own:
        backend.delete_folder(attempt)
    for path, time in modified.items():
        if path.endswith(f"/{_RETIRED}") and time < limit and not backend.is_behind_link(path):
            backend.delete(path)
    return own


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
